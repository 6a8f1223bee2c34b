//! The Redis stream behind a feed, and what can be asked of it.
//!
//! Invariant: the stream and its group may vanish at any moment (`FLUSHALL`, a restart without
//! persistence, a failover); every session begins by making sure that they exist. The group starts
//! at the stream's first entry, so what was published before it was re-created is delivered.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::streams::{
    StreamAutoClaimOptions, StreamAutoClaimReply, StreamClaimOptions, StreamId,
    StreamInfoConsumersReply, StreamPendingCountReply, StreamReadOptions, StreamReadReply,
};
use redis::{AsyncCommands, AsyncConnectionConfig, Client, RedisError, RedisResult};

use super::{Due, FeedError};

const GROUP: &str = "workers";
/// The one field of an entry.
const FIELD: &str = "due";
/// Bounds the stream's memory should nobody read it. Rows whose entries are cut off become due again.
const LONGEST: usize = 100_000;
/// How long a read waits for entries on the server.
const BLOCK: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(2);
/// Must exceed [`BLOCK`]; a command that takes longer is taken for lost.
const RESPONSE: Duration = Duration::from_secs(10);
/// A consumer without pending entries that was silent for so many leases is dead.
const DEAD_AFTER_LEASES: u32 = 20;

/// Where a feed's stream is and how its consumers behave.
#[derive(Clone)]
pub struct StreamSettings {
    /// `redis://user:password@host:port/db`.
    pub url: String,
    /// Separates installations that share a Redis, for example `rapport`.
    pub prefix: String,
    /// Separates kinds of work, so that one does not hold up the other; each lane is a stream of its
    /// own, placed by its own hash tag on a cluster.
    pub lane: String,
    /// Who reads, for operators; a random suffix makes it unique per process start.
    pub consumer: String,
    /// How long entries of a consumer that went silent are left alone before others take them.
    pub lease: Duration,
    /// An entry that was begun so often and never finished kills its workers: it is dropped.
    pub deliveries: usize,
}

impl StreamSettings {
    /// The usual lease (15 s) and number of deliveries (5).
    #[must_use]
    pub fn new(url: &str, prefix: &str, lane: &str, consumer: &str) -> Self {
        Self {
            url: url.to_owned(),
            prefix: prefix.to_owned(),
            lane: lane.to_owned(),
            consumer: consumer.to_owned(),
            lease: Duration::from_secs(15),
            deliveries: 5,
        }
    }
}

/// A handle to the stream; clones share it.
#[derive(Clone)]
pub(super) struct Stream(Arc<Inner>);

struct Inner {
    client: Client,
    key: String,
    consumer: String,
    lease: Duration,
    deliveries: usize,
}

impl Stream {
    pub(super) fn new(settings: StreamSettings) -> Result<Self, FeedError> {
        Ok(Self(Arc::new(Inner {
            client: Client::open(settings.url).map_err(FeedError::Address)?,
            key: format!("{}:{{{}}}", settings.prefix, settings.lane),
            consumer: format!("{}-{:016x}", settings.consumer, rand::random::<u64>()),
            lease: settings.lease,
            deliveries: settings.deliveries,
        })))
    }

    pub(super) fn consumer(&self) -> &str {
        &self.0.consumer
    }

    pub(super) fn lease(&self) -> Duration {
        self.0.lease
    }

