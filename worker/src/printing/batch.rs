//! The job that prints letters: one file with all letters of its batch.
//!
//! Invariant: the file has the job's own id, so a job that is run twice leaves one file. A job that cannot make it lets its
//! letters wait for another one.

use std::time::Duration;

use chrono::TimeDelta;
use entity::access::Actor;
use entity::access::audit::Origin;
use entity::automation::lease::Leased;
use entity::automation::{job, printing};
use entity::clock::Clock;
use entity::collaboration::export::{self, Written};
use entity::collaboration::file;
use entity::db::Db;
use futures::FutureExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::bundle::bundle;
use crate::document::Documents;
use crate::relay::chain;

/// Prints the letters of the leased `job`, and renews its lease by `lease` meanwhile.
///
/// # Errors
/// The database; the job is due again when its lease ends.
pub async fn run(
    db: &Db,
    clock: &Clock,
    files: &dyn ObjectStore,
    documents: &Documents,
    job: &job::Model,
    lease: Duration,
) -> Result<(), entity::Error> {
    let request = printing::Request::deserialize(&job.input).unwrap_or_default();
    let letters = printing::batch(db.reader(), job.id).await?;
    if letters.is_empty() {
        return fail(db, clock, job, "nothing is left of its letters").await;
    }
    let count = letters.len();
    let rows = i64::try_from(count).unwrap_or_default();
    let documents = documents.clone();
    let mut making =
        tokio::task::spawn_blocking(move || bundle(&documents, letters, request.duplex));
    let mut beat = tokio::time::interval(lease / 3);
    let made = loop {
        tokio::select! {
            made = &mut making => match made {
                Ok(made) => break made,
                Err(_) => return fail(db, clock, job, "the letters cannot be put together").await,
            },
            _ = beat.tick() => {
                let leased = Leased { id: job.id, fence: job.fence };
                let until = clock.now() + TimeDelta::from_std(lease).unwrap_or(TimeDelta::seconds(30));
                let held = db.write(move |txn| job::advance(txn, leased, 0, until).boxed());
                if held.await?.is_none() {
                    tracing::info!(job = %job.id.0, "the printing was called off or taken over");
                    return Ok(());
                }
            }
        }
    };
    let bytes = match made {
        Ok(bytes) => bytes,
        Err(error) => return fail(db, clock, job, &chain(&error)).await,
    };
    let now = clock.now();
    let written = Written {
        media_type: "application/zip",
        name: format!("letters-{}.zip", now.format("%Y%m%d-%H%M")),
        size: i64::try_from(bytes.len()).unwrap_or_default(),
        sha256: entity::text::hex(&Sha256::digest(&bytes)),
        rows,
    };
    let key = Path::from(file::storage_key(export::file_of(job.id)));
    if let Err(error) = files.put(&key, bytes.into()).await {
        tracing::warn!(job = %job.id.0, %error, "the printing is due again");
        return Ok(());
    }
    let leased = Leased { id: job.id, fence: job.fence };
    let actor = job.created_by.map_or(Actor::System, Actor::User);
    let origin = Origin::new(actor, now).in_job(job.id);
    let held = db.write_as(&origin, move |txn| {
        let written = written.clone();
        async move {
            // Nobody is printed who was to be forgotten meanwhile.
            let is_whole = printing::is_whole(txn, leased.id, count).await?;
            Ok(is_whole && export::finish(txn, leased, &written, now).await?)
        }
        .boxed()
    });
    if !held.await? {
        tracing::info!(job = %job.id.0, "the printing was called off or taken over, or is due again");
    }
    Ok(())
}

/// Ends a job that leaves nothing.
async fn fail(db: &Db, clock: &Clock, job: &job::Model, why: &str) -> Result<(), entity::Error> {
    let (leased, now) = (Leased { id: job.id, fence: job.fence }, clock.now());
    let report = serde_json::json!({ "error": why });
    let failed = db.write(move |txn| {
        let report = report.clone();
        async move { printing::fail(txn, leased, report, now).await }.boxed()
    });
    failed.await
}
