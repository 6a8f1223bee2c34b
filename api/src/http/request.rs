//! What every request gets: an id, a line in the access log, figures, and an answer even if its handler panics.
//!
//! Invariant: nothing of a request's query string, body or headers is logged, and the labels of the figures come from
//! fixed sets, so that no client can make new ones.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use entity::clock::Clock;
use futures::FutureExt;
use rand::RngExt;
use tracing::Instrument;
use uuid::Builder;

use super::failure::Failure;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Identifies one request in answers and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// For work that no request has started.
    #[must_use]
    pub fn unknown() -> Self {
        Self(Arc::from("-"))
    }

    /// The text of the header `x-request-id`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id that a proxy has given, if it is one that a log can hold; else a fresh one.
    fn of(headers: &HeaderMap, clock: &Clock) -> Self {
        let sane = |text: &&str| {
            (8..=64).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let given = headers.get(X_REQUEST_ID).and_then(|value| value.to_str().ok()).filter(sane);
        given.map_or_else(
            || {
                let millis = u64::try_from(clock.now().timestamp_millis()).unwrap_or_default();
                let id = Builder::from_unix_timestamp_millis(millis, &rand::rng().random());
                Self(id.into_uuid().to_string().into())
            },
            |given| Self(given.into()),
        )
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// How requests are observed.
#[derive(Clone, Debug)]
pub struct Observer {
    /// Dates the fresh request ids.
    pub clock: Clock,
    /// How many proxies of our own stand before the server. With none, `x-forwarded-for` is a
    /// client's invention and not read.
    pub proxies: usize,
}

impl Observer {
    /// The address of the client: the last one that our own outermost proxy has written down.
    fn peer(&self, request: &Request) -> Peer {
        let direct = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let direct = direct.map_or(IpAddr::from([0, 0, 0, 0]), |info| info.0.ip());
        if self.proxies == 0 {
            return Peer(direct);
        }
        let headers = request.headers().get_all(X_FORWARDED_FOR);
        let hops: Vec<_> = headers
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        let forwarded = hops.iter().rev().nth(self.proxies - 1);
        Peer(forwarded.and_then(|hop| hop.trim().parse().ok()).unwrap_or(direct))
    }
}

/// The outermost middleware: names the request, measures it, logs it, and turns a panic into `INTERNAL`.
pub async fn observe(
    State(observer): State<Observer>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers(), &observer.clock);
    let method = bounded(request.method());
    let path = request.extensions().get::<MatchedPath>();
    let route = path.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let peer = observer.peer(&request);
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(id.clone());

    let span = tracing::info_span!("request", request_id = %id);
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone());
    let mut response = answer.await.unwrap_or_else(|_| Failure::internal(&id).into_response());
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }

    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    let class = ["1xx", "2xx", "3xx", "4xx", "5xx"][usize::from(status / 100 % 6).clamp(1, 5) - 1];
    span.in_scope(|| {
        let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(method, route, status, ms, "answered");
    });
    let labels = [
        ("route", metrics::SharedString::from(route)),
        ("method", method.into()),
        ("status", class.into()),
    ];
    metrics::counter!("rapport_http_requests_total", &labels[..]).increment(1);
    metrics::histogram!("rapport_http_request_seconds", &labels[..]).record(elapsed.as_secs_f64());
    response
}

/// A client may invent methods, and every new one would be a time series.
fn bounded(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
