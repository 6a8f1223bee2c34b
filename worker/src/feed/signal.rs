//! "Something was committed": the wake-up from whoever writes to the relays.
//!
//! Invariant: best effort in both directions. A lost signal costs a relay's polling interval and
//! nothing else, so raising one never blocks and never fails.

use std::time::Duration;

use futures::StreamExt;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, RedisResult};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::FeedError;
use super::backoff::Backoff;

const CONNECT: Duration = Duration::from_secs(2);
/// A subscription over which nothing came for so long is asked whether it still lives.
const SILENCE: Duration = Duration::from_secs(15);

/// Wakes relays up. Every clone hears every signal; signals raised while it does not listen become one.
#[derive(Clone)]
pub struct Signal {
    raise: mpsc::Sender<()>,
    wakes: watch::Receiver<()>,
}

impl Signal {
    /// A signal within the process. Needs a Tokio runtime.
    #[must_use]
    pub fn embedded() -> Self {
        let (raise, mut raises) = mpsc::channel(1);
        let (wake, wakes) = watch::channel(());
        tokio::spawn(async move {
            while raises.recv().await.is_some() {
                wake.send_replace(());
            }
        });
        Self { raise, wakes }
    }

    /// A signal to all processes on a Redis with the same prefix. Needs a Tokio runtime; Redis may be
    /// down.
    ///
    /// # Errors
    /// `Address` if the URL cannot be parsed.
    pub fn redis(url: &str, prefix: &str) -> Result<Self, FeedError> {
        let client = Client::open(url).map_err(FeedError::Address)?;
        let channel = format!("{prefix}:wake");
        let (raise, raises) = mpsc::channel(1);
        let (wake, wakes) = watch::channel(());
        tokio::spawn(speak(client.clone(), channel.clone(), raises));
        tokio::spawn(async move {
            tokio::select! {
                () = listen(client, channel, &wake) => {}
                () = wake.closed() => {}
            }
        });
        Ok(Self { raise, wakes })
    }

    /// Says that something was committed. Returns at once.
    pub fn raise(&self) {
        // A full channel means that a signal is on its way already.
        let _ = self.raise.try_send(());
    }

    /// Waits for a signal raised since this clone last waited.
    pub async fn wait(&mut self) {
        if self.wakes.changed().await.is_err() {
            // The runtime is going down.
            std::future::pending::<()>().await;
        }
    }
}

/// Publishes what is raised, until all signals are dropped. What Redis does not take is lost.
async fn speak(client: Client, channel: String, mut raises: mpsc::Receiver<()>) {
    let mut connection: Option<MultiplexedConnection> = None;
    let mut backoff = Backoff::new();
    while raises.recv().await.is_some() {
        match publish(&client, &channel, &mut connection).await {
            Ok(()) => backoff.reset(),
            Err(error) => {
                tracing::debug!(%error, "a wake-up was lost");
                connection = None;
                backoff.wait().await;
            }
        }
    }
}

async fn publish(
    client: &Client,
    channel: &str,
    connection: &mut Option<MultiplexedConnection>,
) -> RedisResult<()> {
    let redis = if let Some(redis) = connection {
        redis
    } else {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(CONNECT));
        connection.insert(client.get_multiplexed_async_connection_with_config(&config).await?)
    };
    redis.publish(channel, "").await
}

/// Subscribes for ever.
async fn listen(client: Client, channel: String, wake: &watch::Sender<()>) {
    let mut backoff = Backoff::new();
    loop {
        let ended = subscribe(&client, &channel, wake, &mut backoff).await;
        tracing::debug!(error = ?ended.err(), "the wake-ups are subscribed to anew");
        backoff.wait().await;
    }
}

async fn subscribe(
    client: &Client,
    channel: &str,
    wake: &watch::Sender<()>,
    backoff: &mut Backoff,
) -> RedisResult<()> {
    let connect = async {
        let mut pubsub = client.get_async_pubsub().await?;
        pubsub.subscribe(channel).await?;
        RedisResult::Ok(pubsub.split())
    };
    let Ok(connected) = timeout(CONNECT, connect).await else {
        return Ok(());
    };
    let (mut sink, mut messages) = connected?;
    backoff.reset();
    // Something may have been committed while nobody listened.
    wake.send_replace(());
    loop {
        match timeout(SILENCE, messages.next()).await {
            Ok(Some(_)) => wake.send_replace(()),
            Ok(None) => return Ok(()),
            Err(_) => match timeout(CONNECT, sink.ping::<redis::Value>()).await {
                Ok(pong) => {
                    pong?;
                }
                Err(_) => return Ok(()),
            },
        }
    }
}
