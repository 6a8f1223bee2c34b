//! How a bucket is spoken to: HTTP/1.1 over connections that are kept, with the certificates that browsers
//! trust.
//!
//! Invariant: neither a request nor the silence within an answer goes on for ever. What fails is tried again
//! by the store itself, which asks what kind of failure it was.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::client::{
    ClientConfigKey, ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind,
    HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody, HttpService,
};
use tokio_rustls::rustls::crypto::ring;
use tower_http::timeout::TimeoutBody;

/// How long connecting may take.
const CONNECTED: Duration = Duration::from_secs(5);

/// How long a request, some MiB of it at most, and the head of its answer may take.
const ANSWERED: Duration = Duration::from_mins(1);

/// How long an answer may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// How long a connection is kept that nobody uses.
const KEPT: Duration = Duration::from_secs(30);

/// Makes clients.
#[derive(Debug)]
pub struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let broken = |error: tokio_rustls::rustls::Error| object_store::Error::Generic {
            store: "S3",
            source: error.into(),
        };
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECTED));
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(ring::default_provider())
            .map_err(broken)?;
        let allows_http = options.get_config_value(&ClientConfigKey::AllowHttp);
        let tls = match allows_http.is_some_and(|value| value == "true") {
            true => tls.https_or_http(),
            false => tls.https_only(),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(KEPT)
            .pool_timer(TokioTimer::new())
            .build(tls.enable_http1().wrap_connector(tcp));
        Ok(HttpClient::new(Service(client)))
    }
}

#[derive(Debug)]
struct Service(Client<HttpsConnector<Tcp>, HttpRequestBody>);

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