    pub(super) async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(RESPONSE));
        self.0.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Creates the stream and its group unless they exist.
    pub(super) async fn ensure(&self, redis: &mut MultiplexedConnection) -> RedisResult<()> {
        match redis.xgroup_create_mkstream(&self.0.key, GROUP, "0").await {
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            result => result,
        }
    }

    /// Appends the entries, in one round trip.
    pub(super) async fn append(
        &self,
        redis: &mut MultiplexedConnection,
        entries: &[String],
    ) -> RedisResult<()> {
        let mut pipe = redis::pipe();
        for entry in entries {
            pipe.cmd("XADD").arg(&self.0.key).arg(("MAXLEN", "~", LONGEST));
            pipe.arg("*").arg(FIELD).arg(entry).ignore();
        }
        pipe.query_async(redis).await
    }

    /// Up to `count` new entries; none after [`BLOCK`] without any.
    pub(super) async fn read(
        &self,
        redis: &mut MultiplexedConnection,
        count: usize,
    ) -> RedisResult<Vec<StreamId>> {
        let options = StreamReadOptions::default()
            .group(GROUP, &self.0.consumer)
            .count(count)
            .block(millis(BLOCK));
        let reply: Option<StreamReadReply> =
            redis.xread_options(&[&self.0.key], &[">"], &options).await?;
        Ok(reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids).collect())
    }

    /// Takes up to `count` entries over whose lease has run out, starting at `cursor`, which is moved
    /// on: it is `0-0` again when all have been looked at.
    pub(super) async fn take_over(
        &self,
        redis: &mut MultiplexedConnection,
        cursor: &mut String,
        count: usize,
    ) -> RedisResult<Vec<StreamId>> {
        let options = StreamAutoClaimOptions::default().count(count);
        let (key, me, lease) = (&self.0.key, &self.0.consumer, millis(self.0.lease));
        let reply: StreamAutoClaimReply =
            redis.xautoclaim_options(key, GROUP, me, lease, &*cursor, options).await?;
        *cursor = reply.next_stream_id;
        Ok(reply.claimed)
    }

    /// The entries among this consumer's from `first` to `last` that were delivered too often.
    pub(super) async fn delivered_too_often(
        &self,
        redis: &mut MultiplexedConnection,
        first: &str,
        last: &str,
    ) -> RedisResult<Vec<String>> {
        let pending = self.pending(redis, first, last).await?;
        let too_often = pending.ids.into_iter().filter(|id| id.times_delivered > self.0.deliveries);
        Ok(too_often.map(|entry| entry.id).collect())
    }

    /// Forgets entries for good.
    pub(super) async fn acknowledge(
        &self,
        redis: &mut MultiplexedConnection,
        ids: &[String],
    ) -> RedisResult<()> {
        let mut pipe = redis::pipe();
        pipe.xack(&self.0.key, GROUP, ids).ignore();
        pipe.xdel(&self.0.key, ids).ignore();
        pipe.query_async(redis).await
    }

    /// Starts the lease of entries anew. Without effect on entries that are gone.
    pub(super) async fn renew(
        &self,
        redis: &mut MultiplexedConnection,
        ids: &[String],
    ) -> RedisResult<()> {
        let options = StreamClaimOptions::default().with_justid();
        redis.xclaim_options(&self.0.key, GROUP, &self.0.consumer, 0, ids, options).await
    }

    /// Ends the lease of whatever this consumer still holds, so that others take it over at once, and
    /// forgets the consumer if it holds nothing.
    pub(super) async fn release(&self, redis: &mut MultiplexedConnection) -> RedisResult<()> {
        let (key, me) = (&self.0.key, &self.0.consumer);
        let held: Vec<String> =
            self.pending(redis, "-", "+").await?.ids.into_iter().map(|entry| entry.id).collect();
        if held.is_empty() {
            return redis.xgroup_delconsumer(key, GROUP, me).await;
        }
        let lapsed =
            StreamClaimOptions::default().idle(millis(self.0.lease)).retry(0).with_justid();
        redis.xclaim_options(key, GROUP, me, 0, &held, lapsed).await
    }

    /// Forgets the names of consumers that are gone and hold nothing.
    pub(super) async fn forget_the_dead(
        &self,
        redis: &mut MultiplexedConnection,
    ) -> RedisResult<()> {
        let silent = millis(self.0.lease * DEAD_AFTER_LEASES);
        let all: StreamInfoConsumersReply = redis.xinfo_consumers(&self.0.key, GROUP).await?;
        for consumer in all.consumers {
            if consumer.pending == 0 && consumer.idle > silent && consumer.name != self.0.consumer {
                let () = redis.xgroup_delconsumer(&self.0.key, GROUP, &consumer.name).await?;
            }
        }
        Ok(())
    }

    async fn pending(
        &self,
        redis: &mut MultiplexedConnection,
        first: &str,
        last: &str,
    ) -> RedisResult<StreamPendingCountReply> {
        let (key, me) = (&self.0.key, &self.0.consumer);
        redis.xpending_consumer_count(key, GROUP, first, last, LONGEST, me).await
    }
}

/// How an entry is written.
pub(super) fn encode(due: &Due) -> Result<String, FeedError> {
    Ok(serde_json::to_string(due)?)
}

/// What an entry says; `None` if another version or somebody else wrote it.
pub(super) fn decode(entry: &StreamId) -> Option<Due> {
    serde_json::from_slice(&entry.get::<Vec<u8>>(FIELD)?).ok()
}

/// Whether the stream or its group has vanished.
pub(super) fn has_vanished(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOGROUP" | "UNBLOCKED"))
}

fn millis(duration: Duration) -> usize {
    usize::try_from(duration.as_millis()).unwrap_or(usize::MAX)
}
