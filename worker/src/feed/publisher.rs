//! The relay's end of a feed. Invariant: it says within [`LONGEST`] whether all entries were taken;
//! if not, some may have been all the same, which is harmless.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::{RandomId, TaskId};
use redis::aio::MultiplexedConnection;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::stream::{Stream, encode};
use super::{Due, FeedError};

const LONGEST: Duration = Duration::from_secs(2);

/// Says which rows are due. Clones share one connection.
#[derive(Clone)]
pub struct Publisher(Outlet);

#[derive(Clone)]
enum Outlet {
    Embedded(mpsc::Sender<Task<Due>>),
    Redis { stream: Stream, connection: Connection },
}

/// The connection in use; empty after a failure.
#[derive(Clone, Default)]
struct Connection(Arc<Mutex<Option<MultiplexedConnection>>>);

impl Connection {
    fn get(&self) -> Option<MultiplexedConnection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, connection: Option<MultiplexedConnection>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }
}

impl Publisher {
    pub(super) fn embedded(sender: mpsc::Sender<Task<Due>>) -> Self {
        Self(Outlet::Embedded(sender))
    }

    pub(super) fn redis(stream: Stream) -> Self {
        Self(Outlet::Redis { stream, connection: Connection::default() })
    }

    /// Hands the entries over, in one round trip.
    ///
    /// # Errors
    /// `Timeout` after 2 s, because Redis does not answer or the workers are behind; `Redis` if it
    /// refuses; `Closed` if the embedded worker has stopped. Leave the rows due and try again later.
    pub async fn publish(&self, batch: &[Due]) -> Result<(), FeedError> {
        if batch.is_empty() {
            return Ok(());
        }
        match &self.0 {
            Outlet::Embedded(sender) => timeout(LONGEST, send(sender, batch)).await,
            Outlet::Redis { stream, connection } => {
                let outcome = timeout(LONGEST, append(stream, connection, batch)).await;
                if !matches!(outcome, Ok(Ok(()))) {
                    // Whoever comes next connects anew: this connection may be dead or clogged.
                    connection.set(None);
                }
                outcome
            }
        }
        .unwrap_or(Err(FeedError::Timeout(LONGEST)))
    }
}

async fn send(sender: &mpsc::Sender<Task<Due>>, batch: &[Due]) -> Result<(), FeedError> {
    for due in batch {
        // The tracing layer names every entry, so it must have a name here too.
        let id = TaskId::from_string(RandomId::default());
        let task = TaskBuilder::new(due.clone()).task_id(id).build();
        sender.send(task).await.map_err(|_| FeedError::Closed)?;
    }
    Ok(())
}

async fn append(stream: &Stream, connection: &Connection, batch: &[Due]) -> Result<(), FeedError> {
    let entries = batch.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
    let mut redis = if let Some(redis) = connection.get() {
        redis
    } else {
        let redis = stream.connect().await.map_err(FeedError::Redis)?;
        connection.set(Some(redis.clone()));
        redis
    };
    stream.append(&mut redis, &entries).await.map_err(FeedError::Redis)
}
