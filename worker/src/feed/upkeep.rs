//! Keeps the Redis stream in order beside the reader: acknowledges what was handled, keeps the lease of
//! what is in flight, forgets dead consumers, and hands back what was not begun when the worker stops.
//!
//! Invariant: an acknowledgement is tried until it succeeds. Until then the lease is kept, and the entry
//! counts against the room for others.

use std::sync::Arc;
use std::time::Duration;

use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::source::Flight;
use super::stream::{Stream, has_vanished};

/// How many acknowledgements go out together.
const BATCH: usize = 500;
const TIDY: Duration = Duration::from_mins(1);
/// How long stopping may take. What is not handed back by then is taken over when its lease runs out.
const STOP: Duration = Duration::from_secs(5);

/// Works until `finish`, then hands back what is left.
pub(super) async fn run(
    stream: Stream,
    flight: Arc<Flight>,
    mut acks: mpsc::UnboundedReceiver<String>,
    finish: CancellationToken,
) {
    let mut renewal = interval(stream.lease() / 3);
    renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tidying = interval_at(Instant::now() + TIDY, TIDY);
    let mut upkeep = Upkeep { stream, flight, connection: None };
    let mut handled = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            () = finish.cancelled() => break,
            taken = acks.recv_many(&mut handled, BATCH) => {
                if taken == 0 {
                    break;
                }
                tokio::select! {
                    () = finish.cancelled() => break,
                    () = upkeep.acknowledge(&mut handled) => {}
                }
            }
            _ = renewal.tick() => upkeep.attempt(Chore::Renew).await,
            _ = tidying.tick() => upkeep.attempt(Chore::Tidy).await,
        }
    }
    let stop = async {
        while let Ok(id) = acks.try_recv() {
            handled.push(id);
        }
        upkeep.acknowledge(&mut handled).await;
        upkeep.attempt(Chore::Release).await;
    };
    if timeout(STOP, stop).await.is_err() {
        tracing::warn!("stopped without Redis: others take the entries over a little later");
    }
}

/// What may fail now and is tried again at its next turn.
#[derive(Clone, Copy, Debug)]
enum Chore {
    Renew,
    Tidy,
    Release,
}

struct Upkeep {
    stream: Stream,
    flight: Arc<Flight>,
    connection: Option<MultiplexedConnection>,
}

impl Upkeep {
    /// Acknowledges all of `handled`, which is empty afterwards.
    async fn acknowledge(&mut self, handled: &mut Vec<String>) {
        let mut backoff = Backoff::new();
        while !handled.is_empty() {
            match self.try_acknowledge(handled).await {
                Ok(()) => {
                    self.flight.end(handled);
                    handled.clear();
                }
                Err(error) => {
                    tracing::warn!(%error, "acknowledgements wait for Redis");
                    self.connection = None;
                    backoff.wait().await;
                }
            }
        }
    }

    async fn try_acknowledge(&mut self, handled: &[String]) -> RedisResult<()> {
        let mut redis = self.connect().await?;
        self.stream.acknowledge(&mut redis, handled).await
    }

    async fn attempt(&mut self, chore: Chore) {
        match self.perform(chore).await {
            Ok(()) => {}
            // The reader creates it anew; there is nothing left to keep.
            Err(error) if has_vanished(&error) => {}
            Err(error) => {
                tracing::warn!(%error, ?chore, "the feed's upkeep waits for Redis");
                self.connection = None;
            }
        }
    }

    async fn perform(&mut self, chore: Chore) -> RedisResult<()> {
        let mut redis = self.connect().await?;
        match chore {
            Chore::Renew => {
                let held = self.flight.ids();
                if held.is_empty() {
                    return Ok(());
                }
                self.stream.renew(&mut redis, &held).await
            }
            Chore::Tidy => self.stream.forget_the_dead(&mut redis).await,
            Chore::Release => self.stream.release(&mut redis).await,
        }
    }

    async fn connect(&mut self) -> RedisResult<MultiplexedConnection> {
        match &self.connection {
            Some(redis) => Ok(redis.clone()),
            None => Ok(self.connection.insert(self.stream.connect().await?).clone()),
        }
    }
}
