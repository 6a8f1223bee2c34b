//! Files over HTTP: in and out as streams, by signed links.
//!
//! ```text
//! POST /files?name=…          a file to import               PUT /files/upload/{link}   what `createUpload` promised
//! GET  /files/{link}          what `downloadLink` names: a version of a document, or what a job has left
//! GET  /statements/{token}    a statement of account, for the customer who got the link
//! ```
//!
//! Invariant: no file is ever whole in memory, and who uses a link may do so at the time of use: the link
//! says who it was made for, and their rights are looked up anew; one of a customer opens nothing else.

mod download;
mod import;
pub mod link;
mod outgoing;
mod range;
mod receive;
mod sniff;
mod statement;
mod upload;

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use entity::access::{Viewer, user};
use object_store::ObjectStore;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::context::Shared;
use crate::http::errors::Code;
use crate::http::failure::Failure;
use crate::http::request::RequestId;
use crate::pages::Pages;
use link::{Link, Purpose};

/// How many files come in at once. Each holds some parts of a file in memory, 25 MiB at most.
const AT_ONCE: usize = 16;

/// What moving files needs.
#[derive(Clone)]
pub struct Files {
    /// What the process has.
    pub shared: Shared,
    /// Where the bytes are.
    pub store: Arc<dyn ObjectStore>,
    /// What customers see at links.
    pages: Pages,
    places: Arc<Semaphore>,
}

impl Files {
    /// Files of the process in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, pages: Pages) -> Self {
        let shared = pages.shared.clone();
        Self { shared, store, pages, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// A place among those who send files, or the advice to come back.
    fn place(&self) -> Result<SemaphorePermit<'_>, Failure> {
        let place = self.places.try_acquire();
        place.map_err(|_| Failure::overloaded(Duration::from_secs(2)).closing())
    }

    /// What a link of ours means, if it is for one of `purposes`, and for whom, with the rights that they have
    /// now.
    async fn follow(
        &self,
        purposes: &[Purpose],
        text: &str,
        request: &RequestId,
    ) -> Result<((Purpose, Link), Viewer), Failure> {
        let opened = self.shared.links.open(text);
        let opened = opened.filter(|(purpose, _)| purposes.contains(purpose));
        let (purpose, link) = opened.ok_or_else(not_found)?;
        let now = self.shared.clock.now();
        if link.expires_at <= now {
            let message = "The link has expired; ask for a fresh one.";
            return Err(Failure::new(StatusCode::GONE, Code::NotFound, message));
        }
        let viewer = user::viewer(self.shared.db.reader(), link.user, now).await;
        match viewer.map_err(|error| fault(&error, request))? {
            Some(viewer) => Ok(((purpose, link), viewer)),
            None => Err(not_found()),
        }
    }
}

/// The routes.
pub fn router(files: Files) -> Router {
    Router::new()
        .route("/files", post(import::import))
        .route("/files/upload/{link}", put(upload::upload))
        .route("/files/{link}", get(download::download))
        .route("/statements/{token}", get(statement::open))
        .with_state(files)
}

/// The answer to a link that is not ours, or that leads to nothing (any more).
fn not_found() -> Failure {
    let message = "There is nothing at this link; ask for a fresh one.";
    Failure::new(StatusCode::NOT_FOUND, Code::NotFound, message)
}

/// The answer while the file store does not do what it should: it may by the next attempt.
fn out_of_reach(error: &object_store::Error, request: &RequestId) -> Failure {
    tracing::error!(%error, request_id = request.as_str(), "the file store failed");
    let message = "Files are out of reach at the moment. Try again in a while.";
    Failure::unavailable(message, Duration::from_secs(5))
}

/// The answer to what failed on the way: the database may be busy, the rest is a fault of the server.
fn fault(error: &(dyn std::error::Error + 'static), request: &RequestId) -> Failure {
    let causes = iter::successors(Some(error), |error| error.source());
    let is_busy = causes.filter_map(|cause| cause.downcast_ref()).any(entity::db::is_busy);
    let error = worker::relay::chain(error);
    if is_busy {
        tracing::warn!(error, request_id = request.as_str(), "the database is busy");
        return Failure::overloaded(Duration::from_secs(1));
    }
    tracing::error!(error, request_id = request.as_str(), "a file could not be moved");
    Failure::internal(request)
}
