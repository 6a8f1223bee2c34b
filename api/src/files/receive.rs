//! From a request's body to the file store.
//!
//! Invariant: the body goes to the store as it comes, a few parts of it in memory at a time; what is
//! broken off, too large or too slow leaves nothing behind, or what the worker sweeps away.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use entity::collaboration::file::{Stored, storage_key};
use entity::id::FileId;
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout, timeout_at};

use super::fault;
use super::sniff::{HEAD, sniff};
use crate::http::errors::Code;
use crate::http::failure::Failure;
use crate::http::request::RequestId;

/// How long a sender may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// How long a file may take altogether.
const WITHIN: Duration = Duration::from_hours(1);

/// How many parts of 5 MiB are on their way to the store at once.
const PARTS: usize = 3;

/// Why a body did not become a file.
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

/// Stores the body as `id`: `limit` bytes at most.
///
/// # Errors
/// The answer to what is too large, too slow or broken off, or a store that failed.
pub async fn receive(
    store: &dyn ObjectStore,
    id: FileId,
    body: Body,
    limit: u64,
    request: &RequestId,
) -> Result<Stored, Failure> {
    let opened = store.put_multipart(&Path::from(storage_key(id))).await;
    let mut upload = WriteMultipart::new(opened.map_err(|error| fault(&error, request))?);
    let refusal = match write(&mut upload, body, limit).await {
        Ok((size, sha256, media_type)) => {
            upload.finish().await.map_err(|error| fault(&error, request))?;
            return Ok(Stored { id, size, sha256, media_type: media_type.to_owned() });
        }
        Err(Broken::Store(error)) => fault(&error, request),
        Err(Broken::Ended) => Failure::bad_request("The body ended too early; send it again."),
        Err(Broken::Slow) => {
            let message = "The body came too slowly; send it again over a better connection.";
            Failure::new(StatusCode::REQUEST_TIMEOUT, Code::Timeout, message)
        }
        Err(Broken::TooLarge) => too_large(limit),
    };
    // What cannot be removed now is an orphan, which the worker removes.
    drop(upload.abort().await);
    Err(refusal.closing())
}

/// The answer to a body of more than `limit` bytes.
pub fn too_large(limit: u64) -> Failure {
    let message = format!("The file has more than the {limit} bytes that it may have here.");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, Code::PayloadTooLarge, message).closing()
}

async fn write(
    upload: &mut WriteMultipart,
    body: Body,
    limit: u64,
) -> Result<(i64, String, &'static str), Broken> {
    let end = Instant::now() + WITHIN;
    let (mut size, mut hash) = (0_u64, Sha256::new());
    let mut head: Vec<u8> = Vec::with_capacity(HEAD);
    let mut chunks = body.into_data_stream();
    loop {
        let chunk = timeout_at(end, timeout(SILENCE, chunks.next())).await;
        let Ok(Ok(chunk)) = chunk else { return Err(Broken::Slow) };
        let Some(chunk) = chunk else { break };
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
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    Ok((size, entity::text::hex(&hash.finalize()), sniff(&head)))
}
