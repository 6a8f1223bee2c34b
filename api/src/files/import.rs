//! `POST /files?name=…`: stores a file to import, and answers with the id to name in a mutation.
//!
//! Invariant: the row is written when all of the body is there.

use std::sync::Arc;

use async_graphql::ID;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use entity::access::audit::Origin;
use entity::access::{Actor, Permission};
use entity::collaboration::file;
use entity::id::{FileId, Id};
use futures::FutureExt;
use serde::{Deserialize, Serialize};

use super::receive::{Pace, receive};
use super::{Files, fault};
use crate::http::errors::Code;
use crate::http::failure::Failure;
use crate::http::request::RequestId;
use crate::serve::viewer;

/// The largest file to import, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

#[derive(Deserialize)]
pub(super) struct Params {
    name: Option<String>,
}

#[derive(Serialize)]
struct Uploaded {
    id: ID,
    size: i64,
    sha256: String,
}

pub(super) async fn import(
    State(files): State<Files>,
    Query(params): Query<Params>,
    Extension(request): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let Some(viewer) = viewer(&files.shared, &headers).await? else {
        return Err(Failure::unauthenticated(
            "Send `Authorization: Bearer` with the token from `login`.",
        ));
    };
    if !viewer.may(Permission::Import) {
        let message = "Your role does not allow uploads.";
        return Err(Failure::new(StatusCode::FORBIDDEN, Code::Forbidden, message));
    }
    let _place = files.place()?;
    let now = files.shared.clock.now();
    let id = FileId::new(now);
    let stored =
        receive(Arc::clone(&files.store), id, body, (LARGEST, Pace::default()), &request).await?;
    let name = params.name.unwrap_or_default();
    let actor = Actor::from(&viewer);
    let origin = Origin::new(actor, now).in_request(request.as_str());
    let written = files.shared.db.write_as(&origin, |txn| {
        let (stored, name) = (stored.clone(), name.clone());
        async move { file::create(txn, stored, &name, None, actor, now).await }.boxed()
    });
    let file = written.await.map_err(|error| fault(&error, &request))?;
    let uploaded = Uploaded { id: ID(id.global()), size: file.size, sha256: file.sha256 };
    Ok((StatusCode::CREATED, Json(uploaded)).into_response())
}
