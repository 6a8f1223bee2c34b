//! Headers that every answer carries, and who may read answers across origins.
//!
//! Invariant: an answer without a content security policy of its own gets one that allows nothing.

use axum::extract::Request;
use axum::http::header::{
    AUTHORIZATION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::Response;
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

const NOTHING: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Adds what is missing; a handler's own headers stay.
pub async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, NOTHING),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// An origin in the configuration that is not one.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not an origin. Write it as `https://crm.example.com`, without a path; `*` and `null` are not possible"
)]
pub struct NotAnOrigin(String);

/// Lets the pages of exactly these origins use the API. With none there is no CORS at all. Browsers send
/// no credentials of their own along: the API knows bearer tokens only.
///
/// # Errors
/// [`NotAnOrigin`]
pub fn cors<'a>(
    origins: impl IntoIterator<Item = &'a str>,
) -> Result<Option<CorsLayer>, NotAnOrigin> {
    let exact: Vec<HeaderValue> = origins.into_iter().map(origin).collect::<Result<_, _>>()?;
    if exact.is_empty() {
        return Ok(None);
    }
    let x_request_id = HeaderName::from_static("x-request-id");
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(exact))
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, x_request_id.clone()])
        .expose_headers([x_request_id, RETRY_AFTER])
        .max_age(Duration::from_hours(1));
    Ok(Some(layer))
}

fn origin(text: &str) -> Result<HeaderValue, NotAnOrigin> {
    let refused = || NotAnOrigin(text.to_owned());
    let uri: Uri = text.parse().map_err(|_| refused())?;
    let exact = match (uri.scheme_str(), uri.authority()) {
        (Some(scheme @ ("https" | "http")), Some(authority)) => format!("{scheme}://{authority}"),
        _ => return Err(refused()),
    };
    if exact != text.to_ascii_lowercase() || exact.contains(['*', '@']) {
        return Err(refused());
    }
    HeaderValue::from_str(&exact).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_exact_or_refused() {
        for good in ["https://crm.example.com", "http://localhost:5173"] {
            assert!(origin(good).is_ok(), "{good}");
        }
        for bad in [
            "*",
            "null",
            "https://*.example.com",
            "https://a.example/x",
            "a.example",
            "https://u@a.example",
            "file://x",
            "",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
        assert!(cors([]).unwrap().is_none());
    }
}
