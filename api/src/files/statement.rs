//! `GET /statements/{token}`: a statement of account, for the customer who got the link by mail.
//!
//! Invariant: a link opens the one statement that it was signed for, byte for byte as it is kept, and nothing once its time
//! is over or the customer is anonymised.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use entity::finance::statement;
use worker::document::Page;
use worker::link::statement::StatementLink;

use super::download::given;
use super::{Files, fault};
use crate::http::failure::Failure;
use crate::http::request::{Peer, RequestId};
use crate::pages::KEPT;

pub(super) async fn open(
    State(files): State<Files>,
    Path(token): Path<String>,
    Extension(request): Extension<RequestId>,
    Extension(peer): Extension<Peer>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = files.pages.charge(peer) {
        return refused.into_response();
    }
    let opened = files.statement(&token, (&method, &headers), &request).await;
    let (page, language) = match opened {
        Ok(Opened::File(response)) => return response,
        Ok(Opened::Nothing) => (Page::Unknown, None),
        Ok(Opened::Expired(language)) => (Page::Expired, Some(language)),
        Err(failure) if failure.status().is_server_error() => (Page::Away, None),
        Err(failure) => return failure.into_response(),
    };
    files.pages.nothing(page, language.as_deref(), &headers, &request).await
}

/// What is at a link.
enum Opened {
    /// The statement.
    File(Response),
    /// Nothing.
    Nothing,
    /// A statement that it does not open any more, whose reader has this language.
    Expired(String),
}

impl Files {
    async fn statement(
        &self,
        token: &str,
        asked: (&Method, &HeaderMap),
        request: &RequestId,
    ) -> Result<Opened, Failure> {
        let Some(link) = StatementLink::open(&self.shared.customer_links, token) else {
            return Ok(Opened::Nothing);
        };
        let found = statement::opened(self.shared.db.reader(), link.statement).await;
        let Some((file, language)) = found.map_err(|error| fault(&error, request))? else {
            return Ok(Opened::Nothing);
        };
        if link.expires_at <= self.shared.clock.now() {
            return Ok(Opened::Expired(language));
        }
        given(&*self.store, file.into(), KEPT, asked, request).await.map(Opened::File)
    }
}
