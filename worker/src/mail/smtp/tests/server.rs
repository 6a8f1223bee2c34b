//! A mail server that does as the test says.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What the server does at one of the client's steps.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// As it should.
    Comply,
    /// Answers this.
    Say(&'static str),
    /// Answers this and hangs up.
    SayAndClose(&'static str),
    /// Hangs up without a word.
    Close,
    /// Reads on and says nothing.
    Silence,
    /// Neither reads nor says anything.
    Freeze,
}

/// When the server encrypts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tls {
    Never,
    /// When the client asks for it.
    Later,
    /// From the first byte.
    First,
}

/// Of the server, valid for 127.0.0.1, and its own authority.
pub(super) const CERTIFICATE: &[u8] = include_bytes!("localhost.crt");
const KEY: &[u8] = include_bytes!("localhost.key");

/// The steps: `connect`, a command's first word, `body` (after the go-ahead), `end` (after the dot) and
/// `idle` (after the answer to a mail).
pub(super) type Script = fn(step: &str, connection: usize) -> Act;

pub(super) struct Server {
    pub(super) port: u16,
    pub(super) log: Arc<Log>,
    task: JoinHandle<()>,
}

#[derive(Default)]
pub(super) struct Log {
    pub(super) connections: AtomicUsize,
    pub(super) open: AtomicUsize,
    pub(super) most_open: AtomicUsize,
    pub(super) commands: Mutex<Vec<String>>,
    pub(super) bodies: Mutex<Vec<Vec<u8>>>,
}

impl Log {
    pub(super) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    pub(super) fn count(&self, command: &str) -> usize {
        self.commands.lock().unwrap().iter().filter(|line| line.starts_with(command)).count()
    }
}

impl Server {
    pub(super) async fn start(script: Script) -> Self {
        Self::with("250-sink\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN", Tls::Never, script).await
    }

    /// A server that presents itself with `ehlo`.
    pub(super) async fn with(ehlo: &'static str, tls: Tls, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Log::default());
        let shared = log.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (log, number) = (shared.clone(), shared.connections.fetch_add(1, SeqCst) + 1);
                log.most_open.fetch_max(log.open.fetch_add(1, SeqCst) + 1, SeqCst);
                tokio::spawn(async move {
                    let client = Client { ehlo, log: &log, act: |step: &str| script(step, number) };
                    let _ = client.serve(stream, tls).await;
                    log.open.fetch_sub(1, SeqCst);
                });
            }
        });
        Self { port, log, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Client<'a, A> {
    ehlo: &'static str,
    log: &'a Log,
    act: A,
}

impl<A: Fn(&str) -> Act> Client<'_, A> {
    /// Serves a connection until one side hangs up, which is `Err`.
    async fn serve(&self, tcp: TcpStream, tls: Tls) -> Result<(), Gone> {
        if tls == Tls::First {
            return self.greet(&mut BufReader::new(acceptor().accept(tcp).await?)).await;
        }
        let mut plain = BufReader::new(tcp);
        self.greet(&mut plain).await?;
        let mut encrypted = BufReader::new(acceptor().accept(plain.into_inner()).await?);
        self.converse(&mut encrypted).await
    }

    async fn greet(
        &self,
        stream: &mut (impl AsyncBufRead + AsyncWrite + Unpin),
    ) -> Result<(), Gone> {
        answer(stream, (self.act)("connect"), "220 sink").await?;
        self.converse(stream).await
    }

    /// `Ok` when the client wants to encrypt.
    async fn converse(
        &self,
        stream: &mut (impl AsyncBufRead + AsyncWrite + Unpin),
    ) -> Result<(), Gone> {
        loop {
            let line = read_line(stream).await?;
            self.log.commands.lock().unwrap().push(line.trim_end().to_owned());
            let step = line.split([' ', '\r']).next().unwrap_or_default().to_owned();
            let act = (self.act)(&step);
            let usual = match step.as_str() {
                "EHLO" => self.ehlo,
                "AUTH" => "235 welcome",
                "DATA" => "354 go ahead",
                "QUIT" => "221 bye",
                _ => "250 2.0.0 ok",
            };
            answer(stream, act, usual).await?;
            match (step.as_str(), act) {
                ("STARTTLS", Act::Comply) => return Ok(()),
                ("DATA", Act::Comply) => self.take_mail(stream).await?,
                _ => {}
            }
        }
    }

    async fn take_mail(
        &self,
        stream: &mut (impl AsyncBufRead + AsyncWrite + Unpin),
    ) -> Result<(), Gone> {
        answer(stream, (self.act)("body"), "").await?;
        let body = read_body(stream).await?;
        self.log.bodies.lock().unwrap().push(body);
        answer(stream, (self.act)("end"), "250 2.0.0 queued as 4711").await?;
        answer(stream, (self.act)("idle"), "").await
    }
}

fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// The connection is closed.
pub(super) struct Gone;

impl From<std::io::Error> for Gone {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

async fn answer(
    stream: &mut (impl AsyncBufRead + AsyncWrite + Unpin),
    act: Act,
    usual: &str,
) -> Result<(), Gone> {
    let (text, close) = match act {
        Act::Comply => (usual, false),
        Act::Say(text) => (text, false),
        Act::SayAndClose(text) => (text, true),
        Act::Close => ("", true),
        Act::Silence => loop {
            read_line(stream).await?;
        },
        Act::Freeze => std::future::pending().await,
    };
    if !text.is_empty() {
        stream.write_all(format!("{text}\r\n").as_bytes()).await?;
        stream.flush().await?;
    }
    if close {
        // Lets what was said arrive before the connection is reset.
        tokio::time::sleep(Duration::from_millis(20)).await;
        return Err(Gone);
    }
    Ok(())
}

async fn read_line(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<String, Gone> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 { Err(Gone) } else { Ok(line) }
}

/// The bytes up to the end of data, exactly as they came.
async fn read_body(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Vec<u8>, Gone> {
    let mut body = Vec::new();
    while !body.ends_with(b"\r\n.\r\n") {
        if stream.read_until(b'\n', &mut body).await? == 0 {
            return Err(Gone);
        }
    }
    Ok(body)
}
