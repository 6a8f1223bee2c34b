//! The TCP connection below SMTP. Invariant: `TCP_NODELAY` is set, without which every mail waits 40 ms
//! for a delayed acknowledgement.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead as _, AsyncWrite as _};
use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::{Security, Settings};

#[expect(deprecated, reason = "lettre offers no other way to use its TLS on a socket of our own")]
type LettreStream = lettre::transport::smtp::client::AsyncNetworkStream;

/// Connects, with TLS if that comes first.
pub(super) async fn dial(settings: &Settings) -> io::Result<Box<dyn AsyncTokioStream>> {
    let tcp = TcpStream::connect((settings.host.as_str(), settings.port)).await?;
    tcp.set_nodelay(true)?;
    if settings.security != Security::Implicit {
        return Ok(Box::new(tcp));
    }
    let mut stream = LettreStream::use_existing_tokio1(Box::new(tcp));
    stream.upgrade_tls(settings.tls.clone()).await.map_err(io::Error::other)?;
    Ok(Box::new(Encrypted(stream)))
}

/// lettre's TLS stream as a stream that lettre takes.
#[derive(Debug)]
struct Encrypted(LettreStream);

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let free = buffer.initialize_unfilled();
        let read = ready!(Pin::new(&mut self.0).poll_read(cx, free))?;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}
