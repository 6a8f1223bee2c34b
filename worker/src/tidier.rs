//! The tidier: forgets what nobody asks for any more.
//!
//! Invariant: forgetting twice, or by several processes at once, does no harm.

use std::time::Duration;

use entity::access;
use entity::clock::Clock;
use entity::collaboration::notification;
use entity::db::Db;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::relay::chain;

/// Between two rounds.
const INTERVAL: Duration = Duration::from_mins(10);

/// Forgets until `shutdown`. A failure is logged and tried again at the next round.
pub async fn run(db: Db, clock: Clock, shutdown: CancellationToken) {
    let mut look = tokio::time::interval(INTERVAL);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = look.tick() => {}
        }
        let now = clock.now();
        let tidied = db.write(move |txn| {
            async move {
                access::tidy(txn, now).await?;
                notification::tidy(txn, now).await
            }
            .boxed()
        });
        if let Err(error) = tidied.await {
            tracing::warn!(error = %chain(&error), "what is old could not be forgotten");
        }
    }
}
