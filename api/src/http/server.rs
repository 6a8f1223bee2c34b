//! Connections, and how the server stops.
//!
//! Invariant: nobody on the other side can keep the server from stopping or fill it with waiting: headers have a time
//! limit, and so has an answer that is not taken; connections have a number, and the stop a deadline after which
//! everything is cut.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::linger::Lingering;

/// The time limits of connections and of the stop.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a request's headers, and between two requests on one connection.
    pub headers: Duration,
    /// For taking the next piece of an answer, or of what is said on a WebSocket.
    pub unread: Duration,
    /// Between saying "not ready" and accepting no more, so that balancers have noticed.
    pub notice: Duration,
    /// For what is in progress when accepting has ended.
    pub drain: Duration,
    /// Connections at once; more wait in the system's backlog.
    pub connections: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(15),
            unread: Duration::from_secs(30),
            notice: Duration::from_secs(3),
            drain: Duration::from_secs(25),
            connections: 4096,
        }
    }
}

/// What connects the stop with the rest of the process.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Cancel this to stop the server. `/readyz` follows it, and so must every WebSocket: once upgraded, a connection
    /// is out of this module's sight.
    pub asked: CancellationToken,
    /// The work that outlives its connection; see [`Admission::running`](super::admission::Admission::running).
    pub running: TaskTracker,
}

/// Serves until `stop.asked`, then finishes what is in progress. Returns whether all of it was
/// finished within the deadline.
///
/// # Errors
/// If the listener has no address.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: Stop,
    patience: Patience,
) -> io::Result<bool> {
    tracing::info!(address = %listener.local_addr()?, "listening");
    let places = Arc::new(Semaphore::new(patience.connections));
    let closing = CancellationToken::new();
    let mut connections = JoinSet::new();

    let accept = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let (stream, peer) = accept(&listener).await;
            let connection = connection(stream, peer, router.clone(), closing.clone(), patience);
            while connections.try_join_next().is_some() {}
            connections.spawn(async move {
                connection.await;
                drop(place);
            });
        }
    };
    tokio::select! {
        () = accept => {}
        () = async {
            stop.asked.cancelled().await;
            tracing::info!("stopping: no longer ready");
            sleep(patience.notice).await;
        } => {}
    }
    drop(listener);
    closing.cancel();

    stop.running.close();
    let finished = timeout(patience.drain, async {
        while connections.join_next().await.is_some() {}
        stop.running.wait().await;
    });
    let finished = finished.await.is_ok();
    if finished {
        tracing::info!("stopped");
    } else {
        let (open, running) = (connections.len(), stop.running.len());
        tracing::warn!(open, running, "stopped at the deadline");
    }
    connections.shutdown().await;
    Ok(finished)
}

/// The next connection. Without a free file descriptor there is none for a while; that is no reason to end.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(err) if err.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(cause) => {
                tracing::warn!(%cause, "cannot accept connections at the moment");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    closing: CancellationToken,
    patience: Patience,
) {
    // Answers are small: waiting for more to send with them costs 40 ms.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience.unread));
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(Lingering::within(request))
    });
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(patience.headers)
            .max_headers(64)
            .max_buf_size(64 << 10)
            .serve_connection(TokioIo::new(Box::pin(stream)), service)
            .with_upgrades()
    );
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(cause) = outcome {
        tracing::debug!(%cause, "a connection ended");
    }
}

#[cfg(test)]
mod tests;
