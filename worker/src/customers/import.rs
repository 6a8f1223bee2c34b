//! The job that imports a file of customers.
//!
//! Invariant: a job that was interrupted goes on after the rows that it has taken; a file that cannot be
//! read ends its job, and is not tried again.

use std::time::Duration;

use chrono::TimeDelta;
use entity::automation::job;
use entity::clock::Clock;
use entity::customers::import::{self, Ended, ImportInput, Under};
use entity::db::Db;
use object_store::ObjectStore;

use crate::collaboration::stored::{self, NotYet};

/// Imports the file that the leased `job` names, and renews its lease by `lease` with every chunk.
///
/// # Errors
/// The database; the job is due again when its lease ends.
pub async fn run(
    db: &Db,
    clock: &Clock,
    files: &dyn ObjectStore,
    job: &job::Model,
    lease: Duration,
) -> Result<(), entity::Error> {
    let lease = TimeDelta::from_std(lease).unwrap_or(TimeDelta::seconds(30));
    let under = Under::of(job, lease);
    let Ok(input) = serde_json::from_value::<ImportInput>(job.input.clone()) else {
        let reason = "the job was made by another version of Rapport; make it again";
        return import::fail(db, clock, under, reason).await.map(|_| ());
    };
    let ended = match stored::open(db, files, input.file).await {
        Ok(Ok(source)) => import::run(db, clock, under, input, source).await?,
        Ok(Err(reason)) => import::fail(db, clock, under, &reason).await?,
        Err(NotYet::Db(error)) => return Err(error),
        Err(error) => {
            tracing::warn!(job = %job.id.0, %error, "the import waits for its file");
            return Ok(());
        }
    };
    if ended == Ended::Lost {
        tracing::info!(job = %job.id.0, "the import was called off or taken over");
    }
    Ok(())
}
