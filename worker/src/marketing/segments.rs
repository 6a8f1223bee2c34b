//! Comparing all customers with the segments, again and again.
//!
//! Invariant: workflows do not wait for it. A segment whose customers the database cannot compare in time is looked at
//! later, and keeps no other one from being looked at.

use std::time::Duration;

use entity::access::Actor;
use entity::access::audit::Origin;
use entity::clock::Clock;
use entity::db::{Db, which};
use entity::marketing::segment;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::engine::Ground;
use crate::feed::Signal;
use crate::relay::chain;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Keeps segments up.
#[derive(Clone)]
pub struct Segments {
    /// The truth.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Wakes those who carry on what enters and leaves.
    pub signal: Signal,
}

impl Segments {
    /// Looks until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut look = tokio::time::interval(INTERVAL);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = look.tick() => {}
            }
            while !shutdown.is_cancelled() {
                match self.look().await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(error = %chain(&error), "a segment is looked at later");
                        break;
                    }
                }
            }
        }
    }

    /// Compares customers with one segment, if that is due. True when there was one.
    async fn look(&self) -> Result<bool, entity::Error> {
        let now = self.clock.now();
        let [due] = which(self.db.reader(), [segment::is_due(now)]).await?;
        if !due {
            return Ok(false);
        }
        let origin = Origin::new(Actor::System, now);
        let looked = self.db.write_as(&origin, move |txn| {
            async move {
                let ground = Ground::of(txn, now).await?;
                segment::look(txn, ground.scope(), now).await
            }
            .boxed()
        });
        match looked.await {
            Ok(looked) => {
                self.signal.raise();
                Ok(looked)
            }
            Err(error) => {
                self.db.write(move |txn| segment::postpone(txn, now).boxed()).await?;
                Err(error)
            }
        }
    }
}
