//! The sealer: closes the audit log's chain of hashes, behind those who write.
//!
//! Invariant: one process seals at a time, since the chain's head is locked meanwhile; which one does
//! not matter, and any may die.

use std::time::Duration;

use entity::access::audit;
use entity::clock::Clock;
use entity::db::Db;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::relay::chain;

/// How many entries are sealed at once.
const ENTRIES: u64 = 1_000;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(2);

/// Seals until `shutdown`. A failure is logged and tried again at the next look.
pub async fn run(db: Db, clock: Clock, shutdown: CancellationToken) {
    let mut look = tokio::time::interval(INTERVAL);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = look.tick() => {}
        }
        while !shutdown.is_cancelled() {
            match seal(&db, &clock).await {
                Ok(0) => break,
                Ok(sealed) => {
                    metrics::counter!("rapport_audit_sealed_total").increment(sealed as u64);
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the audit log waits for being sealed");
                    break;
                }
            }
        }
    }
}

async fn seal(db: &Db, clock: &Clock) -> Result<usize, entity::Error> {
    let now = clock.now();
    db.write(move |txn| audit::seal(txn, ENTRIES, now).boxed()).await
}
