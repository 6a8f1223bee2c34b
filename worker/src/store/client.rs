//! How a bucket is spoken to.
//!
//! Invariant: neither a request nor the silence within an answer goes on for ever. What fails is tried again
//! by the store itself, which asks what kind of failure it was.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt;
use object_store::client::{
    ClientConfigKey, ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind,
    HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody, HttpService,
};
use tower_http::timeout::TimeoutBody;

/// How long a request, some MiB of it at most, and the head of its answer may take.
const ANSWERED: Duration = Duration::from_mins(1);

/// How long an answer may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// Makes clients.
#[derive(Debug)]
pub struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let broken = |error: tokio_rustls::rustls::Error| object_store::Error::Generic {
            store: "S3",
            source: error.into(),
        };
        let allows_http = options.get_config_value(&ClientConfigKey::AllowHttp);
        let allows_http = allows_http.is_some_and(|value| value == "true");
        let client = crate::http::client(allows_http).map_err(broken)?;
        Ok(HttpClient::new(Service(client)))
    }
}

#[derive(Debug)]
struct Service(crate::http::HttpClient<HttpRequestBody>);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answered = tokio::time::timeout(ANSWERED, self.0.request(request)).await;
        let answered = answered.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?;
        let (head, body) = answered
            .map_err(|error| match error.is_connect() {
                true => HttpError::new(HttpErrorKind::Connect, error),
                false => HttpError::new(HttpErrorKind::Interrupted, error),
            })?
            .into_parts();
        let body = TimeoutBody::new(SILENCE, body)
            .map_err(|error| HttpError::new_boxed(HttpErrorKind::Interrupted, error));
        Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body)))
    }
}
