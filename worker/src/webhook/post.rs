//! One POST to an address that somebody has typed in.
//!
//! Invariant: the connection goes to the very address that was judged, so a name that answers differently
//! the second time gains nothing. Nothing is followed, nothing of the answer but its head is read, of which
//! only the status is kept, and all of it ends in time.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
use url::{Host, Url};

use super::address::is_public;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many bytes the head of an answer may have.
const LONGEST_HEAD: usize = 64 * 1024;

/// What tells the addresses of a host's name at a port.
type Resolve =
    dyn Fn(String, u16) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> + Send + Sync;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The address is not one that can be posted to.
    #[error("the address is not valid")]
    Address,
    /// The name does not exist, or nobody could tell.
    #[error("the host's address could not be found")]
    Unknown,
    /// Nothing is sent inside.
    #[error("the host's address is a private one, where nothing is sent")]
    Private,
    /// Nobody is there.
    #[error("the host could not be connected to")]
    Unreachable(#[source] std::io::Error),
    /// It cannot prove who it is, or speaks no TLS.
    #[error("the host has no valid certificate")]
    Untrusted(#[source] std::io::Error),
    /// It does not speak HTTP.
    #[error("the endpoint gave no answer")]
    Http(#[from] hyper::Error),
    /// It is too slow.
    #[error("the endpoint gave no answer within 5 seconds")]
    Late,
}

/// Posts webhooks.
#[derive(Clone)]
pub struct Post {
    tls: Option<TlsConnector>,
    allowed: Arc<[IpAddr]>,
    resolve: Arc<Resolve>,
}

impl Post {
    /// Posts to public addresses, and to those `allowed` although they are not.
    #[must_use]
    pub fn new(allowed: &[IpAddr]) -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map(|config| config.with_root_certificates(roots).with_no_client_auth());
        let tls = config.ok().map(|config| TlsConnector::from(Arc::new(config)));
        let resolve = |name: String, port| {
            async move { Ok(tokio::net::lookup_host((name, port)).await?.collect()) }.boxed()
        };
        Self { tls, allowed: allowed.into(), resolve: Arc::new(resolve) }
    }

    /// Posts JSON; gives the answer's status.
    ///
    /// # Errors
    /// [`PostError`] when there is no answer.
    pub async fn post(
        &self,
        url: &str,
        headers: [(&'static str, String); 3],
        body: String,
    ) -> Result<u16, PostError> {
        let url = Url::parse(url).map_err(|_| PostError::Address)?;
        let posted = self.exchange(&url, headers, body);
        tokio::time::timeout(PATIENCE, posted).await.unwrap_or(Err(PostError::Late))
    }

    async fn exchange(
        &self,
        url: &Url,
        headers: [(&'static str, String); 3],
        body: String,
    ) -> Result<u16, PostError> {
        let mut request = Request::post(&url[url::Position::BeforePath..url::Position::AfterQuery])
            .header(HOST, &url[url::Position::BeforeHost..url::Position::AfterPort])
            .header(USER_AGENT, concat!("Rapport/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|_| PostError::Address)?;
        let tcp = self.connect(url).await?;
        let response = if url.scheme() == "https" {
            let name = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
            let name = ServerName::try_from(name).map_err(|_| PostError::Address)?;
            let tls = self.tls.as_ref().ok_or(PostError::Address)?;
            send(tls.connect(name, tcp).await.map_err(PostError::Untrusted)?, request).await?
        } else {
            send(tcp, request).await?
        };
        Ok(response.status().as_u16())
    }

    /// Connects to the host, all of whose addresses have to be allowed.
    async fn connect(&self, url: &Url) -> Result<TcpStream, PostError> {
        let port = url.port_or_known_default().ok_or(PostError::Address)?;
        let addresses: Vec<SocketAddr> = match url.host().ok_or(PostError::Address)? {
            Host::Ipv4(ip) => vec![(ip, port).into()],
            Host::Ipv6(ip) => vec![(ip, port).into()],
            Host::Domain(name) => {
                (self.resolve)(name.to_owned(), port).await.map_err(|_| PostError::Unknown)?
            }
        };
        if addresses.is_empty() {
            return Err(PostError::Unknown);
        }
        let is_allowed = |ip: IpAddr| is_public(ip) || self.allowed.contains(&ip);
        if !addresses.iter().all(|address| is_allowed(address.ip())) {
            return Err(PostError::Private);
        }
        let tcp = TcpStream::connect(&*addresses).await.map_err(PostError::Unreachable)?;
        tcp.set_nodelay(true).map_err(PostError::Unreachable)?;
        Ok(tcp)
    }
}

/// Sends a request and waits for the head of the answer; the connection ends with it.
async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, PostError> {
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(LONGEST_HEAD)
        .handshake(TokioIo::new(stream))
        .await?;
    let mut connection = std::pin::pin!(connection);
    let mut answered = std::pin::pin!(sender.send_request(request));
    tokio::select! {
        response = &mut answered => Ok(response?),
        ended = &mut connection => {
            ended?;
            Ok(answered.await?)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Mutex;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    async fn posted(post: &Post, url: &str) -> Result<u16, PostError> {
        let headers = [("a", String::new()), ("b", String::new()), ("c", String::new())];
        post.post(url, headers, String::new()).await
    }

    async fn refused(url: &str) -> PostError {
        posted(&Post::new(&[]), url).await.unwrap_err()
    }

    /// A host that answers each request with `head`, and `more` again and again without an end.
    async fn host(head: &'static str, more: &'static str) -> SocketAddr {
        let listener = TcpListener::bind((HERE, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let mut sent = stream.write_all(head.as_bytes()).await;
                while sent.is_ok() && !more.is_empty() {
                    sent = stream.write_all(more.as_bytes()).await;
                }
                if head.is_empty() {
                    std::future::pending::<()>().await;
                }
            }
        });
        address
    }

    #[tokio::test]
    async fn a_head_without_an_end_is_given_up_and_a_body_is_not_read() {
        let post = Post::new(&[HERE]);
        let heads = host("HTTP/1.1 200 OK\r\n", "x-more: and more and more and more\r\n").await;
        let error = posted(&post, &format!("http://{heads}/")).await.unwrap_err();
        assert!(matches!(error, PostError::Http(_)), "{error:?}");
        assert_eq!(error.to_string(), "the endpoint gave no answer", "what it wrote is not told");
        let bodies = host("HTTP/1.1 200 OK\r\n\r\n", "a secret of the inside ").await;
        assert_eq!(posted(&post, &format!("http://{bodies}/")).await.unwrap(), 200);
    }

    #[tokio::test]
    async fn an_answer_comes_within_five_seconds_or_not_at_all() {
        let silent = host("", "").await;
        let started = tokio::time::Instant::now();
        let error = posted(&Post::new(&[HERE]), &format!("http://{silent}/")).await.unwrap_err();
        assert!(matches!(error, PostError::Late), "{error:?}");
        assert!(started.elapsed() < PATIENCE * 4);
    }

    #[tokio::test]
    async fn a_name_is_asked_once_and_all_that_it_says_is_judged() {
        let outside = host("HTTP/1.1 204 No Content\r\n\r\n", "").await;
        let inside = SocketAddr::from(([127, 0, 0, 2], outside.port()));
        let answers =
            Arc::new(Mutex::new(vec![vec![outside, inside], vec![inside], vec![outside]]));
        let left = Arc::clone(&answers);
        let resolve = move |_, _| {
            let answer = left.lock().unwrap().pop().unwrap_or_default();
            std::future::ready(Ok(answer)).boxed()
        };
        let post = Post { resolve: Arc::new(resolve), ..Post::new(&[HERE]) };
        let url = format!("http://rebinding.example:{}/", outside.port());
        assert_eq!(posted(&post, &url).await.unwrap(), 204, "judged and connected to");
        assert_eq!(answers.lock().unwrap().len(), 2, "nobody asked a second time");
        assert!(matches!(posted(&post, &url).await, Err(PostError::Private)), "it points inside");
        assert!(matches!(posted(&post, &url).await, Err(PostError::Private)), "one of two does");
        assert!(matches!(posted(&post, &url).await, Err(PostError::Unknown)));
    }

    #[tokio::test]
    async fn an_inside_address_is_refused_however_it_is_written() {
        let written = [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://0/",
            "http://localhost:6379/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://10.1.2.3/",
            "http://192.168.0.1/",
            "http://[fd00:ec2::254]/",
            "http://[fe80::1]/",
            "https://127.0.0.1/",
            "http://127.0.0.1.:80/",
        ];
        for url in written {
            assert!(matches!(refused(url).await, PostError::Private), "{url}");
        }
    }

    #[tokio::test]
    async fn other_schemes_are_no_addresses() {
        for url in ["file:///etc/passwd", "gopher://127.0.0.1:70/", "x", "http://"] {
            let error = refused(url).await;
            assert!(matches!(error, PostError::Address | PostError::Private), "{url}: {error}");
        }
    }
}
