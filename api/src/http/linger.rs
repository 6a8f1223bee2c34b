//! What a client still sends after its request was answered.
//!
//! Invariant: a refusal arrives. To close a connection with bytes in it that nobody has read resets it, and the reset
//! overtakes the answer; what is left of a body is therefore read and thrown away, within limits.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::EXPECT;

/// Clients that have seen the answer by then stop sending by themselves.
const WITHIN: Duration = Duration::from_secs(5);
/// More is not worth an answer that arrives.
const AT_MOST: usize = 16 << 20;

/// A request's body; the rest of it is read and thrown away when the handler drops it.
pub struct Lingering {
    /// None once all of it has been read.
    rest: Option<Incoming>,
    /// Whether the client sends it without being asked to: who expects to be asked is not kept waiting.
    comes: bool,
}

impl Lingering {
    /// The request with its body as it comes out of the connection.
    #[must_use]
    pub fn within(request: Request<Incoming>) -> Request<Self> {
        let comes = !request.headers().contains_key(EXPECT);
        request.map(|body| Self { rest: Some(body).filter(|body| !body.is_end_stream()), comes })
    }
}

impl Body for Lingering {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.comes = true;
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(&mut *rest).poll_frame(context));
        if rest.is_end_stream() || !matches!(frame, Some(Ok(_))) {
            self.rest = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let rest = self.rest.take().filter(|_| self.comes);
        let (Some(rest), Ok(runtime)) = (rest, tokio::runtime::Handle::try_current()) else {
            return;
        };
        runtime.spawn(async move {
            let mut rest = std::pin::pin!(Limited::new(rest, AT_MOST));
            let thrown_away = async { while let Some(Ok(_)) = rest.frame().await {} };
            let _ = tokio::time::timeout(WITHIN, thrown_away).await;
        });
    }
}
