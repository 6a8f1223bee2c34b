//! The job that changes or deletes all customers of a filter.
//!
//! Invariant: a batch is one transaction with its progress, so a job whose worker dies goes on where it
//! stopped, and nothing is touched twice.

use std::time::Duration;

use chrono::TimeDelta;
use entity::access::Actor;
use entity::access::audit::Origin;
use entity::automation::job;
use entity::automation::lease::Leased;
use entity::clock::Clock;
use entity::customers::customer::bulk::{self, Step};
use entity::db::Db;
use futures::FutureExt;

/// Works on the leased `job` to its end, and renews its lease by `lease` with every batch.
///
/// # Errors
/// The database; the job is due again when its lease ends.
pub async fn run(
    db: &Db,
    clock: &Clock,
    job: &job::Model,
    lease: Duration,
) -> Result<(), entity::Error> {
    let lease = TimeDelta::from_std(lease).unwrap_or(TimeDelta::seconds(30));
    let actor = job.created_by.map_or(Actor::System, Actor::User);
    let leased = Leased { id: job.id, fence: job.fence };
    loop {
        let now = clock.now();
        let origin = Origin::new(actor, now).in_job(job.id);
        let step =
            db.write_as(&origin, move |txn| bulk::step(txn, leased, now + lease, now).boxed());
        match step.await? {
            Step::More => {}
            Step::Ended => return Ok(()),
            Step::Lost => {
                tracing::info!(job = %job.id.0, "the job was called off or taken over");
                return Ok(());
            }
        }
    }
}
