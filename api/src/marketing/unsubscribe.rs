//! `/unsubscribe/{token}`: who got advertising says, by the link in it, that they do not want it any more.
//!
//! Invariant: looking changes nothing, since programs that scan mails open their links; what somebody sends does, at once and
//! without asking again (RFC 8058).

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use entity::access::audit::Origin;
use entity::access::{Actor, organisation};
use entity::marketing::unsubscribe::{Said, Subscription, say, subscription};
use futures::FutureExt;
use url::form_urlencoded;
use worker::document::{Page, Party};
use worker::link::unsubscribe::UnsubscribeLink;

use crate::http::request::{Peer, RequestId};
use crate::pages::{Pages, shown};

/// How large what somebody sends may be, in bytes.
const LARGEST: usize = 4 * 1024;

/// The routes.
pub fn router(pages: Pages) -> Router {
    Router::new()
        .route("/unsubscribe/{token}", get(look).post(leave))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(pages)
}

/// Shows what somebody gets, and what they can say.
async fn look(
    State(pages): State<Pages>,
    Path(token): Path<String>,
    Extension(request): Extension<RequestId>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = pages.charge(peer) {
        return refused.into_response();
    }
    let found = match UnsubscribeLink::open(&pages.shared.customer_links, &token) {
        Some(link) => subscription(pages.shared.db.reader(), link.message).await,
        None => Ok(None),
    };
    answer(&pages, found.map_err(entity::Error::from), &headers, &request).await
}

/// Does what somebody says: by a button of the page, or by that of their mail program, which sends one line for everybody.
async fn leave(
    State(pages): State<Pages>,
    Path(token): Path<String>,
    Extension(request): Extension<RequestId>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    sent: Bytes,
) -> Response {
    if let Err(refused) = pages.charge(peer) {
        return refused.into_response();
    }
    let said = said(&sent);
    let done = match UnsubscribeLink::open(&pages.shared.customer_links, &token) {
        Some(link) => {
            let now = pages.shared.clock.now();
            let origin = Origin::new(Actor::System, now).in_request(request.as_str());
            let write = pages.shared.db.write_as(&origin, move |txn| {
                async move { say(txn, link.message, said, now).await }.boxed()
            });
            write.await
        }
        None => Ok(None),
    };
    answer(&pages, done, &headers, &request).await
}

/// What is said by what was sent; whoever says nothing that is known does not want the message.
fn said(sent: &[u8]) -> Said {
    let value = form_urlencoded::parse(sent).find(|(name, _)| name == "say");
    match value.as_ref().map(|(_, value)| &**value) {
        Some("nothing") => Said::Nothing,
        Some("again") => Said::Again,
        _ => Said::NotThis,
    }
}

/// What somebody gets now, as a page.
async fn answer(
    pages: &Pages,
    found: Result<Option<Subscription>, entity::Error>,
    headers: &HeaderMap,
    request: &RequestId,
) -> Response {
    let subscription = match found {
        Ok(Some(subscription)) => subscription,
        Ok(None) => return pages.nothing(Page::Unknown, None, headers, request).await,
        Err(error) => return away(pages, &error, headers, request).await,
    };
    match organisation::get(pages.shared.db.reader()).await {
        Ok(ours) => {
            let page = pages.shared.words.unsubscribe(&subscription, &Party::from(ours));
            shown(StatusCode::OK, page, request)
        }
        Err(error) => away(pages, &error, headers, request).await,
    }
}

/// That it cannot be done at the moment.
async fn away(
    pages: &Pages,
    error: &entity::Error,
    headers: &HeaderMap,
    request: &RequestId,
) -> Response {
    let error = worker::relay::chain(error);
    tracing::error!(error, request_id = request.as_str(), "somebody could not unsubscribe");
    pages.nothing(Page::Away, None, headers, request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_sent_means_that_the_message_is_not_wanted_unless_it_says_else() {
        assert_eq!(said(b"List-Unsubscribe=One-Click"), Said::NotThis);
        assert_eq!(said(b"say=this"), Said::NotThis);
        assert_eq!(said(b""), Said::NotThis);
        assert_eq!(said(b"--x\r\nContent-Disposition: form-data"), Said::NotThis);
        assert_eq!(said(b"say=nothing"), Said::Nothing);
        assert_eq!(said(b"say=again"), Said::Again);
    }
}
