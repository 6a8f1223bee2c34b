//! One socket: its messages in, its messages out, and when it ends.
//!
//! Invariant: messages out wait in a queue of [`QUEUE`]; an operation whose message finds no room waits
//! with it, so that a client that does not read stops what it has asked for, and is cut off after a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_graphql::Executor;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use futures::stream::SplitSink;
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::accounts::{Counted, What};
use super::operation::Operation;
use super::protocol::{self, Close, Said};
use super::{Authenticate, Code, Failure, Peer, RequestId, Sockets};
use crate::http::errors::error;
use crate::http::params;

/// How many messages may wait for the client to read.
const QUEUE: usize = 8;

/// How long closing may take on both sides.
const FAREWELL: Duration = Duration::from_secs(2);

/// The operations that go on, by their ids.
#[derive(Clone, Default)]
pub struct Active(Arc<Mutex<HashMap<String, AbortHandle>>>);

impl Active {
    /// Ends the bookkeeping of an operation; its id is free from here on.
    pub fn remove(&self, id: &str) -> Option<AbortHandle> {
        self.with(|active| active.remove(id))
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, AbortHandle>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Who is at the other end, once they have said so.
struct Client {
    headers: HeaderMap,
    account: uuid::Uuid,
    _counted: Counted,
}

/// A socket.
pub struct Connection<E, A> {
    sockets: Arc<Sockets<E, A>>,
    peer: Peer,
    id: RequestId,
    client: Option<Client>,
    active: Active,
    operations: JoinSet<Result<(), Close>>,
}

impl<E: Executor, A: Authenticate> Connection<E, A> {
    /// A socket from `peer`.
    pub fn new(sockets: Arc<Sockets<E, A>>, peer: Peer, id: RequestId) -> Self {
        let (active, operations) = (Active::default(), JoinSet::new());
        Self { sockets, peer, id, client: None, active, operations }
    }

    /// Serves it until it ends.
    pub async fn run(mut self, socket: WebSocket) {
        metrics::gauge!("rapport_sockets").increment(1);
        let speaks = socket.protocol().is_some_and(|name| name == protocol::NAME);
        let (sink, mut incoming) = socket.split();
        let (out, queue) = mpsc::channel(QUEUE);
        let patience = self.sockets.rules.write;
        let mut writing = tokio::spawn(write(sink, queue, patience));
        let ended = if speaks {
            tokio::select! {
                ended = self.serve(&mut incoming, &out) => ended,
                _ = &mut writing => None,
            }
        } else {
            Some(Close::PROTOCOL)
        };
        self.operations.shutdown().await;
        // Whoever closes is answered: a connection that is just cut looks like a failure.
        let farewell = async {
            if let Some(Close { code, reason }) = ended {
                tracing::debug!(request_id = %self.id, code, "a socket is closed");
                let frame = CloseFrame { code, reason: reason.as_ref().into() };
                let _ = out.send(Message::Close(Some(frame))).await;
            }
            drop(out);
            if !writing.is_finished() {
                let _ = (&mut writing).await;
            }
            while let Some(Ok(_)) = incoming.next().await {}
        };
        let _ = timeout(FAREWELL, farewell).await;
        writing.abort();
        metrics::gauge!("rapport_sockets").decrement(1);
    }

    /// How it is to be closed; `None` when the other side is gone.
    async fn serve(
        &mut self,
        incoming: &mut (impl futures::Stream<Item = Result<Message, axum::Error>> + Unpin),
        out: &mpsc::Sender<Message>,
    ) -> Option<Close> {
        let rules = self.sockets.rules;
        let stopping = self.sockets.stop.asked.clone();
        let begun = Instant::now();
        let mut heard = begun;
        let mut keepalive = interval(rules.keepalive);
        keepalive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        keepalive.reset();
        let mut recheck = interval(rules.recheck);
        recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
        recheck.reset();
        loop {
            let step = tokio::select! {
                () = stopping.cancelled() => Err(Close::GOING_AWAY),
                message = incoming.next() => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => self.hear(text.as_str(), out).await,
                        Some(Ok(Message::Binary(_))) => Err(Close::MALFORMED),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    }
                }
                Some(ended) = self.operations.join_next() => ended.unwrap_or(Ok(())),
                () = sleep_until(begun + rules.init), if self.client.is_none() => {
                    Err(Close::INIT_TIMEOUT)
                }
                _ = keepalive.tick() => {
                    if heard.elapsed() > rules.keepalive * 3 {
                        return None;
                    }
                    say(out, protocol::ping()).await
                }
                _ = recheck.tick(), if self.client.is_some() => self.recheck().await,
            };
            if let Err(close) = step {
                return Some(close);
            }
        }
    }

