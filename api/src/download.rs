//! `GET /jobs/{id}/result`: the file that a job has left, for who asked for it, while it is kept.
//!
//! Invariant: a job of somebody else, one without a file and one that does not exist have one answer; and
//! the file goes out as it comes from the store, never whole into memory.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use entity::collaboration::export;
use entity::id::{Id, JobId};
use object_store::{ObjectStore, ObjectStoreExt};

use crate::context::Shared;
use crate::http::errors::Code;
use crate::http::failure::Failure;
use crate::http::request::RequestId;
use crate::serve::viewer;

/// What fetching needs.
#[derive(Clone)]
pub struct Downloads {
    /// What the process has.
    pub shared: Shared,
    /// Where the bytes are.
    pub files: Arc<dyn ObjectStore>,
}

/// The route `/jobs/{id}/result`.
pub fn router(downloads: Downloads) -> Router {
    Router::new().route("/jobs/{id}/result", get(result)).with_state(downloads)
}

async fn result(
    State(downloads): State<Downloads>,
    Path(id): Path<String>,
    Extension(request): Extension<RequestId>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let Downloads { shared, files } = downloads;
    let Some(viewer) = viewer(&shared, &headers).await? else {
        return Err(Failure::unauthenticated(
            "Send `Authorization: Bearer` with the token from `login`.",
        ));
    };
    let nothing = || {
        let message = "There is no such file: the job has left none, or it is somebody else's, or the file has expired.";
        Failure::new(StatusCode::NOT_FOUND, Code::NotFound, message)
    };
    let id = JobId::parse(&id).ok_or_else(nothing)?;
    let file = export::result(shared.db.reader(), id, &viewer, shared.clock.now()).await;
    let file = file.map_err(|error| fault(&error, &request))?.ok_or_else(nothing)?;
    let stored = match files.get(&object_store::path::Path::from(file.storage_key)).await {
        Ok(stored) => stored,
        Err(object_store::Error::NotFound { .. }) => return Err(nothing()),
        Err(error) => return Err(fault(&error, &request)),
    };
    // The name is made of the list's name and the time, so it needs no quoting.
    let kind = HeaderValue::try_from(file.media_type);
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{}\"", file.name));
    let headers = [
        (header::CONTENT_TYPE, kind.map_err(|error| fault(&error, &request))?),
        (header::CONTENT_LENGTH, HeaderValue::from(file.size)),
        (header::CONTENT_DISPOSITION, disposition.map_err(|error| fault(&error, &request))?),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    ];
    Ok((headers, Body::from_stream(stored.into_stream())).into_response())
}

fn fault(error: &dyn std::error::Error, request: &RequestId) -> Failure {
    tracing::error!(%error, request_id = request.as_str(), "a download failed");
    Failure::internal(request)
}
