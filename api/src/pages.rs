//! Pages that customers see who open a link of a message, without logging in: written here, and without any script.

use axum::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use entity::access::organisation;
use worker::document::{DocumentError, Page, Party};

use crate::context::Shared;
use crate::http::budget::Budget;
use crate::http::failure::Failure;
use crate::http::request::{Peer, RequestId};

/// What a request costs of what an address may ask for in a minute.
const COST: usize = 10;

/// What is kept of an answer, and by whom: others may use the machine.
pub const KEPT: &str = "private, no-store";

/// What a page may do: show itself, and be answered.
const PLAIN: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; \
                     frame-ancestors 'none'";

/// How many languages of a reader are looked at.
const MOST_LANGUAGES: usize = 10;

/// What pages need.
#[derive(Clone)]
pub struct Pages {
    /// What the process has.
    pub shared: Shared,
    /// What each address may ask for without logging in.
    pub budget: Budget,
}

impl Pages {
    /// Takes what a request costs.
    ///
    /// # Errors
    /// When the address has asked for too much.
    pub fn charge(&self, peer: Peer) -> Result<(), Failure> {
        let meter = self.budget.meter(None, peer);
        let charged = meter.charge(COST);
        charged.map_err(|refused| Failure::rate_limited(refused.message, meter.wait()))
    }

    /// A page for a link that leads to nothing, in the language of whose link it was, or else of who reads it.
    pub async fn nothing(
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
        let mut response = shown(status, written, request);
        if page == Page::Away {
            response.headers_mut().insert(RETRY_AFTER, 5.into());
        }
        response
    }
}

/// A page that was written, as an answer.
pub fn shown(
    status: StatusCode,
    written: Result<String, DocumentError>,
    request: &RequestId,
) -> Response {
    let html = match written {
        Ok(html) => html,
        Err(error) => {
            let error = worker::relay::chain(&error);
            tracing::error!(error, request_id = request.as_str(), "a page could not be written");
            return Failure::internal(request).into_response();
        }
    };
    let about: [(HeaderName, &str); 3] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, KEPT),
        (CONTENT_SECURITY_POLICY, PLAIN),
    ];
    (status, about, html).into_response()
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
