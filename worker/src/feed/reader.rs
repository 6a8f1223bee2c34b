//! Takes entries from the Redis stream into the process: new ones, and those of consumers that went
//! silent.
//!
//! Invariant: it reads only what there is room for, and whatever happens to Redis, it comes back.

use std::sync::Arc;
use std::time::Duration;

use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use redis::streams::StreamId;
use tokio::sync::{SemaphorePermit, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Due;
use super::backoff::Backoff;
use super::source::{Flight, count};
use super::stream::{Stream, decode, has_vanished};

/// How many entries are taken at once.
const BATCH: usize = 100;
/// How often entries of silent consumers are looked for, if the lease is not shorter.
const SWEEP: Duration = Duration::from_secs(5);

/// Reads until `shutdown`, or until nobody takes the entries any more.
pub(super) async fn run(
    stream: Stream,
    flight: Arc<Flight>,
    entries: mpsc::Sender<Task<Due>>,
    done: mpsc::UnboundedSender<String>,
    shutdown: CancellationToken,
) {
    let mut reader =
        Reader { stream, flight, entries, done, orphans_from: START.to_owned(), sweep: None };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = reader.read_for_ever() => {}
    }
}

const START: &str = "0-0";

struct Reader {
    stream: Stream,
    flight: Arc<Flight>,
    entries: mpsc::Sender<Task<Due>>,
    done: mpsc::UnboundedSender<String>,
    /// How far the sweep for orphans has come.
    orphans_from: String,
    /// When it was last begun.
    sweep: Option<Instant>,
}

impl Reader {
    async fn read_for_ever(&mut self) {
        let mut backoff = Backoff::new();
        while !self.entries.is_closed() {
            let Err(error) = self.session(&mut backoff).await else {
                return;
            };
            if has_vanished(&error) {
                tracing::info!("the feed's stream has vanished and is created anew");
            } else {
                tracing::warn!(%error, "the feed lost Redis and connects again");
            }
            backoff.wait().await;
        }
    }

    /// Reads until something fails; `Ok` when nobody takes the entries any more.
    async fn session(&mut self, backoff: &mut Backoff) -> RedisResult<()> {
        let mut redis = self.stream.connect().await?;
        self.stream.ensure(&mut redis).await?;
        let flight = self.flight.clone();
        loop {
            let Ok(mut room) = flight.room.acquire().await else {
                return Ok(());
            };
            let more = flight.room.available_permits().min(BATCH - 1);
            if let Ok(more) = flight.room.try_acquire_many(u32::try_from(more).unwrap_or(0)) {
                room.merge(more);
            }
            let mut taken = self.orphans(&mut redis, room.num_permits()).await?;
            if taken.is_empty() {
                taken = self.stream.read(&mut redis, room.num_permits()).await?;
            }
            backoff.reset();
            for entry in taken {
                if !self.pass_on(entry, &mut room).await {
                    return Ok(());
                }
            }
        }
    }

    /// Entries whose consumer went silent, when it is time to look for them.
    async fn orphans(
        &mut self,
        redis: &mut MultiplexedConnection,
        room: usize,
    ) -> RedisResult<Vec<StreamId>> {
        let every = SWEEP.min(self.stream.lease() / 2);
        let midway = self.orphans_from != START;
        if !midway && self.sweep.is_some_and(|begun| begun.elapsed() < every) {
            return Ok(Vec::new());
        }
        if !midway {
            self.sweep = Some(Instant::now());
        }
        let mut taken = self.stream.take_over(redis, &mut self.orphans_from, room).await?;
        let (Some(first), Some(last)) = (taken.first(), taken.last()) else {
            return Ok(taken);
        };
        tracing::info!(entries = taken.len(), "took entries over from a silent consumer");
        let poisoned = self.stream.delivered_too_often(redis, &first.id, &last.id).await?;
        taken.retain(|entry| {
            let keep = !poisoned.contains(&entry.id);
            if !keep {
                tracing::error!(entry = entry.id, "an entry is dropped: it never finishes");
                self.drop_entry(entry, "poisoned");
            }
            keep
        });
        Ok(taken)
    }

    /// Gives an entry to the worker, using up one of `room`; false when nobody takes it any more.
    async fn pass_on(&self, entry: StreamId, room: &mut SemaphorePermit<'_>) -> bool {
        let Some(due) = decode(&entry) else {
            tracing::error!(entry = entry.id, "an entry is dropped: it cannot be decoded");
            self.drop_entry(&entry, "undecodable");
            return true;
        };
        if !self.flight.begin(&entry.id) {
            return true;
        }
        if let Some(one) = room.split(1) {
            one.forget();
        }
        let task = TaskBuilder::new(due).task_id(TaskId::from_string(entry.id)).build();
        self.entries.send(task).await.is_ok()
    }

    /// Acknowledges an entry that nobody will work on. Its rows become due again by themselves.
    fn drop_entry(&self, entry: &StreamId, outcome: &'static str) {
        count(outcome);
        // The upkeep outlives the reader; if it is gone, so is this worker.
        let _ = self.done.send(entry.id.clone());
    }
}
