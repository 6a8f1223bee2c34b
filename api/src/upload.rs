//! `POST /files?name=…`: stores the body, and answers with the id to name in a mutation.
//!
//! Invariant: the body goes to the store as it comes in, never whole into memory; the row is written
//! when all of it is there.

use std::sync::Arc;

use async_graphql::ID;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use entity::access::audit::Origin;
use entity::access::{Actor, Permission};
use entity::collaboration::file;
use entity::id::{FileId, Id};
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::context::Shared;
use crate::http::errors::Code;
use crate::http::failure::Failure;
use crate::http::request::RequestId;
use crate::serve::viewer;

/// The largest file, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What uploading needs.
#[derive(Clone)]
pub struct Uploads {
    /// What the process has.
    pub shared: Shared,
    /// Where the bytes go.
    pub files: Arc<dyn ObjectStore>,
}

#[derive(Deserialize)]
struct Params {
    name: Option<String>,
}

#[derive(Serialize)]
struct Uploaded {
    id: ID,
    size: i64,
    sha256: String,
}

/// The route `/files`.
pub fn router(uploads: Uploads) -> Router {
    Router::new().route("/files", post(upload)).with_state(uploads)
}

async fn upload(
    State(uploads): State<Uploads>,
    Query(params): Query<Params>,
    Extension(request): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let Some(viewer) = viewer(&uploads.shared, &headers).await? else {
        return Err(Failure::unauthenticated(
            "Send `Authorization: Bearer` with the token from `login`.",
        ));
    };
    if !viewer.may(Permission::Import) {
        let message = "Your role does not allow uploads.";
        return Err(Failure::new(StatusCode::FORBIDDEN, Code::Forbidden, message));
    }
    let now = uploads.shared.clock.now();
    let id = FileId::new(now);
    let (size, sha256) = store(&uploads, id, body, &request).await?;
    let name = params.name.unwrap_or_else(|| "upload".to_owned());
    let hash = sha256.clone();
    let actor = Actor::from(&viewer);
    let origin = Origin::new(actor, now).in_request(request.as_str());
    let written = uploads.shared.db.write_as(&origin, move |txn| {
        let (name, hash) = (name.clone(), hash.clone());
        async move { file::create(txn, id, &name, size, hash, actor, now).await }.boxed()
    });
    written.await.map_err(|error| fault(&error, &request))?;
    let uploaded = Uploaded { id: ID(id.global()), size, sha256 };
    Ok((StatusCode::CREATED, Json(uploaded)).into_response())
}

async fn store(
    uploads: &Uploads,
    id: FileId,
    body: Body,
    request: &RequestId,
) -> Result<(i64, String), Failure> {
    let key = Path::from(file::storage_key(id));
    let upload = uploads.files.put_multipart(&key).await.map_err(|error| fault(&error, request))?;
    let mut upload = WriteMultipart::new(upload);
    let (mut size, mut hash) = (0_u64, Sha256::new());
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else {
            drop(upload.abort().await);
            return Err(Failure::bad_request("The body ended too early; send it again."));
        };
        size += chunk.len() as u64;
        if size > LARGEST {
            drop(upload.abort().await);
            let message = format!("A file has at most {LARGEST} bytes; split it.");
            let refused =
                Failure::new(StatusCode::PAYLOAD_TOO_LARGE, Code::PayloadTooLarge, message);
            return Err(refused.closing());
        }
        hash.update(&chunk);
        upload.wait_for_capacity(4).await.map_err(|error| fault(&error, request))?;
        upload.write(&chunk);
    }
    upload.finish().await.map_err(|error| fault(&error, request))?;
    Ok((i64::try_from(size).unwrap_or(i64::MAX), entity::text::hex(&hash.finalize())))
}

fn fault(error: &dyn std::error::Error, request: &RequestId) -> Failure {
    tracing::error!(%error, request_id = request.as_str(), "an upload failed");
    Failure::internal(request)
}
