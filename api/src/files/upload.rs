//! `PUT /files/upload/{link}`: takes the file that `createUpload` promised.
//!
//! Invariant: a document or a version comes of it when the whole file is stored and is what was announced,
//! in one transaction; otherwise nothing does, and the link stays good for another attempt.

use std::sync::Arc;

use async_graphql::ID;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use entity::Error;
use entity::access::audit::Origin;
use entity::access::{AccessError, Actor};
use entity::collaboration::file::{self, storage_key};
use entity::collaboration::{CollaborationError, upload};
use entity::id::{FileId, Id, UploadId};
use futures::FutureExt;
use object_store::ObjectStoreExt;
use serde::Serialize;

use super::link::Purpose;
use super::receive::{Pace, receive, too_large};
use super::{Files, fault, not_found};
use crate::http::errors::Code;
use crate::http::failure::Failure;
use crate::http::request::RequestId;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Uploaded {
    document_id: Option<ID>,
    version_id: ID,
    number: i32,
    file_name: String,
    media_type: String,
    size: i64,
    sha256: String,
}

pub(super) async fn upload(
    State(files): State<Files>,
    Path(link): Path<String>,
    Extension(request): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let ((_, link), viewer) = files.follow(&[Purpose::Upload], &link, &request).await?;
    let upload = UploadId(link.id);
    let waiting = upload::waiting(files.shared.db.reader(), upload, &viewer).await;
    let waiting = waiting.map_err(|error| refusal(error, &request).closing())?;
    let announced = waiting.size.unsigned_abs();
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > announced) {
        return Err(too_large(announced));
    }
    let _place = files.place()?;
    let id = FileId::new(files.shared.clock.now());
    let stored =
        receive(Arc::clone(&files.store), id, body, (announced, Pace::default()), &request).await?;
    let unlike = match &waiting.sha256 {
        _ if stored.size != waiting.size => Some("size"),
        Some(hash) if *hash != stored.sha256 => Some("sha256"),
        _ => None,
    };
    if let Some(what) = unlike {
        discard(&files, id, None).await;
        let message = format!("The file has not the {what} that was announced; send it again.");
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, Code::BadRequest, message));
    }
    let now = files.shared.clock.now();
    let origin = Origin::new(Actor::from(&viewer), now).in_request(request.as_str());
    let finished = files.shared.db.write_as(&origin, |txn| {
        let (stored, viewer) = (stored.clone(), viewer.clone());
        async move { upload::finish(txn, upload, stored, &viewer, now).await }.boxed()
    });
    let file = match finished.await {
        Ok(file) => file,
        Err(error) => {
            // Whether a database that failed has committed is not known; then the bytes are left to the worker.
            if matches!(error, Error::Collaboration(_) | Error::Access(_)) {
                discard(&files, id, None).await;
            }
            return Err(refusal(error, &request));
        }
    };
    discard(&files, id, Some(&file)).await;
    files.shared.signal.raise();
    let uploaded = Uploaded {
        document_id: file.document_id.map(|id| ID(id.global())),
        version_id: ID(file.id.global()),
        number: file.number,
        file_name: file.name,
        media_type: file.media_type,
        size: file.size,
        sha256: file.sha256,
    };
    Ok((StatusCode::CREATED, Json(uploaded)).into_response())
}

/// Removes bytes that no row has: none came of them, or `file` has equal ones that were there already. What
/// cannot be removed now is an orphan, which the worker removes.
pub(super) async fn discard(files: &Files, id: FileId, file: Option<&file::Model>) {
    let key = storage_key(id);
    if file.is_none_or(|file| file.storage_key != key) {
        let removed = files.store.delete(&object_store::path::Path::from(key)).await;
        if let Err(error) = removed {
            tracing::warn!(%error, file = %id.0, "bytes without a row are left to the worker");
        }
    }
}

/// The answer to what the rules refuse.
fn refusal(error: Error, request: &RequestId) -> Failure {
    let refused = match error {
        Error::Collaboration(refused) => refused,
        Error::Access(AccessError::Forbidden) => {
            return Failure::new(StatusCode::FORBIDDEN, Code::Forbidden, error.to_string());
        }
        Error::NoSuch { .. } => return not_found(),
        _ => return fault(&error, request),
    };
    let (status, code) = match refused {
        CollaborationError::UploadUsed => (StatusCode::GONE, Code::NotFound),
        CollaborationError::TooManyDocuments(_)
        | CollaborationError::TooManyVersions(_)
        | CollaborationError::TooManyUploads(_) => (StatusCode::CONFLICT, Code::BadRequest),
        _ => return not_found(),
    };
    Failure::new(status, code, refused.to_string())
}