    async fn hear(&mut self, text: &str, out: &mpsc::Sender<Message>) -> Result<(), Close> {
        match Said::parse(text)? {
            Said::ConnectionInit { .. } if self.client.is_some() => Err(Close::INIT_TWICE),
            Said::ConnectionInit { payload } => {
                self.client = Some(self.know(payload.as_ref()).await?);
                say(out, protocol::ack()).await
            }
            Said::Ping { payload } => say(out, protocol::pong(payload)).await,
            Said::Pong {} => Ok(()),
            Said::Subscribe { id, payload } => self.begin(id, *payload, out).await,
            Said::Complete { id } => {
                if let Some(operation) = self.active.remove(&id) {
                    operation.abort();
                }
                Ok(())
            }
        }
    }

    /// Who the client is, by the `authorization` that its `connection_init` carries.
    async fn know(&self, payload: Option<&Value>) -> Result<Client, Close> {
        let fields = payload.and_then(Value::as_object).into_iter().flatten();
        let mut given = fields.filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let (_, authorization) = given.next().ok_or(Close::FORBIDDEN)?;
        let value = authorization.as_str().and_then(|text| HeaderValue::from_str(text).ok());
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.ok_or(Close::FORBIDDEN)?);
        let access = &self.sockets.endpoint.access;
        let viewer = access.authenticate(&headers, self.peer).await.map_err(|why| refused(&why))?;
        let account = A::account(&viewer).ok_or(Close::FORBIDDEN)?;
        let most = self.sockets.rules.account_connections;
        let counted = self.sockets.accounts.enter(account, What::Connection, most);
        Ok(Client { headers, account, _counted: counted.ok_or(Close::TOO_MANY)? })
    }

    /// Whether the client may still ask. A database that is away for a moment proves nothing.
    async fn recheck(&self) -> Result<(), Close> {
        let Some(client) = &self.client else { return Ok(()) };
        match self.sockets.endpoint.access.authenticate(&client.headers, self.peer).await {
            Err(failure) if failure.code() == Code::Unauthenticated => Err(Close::FORBIDDEN),
            Ok(viewer) if A::account(&viewer) != Some(client.account) => Err(Close::FORBIDDEN),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn begin(
        &mut self,
        id: String,
        payload: params::Params,
        out: &mpsc::Sender<Message>,
    ) -> Result<(), Close> {
        let client = self.client.as_ref().ok_or(Close::UNAUTHORIZED)?;
        if self.active.with(|active| active.contains_key(&id)) {
            return Err(Close::twice(&id));
        }
        let request = params::request(payload).map_err(|_| Close::MALFORMED)?;
        let most = self.sockets.rules.account_operations;
        let counted = self.sockets.accounts.enter(client.account, What::Operation, most);
        let Some(counted) = counted else {
            let message = format!("You have {most} operations open. Complete some of them first.");
            let refused = error(Code::RateLimited, message);
            return say(out, protocol::error(&id, &[refused])).await;
        };
        let operation = Operation {
            endpoint: Arc::clone(&self.sockets.endpoint),
            headers: client.headers.clone(),
            peer: self.peer,
            request_id: self.id.clone(),
            id: id.clone(),
            active: self.active.clone(),
            out: out.clone(),
        };
        let operations = &mut self.operations;
        self.active.with(|active| {
            // It can end only after this, since it takes the lock to do so.
            let handle = operations.spawn(async move {
                let ended = operation.run(request).await;
                drop(counted);
                ended
            });
            active.insert(id, handle);
        });
        Ok(())
    }
}

/// How a client is turned away that could not be known.
fn refused(failure: &Failure) -> Close {
    match failure.code() {
        Code::Overloaded | Code::Internal | Code::Timeout => Close::TRY_AGAIN,
        _ => Close::FORBIDDEN,
    }
}

/// Puts a message into the queue; waits for room in it.
///
/// # Errors
/// When nobody takes messages any more.
pub async fn say(out: &mpsc::Sender<Message>, text: String) -> Result<(), Close> {
    out.send(Message::Text(text.into())).await.map_err(|_| Close::GOING_AWAY)
}

/// Sends what is in the queue; ends when the client does not take a message in time.
async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut queue: mpsc::Receiver<Message>,
    patience: Duration,
) {
    while let Some(message) = queue.recv().await {
        let last = matches!(message, Message::Close(_));
        match timeout(patience, sink.send(message)).await {
            Ok(Ok(())) if !last => {}
            _ => return,
        }
    }
}
