//! A request that was refused before GraphQL saw it, as an HTTP answer with a GraphQL error in it.

use std::time::Duration;

use async_graphql::ServerError;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::errors::{Code, error, fault};
use super::negotiate::Media;
use super::request::RequestId;

/// A refusal with its status, its code and the headers that belong to it.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    code: Code,
    headers: HeaderMap,
    error: Box<ServerError>,
    media: Media,
}

impl Failure {
    /// A refusal that says what to do.
    #[must_use]
    pub fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            headers: HeaderMap::new(),
            error: Box::new(error(code, message)),
            media: Media::Json,
        }
    }

    /// 400: not a GraphQL request.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::BadRequest, message)
    }

    /// 401: the caller has to say who they are.
    #[must_use]
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Code::Unauthenticated, message)
            .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 429: too many attempts; try again later.
    #[must_use]
    pub fn rate_limited(message: impl Into<String>, after: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, message).retry_after(after)
    }

    /// 503: there is more to do than the server can, or something it needs is away.
    #[must_use]
    pub fn overloaded(after: Duration) -> Self {
        Self::unavailable("The server is busy. Try again in a moment.", after)
    }

    /// 503: something that the server needs is away; says what.
    #[must_use]
    pub fn unavailable(message: impl Into<String>, after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded, message).retry_after(after)
    }

    /// 503: the answer took longer than allowed.
    #[must_use]
    pub fn timeout() -> Self {
        let message = "The answer took too long. Ask for less, or try again; a change may have been \
                       made all the same.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Timeout, message)
    }

    /// 500: our fault, found in the log by its id.
    #[must_use]
    pub fn internal(request_id: &RequestId) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let error = Box::new(fault(request_id));
        let code = Code::Internal;
        Self { status, code, headers: HeaderMap::new(), error, media: Media::Json }
    }

    /// 405, with the methods that would do.
    #[must_use]
    pub fn method(allow: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, Code::MethodNotAllowed, message)
            .header(ALLOW, HeaderValue::from_static(allow))
    }

    /// What kind of refusal it is.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What it says.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.error.message
    }

    /// The error by itself, for a transport without statuses and headers.
    #[must_use]
    pub fn into_error(self) -> ServerError {
        *self.error
    }

    /// The same refusal for a body that was not read to its end: what follows on the connection
    /// is not a request.
    #[must_use]
    pub fn closing(self) -> Self {
        self.header(CONNECTION, HeaderValue::from_static("close"))
    }

    /// The same refusal in the form that the client accepts.
    #[must_use]
    pub fn in_media(self, media: Media) -> Self {
        Self { media, ..self }
    }

    /// The same refusal of a request that should have been for a WebSocket.
    #[must_use]
    pub fn upgrading(self) -> Self {
        self.header(UPGRADE, HeaderValue::from_static("websocket"))
    }

    fn retry_after(self, after: Duration) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)))
    }

    fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "errors": [self.error] }).to_string();
        let mut response = (self.status, body).into_response();
        response.headers_mut().extend(self.headers);
        response.headers_mut().insert(CONTENT_TYPE, self.media.content_type());
        response
    }
}
