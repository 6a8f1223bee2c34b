//! From a request's body to the file store.
//!
//! Invariant: the body goes to the store as it comes, a few parts of it in memory at a time; what is
//! broken off, too large or too slow leaves nothing behind, or what the worker sweeps away.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use entity::collaboration::file::{Stored, storage_key};
use entity::id::FileId;
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use super::sniff::{HEAD, sniff};
use super::{fault, out_of_reach};
use crate::http::errors::Code;
use crate::http::failure::Failure;
use crate::http::request::RequestId;

/// How many parts of 5 MiB are on their way to the store at once.
const PARTS: usize = 3;

/// How slow a sender may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long one may be silent.
    pub silence: Duration,
    /// How many bytes a second come on average, once one could have been silent.
    pub least: u64,
    /// How long a file may take altogether.
    pub within: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { silence: Duration::from_secs(30), least: 16 * 1024, within: Duration::from_hours(1) }
    }
}

impl Pace {
    /// Until when the next bytes have to come, of a file that began at `begun` and has `size` by now.
    fn until(self, begun: Instant, size: u64) -> Instant {
        let on_average = begun + self.silence + Duration::from_secs(size / self.least);
        (Instant::now() + self.silence).min(on_average).min(begun + self.within)
    }
}

/// Why a body did not become a file.
#[derive(Debug)]
enum Broken {
    /// It goes on beyond the limit.
    TooLarge,
    /// The sender went away.
    Ended,
    /// The sender is silent, or takes for ever.
    Slow,
    /// The store failed.
    Store(object_store::Error),
}

impl From<object_store::Error> for Broken {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

/// Stores the body as `id`: `limit` bytes at most, at `pace` or faster.
///
/// # Errors
/// The answer to what is too large, too slow or broken off, or a store that failed.
pub(super) async fn receive(
    store: Arc<dyn ObjectStore>,
    id: FileId,
    body: Body,
    (limit, pace): (u64, Pace),
    request: &RequestId,
) -> Result<Stored, Failure> {
    // A sender who goes away ends the request, but not the clearing away of what they sent.
    let taken = tokio::spawn(async move { take(&*store, id, body, limit, pace).await });
    let broken = match taken.await.map_err(|error| fault(&error, request).closing())? {
        Ok(stored) => return Ok(stored),
        Err(broken) => broken,
    };
    let refusal = match broken {
        Broken::Store(error) => out_of_reach(&error, request),
        Broken::Ended => Failure::bad_request("The body ended too early; send it again."),
        Broken::Slow => {
            let message = "The body came too slowly; send it again over a better connection.";
            Failure::new(StatusCode::REQUEST_TIMEOUT, Code::Timeout, message)
        }
        Broken::TooLarge => too_large(limit),
    };
    Err(refusal.closing())
}

/// The answer to a body of more than `limit` bytes.
pub(super) fn too_large(limit: u64) -> Failure {
    let message = format!("The file has more than the {limit} bytes that it may have here.");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, Code::PayloadTooLarge, message).closing()
}

async fn take(
    store: &dyn ObjectStore,
    id: FileId,
    body: Body,
    limit: u64,
    pace: Pace,
) -> Result<Stored, Broken> {
    let mut upload = WriteMultipart::new(store.put_multipart(&Path::from(storage_key(id))).await?);
    match write(&mut upload, body, limit, pace).await {
        Ok((size, sha256, media_type)) => {
            upload.finish().await?;
            Ok(Stored { id, size, sha256, media_type: media_type.to_owned() })
        }
        Err(broken) => {
            // What cannot be removed now is an orphan, which the worker removes.
            drop(upload.abort().await);
            Err(broken)
        }
    }
}

async fn write(
    upload: &mut WriteMultipart,
    body: Body,
    limit: u64,
    pace: Pace,
) -> Result<(i64, String, &'static str), Broken> {
    let begun = Instant::now();
    let (mut size, mut hash) = (0_u64, Sha256::new());
    let mut head: Vec<u8> = Vec::with_capacity(HEAD);
    let announced = body.size_hint().exact();
    let mut chunks = body.into_data_stream();
    loop {
        let chunk = timeout_at(pace.until(begun, size), chunks.next()).await;
        let Some(chunk) = chunk.map_err(|_| Broken::Slow)? else { break };
        let chunk: Bytes = chunk.map_err(|_| Broken::Ended)?;
        size += chunk.len() as u64;
        if size > limit {
            return Err(Broken::TooLarge);
        }
        hash.update(&chunk);
        let missing = HEAD - head.len();
        head.extend_from_slice(&chunk[..missing.min(chunk.len())]);
        upload.wait_for_capacity(PARTS).await?;
        upload.put(chunk);
    }
    if announced.is_some_and(|announced| announced != size) {
        return Err(Broken::Ended);
    }
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    Ok((size, entity::text::hex(&hash.finalize()), sniff(&head)))
}

#[cfg(test)]
mod tests {
    use entity::id::Id;
    use futures::stream;
    use object_store::memory::InMemory;

    use super::*;

    const QUICK: Pace = Pace {
        silence: Duration::from_millis(100),
        least: 1 << 20,
        within: Duration::from_mins(1),
    };

    /// Takes a body of chunks of `size` bytes, one every `pause`, which never ends.
    async fn trickle(size: usize, pause: Duration, pace: Pace) -> (Result<Stored, Broken>, usize) {
        let store = InMemory::new();
        let body = Body::from_stream(stream::unfold((), move |()| async move {
            tokio::time::sleep(pause).await;
            Some((Ok::<_, std::io::Error>(Bytes::from(vec![7; size])), ()))
        }));
        let id = FileId::new(chrono::DateTime::UNIX_EPOCH);
        let taken = take(&store, id, body, 1 << 40, pace).await;
        (taken, store.list(None).count().await)
    }

    #[tokio::test]
    async fn a_body_that_trickles_is_cut_and_leaves_nothing() {
        let (often, seldom) = (Duration::from_millis(10), Duration::from_mins(1));
        for (what, size, pause, pace) in [
            ("silence", 1, seldom, QUICK),
            ("less than the least", 1, often, QUICK),
            ("no end", 1 << 20, often, Pace { within: Duration::from_millis(300), ..QUICK }),
        ] {
            let began = Instant::now();
            let (taken, left) = trickle(size, pause, pace).await;
            assert!(matches!(taken, Err(Broken::Slow)), "{what}: {taken:?}");
            assert_eq!(left, 0, "{what}");
            assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        }
    }

    #[tokio::test]
    async fn a_burst_earns_no_silence() {
        let chunks = [Bytes::from(vec![7; 50 << 20])].map(Ok::<_, std::io::Error>);
        let body = Body::from_stream(stream::iter(chunks).chain(stream::pending()));
        let id = FileId::new(chrono::DateTime::UNIX_EPOCH);
        let began = Instant::now();
        let taken = take(&InMemory::new(), id, body, 1 << 40, QUICK).await;
        assert!(matches!(taken, Err(Broken::Slow)), "{taken:?}");
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}
