//! `GET /statements/{token}`: a statement of account, for the customer who got the link by mail.
//!
//! Invariant: a link opens the one statement that it was signed for, byte for byte as it is kept, and nothing once its time
//! is over or the customer is anonymised.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use entity::access::organisation;
use entity::finance::statement;
use worker::document::{Page, Party};
use worker::link::statement::StatementLink;

use super::download::given;
use super::{Files, fault};
use crate::http::failure::Failure;
use crate::http::request::{Peer, RequestId};

/// What a request costs of what an address may ask for in a minute.
const COST: usize = 10;

/// What is kept of an answer, and by whom: others may use the machine.
const KEPT: &str = "private, no-store";

/// What a page may do: show itself.
const PLAIN: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                     frame-ancestors 'none'";

/// How many languages of a reader are looked at.
const MOST_LANGUAGES: usize = 10;

pub(super) async fn open(
    State(files): State<Files>,
    Path(token): Path<String>,
    Extension(request): Extension<RequestId>,
    Extension(peer): Extension<Peer>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let meter = files.budget.meter(None, peer);
    if let Err(refused) = meter.charge(COST) {
        return Failure::rate_limited(refused.message, meter.wait()).into_response();
    }
    let opened = files.statement(&token, (&method, &headers), &request).await;
    let (page, language) = match opened {
        Ok(Opened::File(response)) => return response,
        Ok(Opened::Nothing) => (Page::Unknown, None),
        Ok(Opened::Expired(language)) => (Page::Expired, Some(language)),
        Err(failure) if failure.status().is_server_error() => (Page::Away, None),
        Err(failure) => return failure.into_response(),
    };
    files.page(page, language.as_deref(), &headers, &request).await
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

    /// A page in the language of whose link it was, or else of who reads it.
    async fn page(
        &self,
        page: Page,
        language: Option<&str>,
        headers: &HeaderMap,
        request: &RequestId,
    ) -> Response {
        let status = match page {
            Page::Unknown => StatusCode::NOT_FOUND,
            Page::Expired => StatusCode::GONE,
            Page::Away => StatusCode::SERVICE_UNAVAILABLE,
        };
        let organisation = match page {
            Page::Away => None,
            _ => organisation::get(self.shared.db.reader()).await.ok().map(Party::from),
        };
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let languages: Vec<_> =
            language.into_iter().chain(accepted.map(languages).into_iter().flatten()).collect();
        let written = self.shared.words.page(page, &languages, organisation.as_ref());
        let html = match written {
            Ok(html) => html,
            Err(error) => return fault(&error, request).into_response(),
        };
        let about: [(HeaderName, &str); 3] = [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CACHE_CONTROL, KEPT),
            (CONTENT_SECURITY_POLICY, PLAIN),
        ];
        let mut response = (status, about, html).into_response();
        if page == Page::Away {
            response.headers_mut().insert(RETRY_AFTER, 5.into());
        }
        response
    }
}

/// The tags of `Accept-Language`, as browsers order them.
fn languages(accepted: &str) -> impl Iterator<Item = &str> {
    let tags = accepted.split(',').filter_map(|part| part.split(';').next());
    tags.map(str::trim).take(MOST_LANGUAGES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_come_as_browsers_order_them() {
        let tags = |accepted| languages(accepted).collect::<Vec<_>>();
        assert_eq!(tags("vi-VN,vi;q=0.9, en-US;q=0.8"), ["vi-VN", "vi", "en-US"]);
        assert_eq!(tags(&"x,".repeat(500)).len(), MOST_LANGUAGES);
    }
}
