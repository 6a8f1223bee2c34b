//! The feed: how workers hear which rows of the database are due.
//!
//! Invariant: an entry names rows and carries nothing else, so losing, repeating or reordering
//! entries is harmless. The row holds attempts, lease and outcome; a row that is still due after a
//! failure, a crash or the loss of all of Redis is published again by the relay.
//!
//! A feed has two ends: the [`Publisher`] that the relay holds, and the [`Feed`] that [`run()`] turns
//! into an apalis worker. Between them is a channel in the process, or a Redis stream with a consumer
//! group; handlers cannot tell which.

mod backoff;
mod changes;
mod publisher;
mod pubsub;
mod reader;
mod run;
mod signal;
mod source;
mod stream;
mod upkeep;

#[cfg(test)]
mod tests;

use std::time::Duration;

use apalis_core::error::WorkerError;
use apalis_core::task::Task;
use redis::RedisError;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use uuid::Uuid;

pub use changes::{Changes, Follower};
pub use publisher::Publisher;
pub use run::run;
pub use signal::Signal;
pub use stream::StreamSettings;

/// How many entries may lie in the process between the feeder and the worker.
const CHANNEL: usize = 64;

/// Which table the due rows are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DueKind {
    /// Rows of `message`, to be sent.
    Message,
    /// Rows of `job`, to be worked on.
    Job,
}

/// "These rows are due." No personal data: an entry may be read by whoever may read Redis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The table.
    pub kind: DueKind,
    /// The rows: a small batch that one handler call works on.
    pub ids: Vec<Uuid>,
}

/// Why entries were not taken, or why a worker ended. The rows stay due.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The address does not parse.
    #[error("the Redis address is not valid; write it as redis://user:password@host:6379/0")]
    Address(#[source] RedisError),
    /// An entry could not be written as JSON.
    #[error("an entry could not be encoded")]
    Encode(#[from] serde_json::Error),
    /// Redis refused, or the connection was lost: some of the entries may have been taken.
    #[error("Redis did not confirm the entries; leave the rows due and publish them again")]
    Redis(#[source] RedisError),
    /// No answer from Redis, or no room in the channel: the workers are behind.
    #[error("the feed took longer than {0:?}; leave the rows due and publish them again")]
    Timeout(Duration),
    /// The worker at the other end has stopped.
    #[error("the feed has stopped")]
    Closed,
    /// The worker ended by itself.
    #[error("the worker ended unexpectedly")]
    Worker(#[source] WorkerError),
}

/// The worker's end of a feed. Nothing is read before [`run()`] is called with it.
pub struct Feed(End);

enum End {
    Embedded(mpsc::Receiver<Task<Due>>),
    Redis(stream::Stream),
}

impl Feed {
    /// A feed within the process, for the embedded stack.
    #[must_use]
    pub fn embedded() -> (Publisher, Self) {
        let (sender, receiver) = mpsc::channel(CHANNEL);
        (Publisher::embedded(sender), Self(End::Embedded(receiver)))
    }

    /// A feed through a Redis stream. Does not connect yet, so Redis may be down.
    ///
    /// # Errors
    /// `Address` if the URL cannot be parsed.
    pub fn redis(settings: StreamSettings) -> Result<(Publisher, Self), FeedError> {
        let stream = stream::Stream::new(settings)?;
        Ok((Publisher::redis(stream.clone()), Self(End::Redis(stream))))
    }
}
