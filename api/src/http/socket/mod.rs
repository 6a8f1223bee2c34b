//! `/graphql/ws`: operations over a WebSocket, by the protocol graphql-transport-ws
//! (<https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>).
//!
//! Invariant: a socket is somebody's from its first message on, and no longer than they may ask.
//! Nothing that the other side does or leaves makes it hold more than a few answers in memory, and what
//! holds for a request over HTTP (guards, limits, places, errors, the form of answers) holds here.

mod accounts;
mod connection;
mod operation;
mod origin;
mod protocol;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_graphql::Executor;
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tokio::sync::Semaphore;

use super::errors::Code;
use super::failure::Failure;
use super::graphql::{Authenticate, Endpoint};
use super::request::{Peer, RequestId};
use super::server::Stop;
use accounts::Accounts;
use connection::Connection;
pub use origin::Origins;

/// The time limits and the numbers that sockets keep to.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// For `connection_init` after the connection is there.
    pub init: Duration,
    /// Between two pings; a client that is silent for three of them is gone.
    pub keepalive: Duration,
    /// Between two looks whether the client may still ask.
    pub recheck: Duration,
    /// For the client to take a message.
    pub write: Duration,
    /// Sockets at once.
    pub connections: usize,
    /// Sockets of one account at once.
    pub account_connections: usize,
    /// Operations of one account at once, over all its sockets.
    pub account_operations: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            init: Duration::from_secs(10),
            keepalive: Duration::from_secs(20),
            recheck: Duration::from_secs(4),
            write: Duration::from_secs(15),
            connections: 2_000,
            account_connections: 20,
            account_operations: 100,
        }
    }
}

/// The sockets of an endpoint.
pub(super) struct Sockets<E, A> {
    endpoint: Arc<Endpoint<E, A>>,
    origins: Origins,
    rules: Rules,
    places: Arc<Semaphore>,
    accounts: Accounts,
    stop: Stop,
}

/// The route `/graphql/ws`, for pages of `origins`, until `stop`.
pub fn router<E: Executor, A: Authenticate>(
    endpoint: Arc<Endpoint<E, A>>,
    origins: Origins,
    rules: Rules,
    stop: Stop,
) -> Router {
    let places = Arc::new(Semaphore::new(rules.connections));
    let accounts = Accounts::default();
    let sockets = Sockets { endpoint, origins, rules, places, accounts, stop };
    Router::new().route("/graphql/ws", any(open::<E, A>)).with_state(Arc::new(sockets))
}

async fn open<E: Executor, A: Authenticate>(
    State(sockets): State<Arc<Sockets<E, A>>>,
    request: Request,
) -> Response {
    let (mut parts, _) = request.into_parts();
    if !sockets.origins.allow(&parts.headers) {
        let message = "Pages of this origin may not connect. Add it to CORS_ORIGINS.";
        return Failure::new(StatusCode::FORBIDDEN, Code::Forbidden, message).into_response();
    }
    let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await else {
        let message = "This is a WebSocket: connect with the subprotocol graphql-transport-ws.";
        let upgrade = StatusCode::UPGRADE_REQUIRED;
        return Failure::new(upgrade, Code::BadRequest, message).upgrading().into_response();
    };
    let Ok(place) = Arc::clone(&sockets.places).try_acquire_owned() else {
        return Failure::overloaded(Duration::from_secs(5)).into_response();
    };
    if sockets.stop.asked.is_cancelled() {
        return Failure::overloaded(Duration::from_secs(1)).into_response();
    }
    let id = parts.extensions.get::<RequestId>().cloned().unwrap_or_else(RequestId::unknown);
    let peer = parts.extensions.get::<Peer>().copied().unwrap_or(Peer([0, 0, 0, 0].into()));
    let longest = sockets.endpoint.limits.body_bytes;
    let tracker = sockets.stop.running.clone();
    upgrade
        .protocols([protocol::NAME])
        .max_message_size(longest)
        .max_frame_size(longest)
        .on_upgrade(move |socket| {
            let connection = Connection::new(sockets, peer, id);
            tracker.track_future(async move {
                connection.run(socket).await;
                drop(place);
            })
        })
}
