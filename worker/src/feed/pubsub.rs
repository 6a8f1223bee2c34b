//! The signal's way through Redis: publish and subscribe.
//!
//! Invariant: whoever could have missed something says or hears so after every new connection.

use std::time::Duration;

use futures::StreamExt;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, Msg, RedisResult};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::backoff::Backoff;
use super::changes::Changes;
use super::signal::{Ears, Unsaid, Words};

const CONNECT: Duration = Duration::from_secs(2);
/// A subscription over which nothing came for so long is asked whether it still lives.
const SILENCE: Duration = Duration::from_secs(15);

/// The names under which processes find each other.
#[derive(Clone)]
pub struct Channels {
    wake: String,
    changed: String,
}

impl Channels {
    /// Those of the installation with a prefix.
    pub fn of(prefix: &str) -> Self {
        Self { wake: format!("{prefix}:wake"), changed: format!("{prefix}:changed") }
    }
}

/// Publishes what is to be said, until all signals are dropped. What Redis does not take becomes
/// "something was missed".
pub async fn speak(
    client: Client,
    channels: Channels,
    mut rings: mpsc::Receiver<()>,
    unsaid: Unsaid,
) {
    let mut connection: Option<MultiplexedConnection> = None;
    let mut backoff = Backoff::new();
    while rings.recv().await.is_some() {
        let mut words = unsaid.take();
        while let Err(error) = publish(&client, &channels, &words, &mut connection).await {
            tracing::debug!(%error, "the others were not told");
            connection = None;
            backoff.wait().await;
            if rings.is_closed() {
                return;
            }
            let more = unsaid.take();
            let lost = !words.changes.is_empty() || !more.changes.is_empty();
            words.wake |= more.wake;
            words.changes = if lost { Changes::missed() } else { Changes::default() };
        }
        backoff.reset();
    }
}

async fn publish(
    client: &Client,
    channels: &Channels,
    words: &Words,
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
    if words.wake {
        let () = redis.publish(&channels.wake, "").await?;
    }
    if !words.changes.is_empty() {
        let text = serde_json::to_string(&words.changes).map_err(std::io::Error::from)?;
        let () = redis.publish(&channels.changed, text).await?;
    }
    Ok(())
}

/// Subscribes for ever.
pub async fn listen(client: Client, channels: Channels, ears: Ears) {
    let mut backoff = Backoff::new();
    loop {
        let ended = subscribe(&client, &channels, &ears, &mut backoff).await;
        tracing::debug!(error = ?ended.err(), "the signals are subscribed to anew");
        backoff.wait().await;
    }
}

async fn subscribe(
    client: &Client,
    channels: &Channels,
    ears: &Ears,
    backoff: &mut Backoff,
) -> RedisResult<()> {
    let connect = async {
        let mut pubsub = client.get_async_pubsub().await?;
        pubsub.subscribe(&[&channels.wake, &channels.changed]).await?;
        RedisResult::Ok(pubsub.split())
    };
    let Ok(connected) = timeout(CONNECT, connect).await else {
        return Ok(());
    };
    let (mut sink, mut messages) = connected?;
    backoff.reset();
    // Something may have been committed while nobody listened.
    ears.hear(Words { wake: true, changes: Changes::missed() });
    loop {
        match timeout(SILENCE, messages.next()).await {
            Ok(Some(message)) => ears.hear(heard(channels, &message)),
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

/// What a message says. One that this version cannot read may say anything.
fn heard(channels: &Channels, message: &Msg) -> Words {
    if message.get_channel_name() == channels.wake {
        return Words { wake: true, changes: Changes::default() };
    }
    let changes = serde_json::from_slice(message.get_payload_bytes());
    Words { wake: false, changes: changes.unwrap_or_else(|_| Changes::missed()) }
}
