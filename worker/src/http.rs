//! The client of hosts that whoever runs Rapport has named: HTTP/1.1 over connections that are kept, with the certificates
//! that browsers trust. Addresses that users type in are for `webhook`, which judges them.

use std::time::Duration;

use hyper::body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::ring;

/// How long connecting may take.
const CONNECTED: Duration = Duration::from_secs(5);

/// How long a connection is kept that nobody uses.
const KEPT: Duration = Duration::from_secs(30);

/// A client, with a pool of connections of its own.
pub type HttpClient<B> = Client<HttpsConnector<HttpConnector>, B>;

/// A client that speaks HTTPS, and HTTP too if `allows_http`.
///
/// # Errors
/// When the certificates cannot be used.
pub fn client<B>(allows_http: bool) -> Result<HttpClient<B>, rustls::Error>
where
    B: Body + Send,
    B::Data: Send,
{
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECTED));
    let tls =
        HttpsConnectorBuilder::new().with_provider_and_webpki_roots(ring::default_provider())?;
    let tls = match allows_http {
        true => tls.https_or_http(),
        false => tls.https_only(),
    };
    Ok(Client::builder(TokioExecutor::new())
        .pool_idle_timeout(KEPT)
        .pool_timer(TokioTimer::new())
        .build(tls.enable_http1().wrap_connector(tcp)))
}
