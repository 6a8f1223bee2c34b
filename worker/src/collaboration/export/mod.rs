//! The job that writes a list into a file.
//!
//! Invariant: neither the list nor the file is ever whole in memory: pages go to a thread that writes them
//! into a file without a name, and from there to the store in blocks.

mod sheet;

use std::fs::File;
use std::io::SeekFrom;
use std::time::Duration;

use chrono::TimeDelta;
use entity::access::Actor;
use entity::access::audit::Origin;
use entity::automation::job;
use entity::automation::lease::Leased;
use entity::catalog::Cell;
use entity::clock::Clock;
use entity::collaboration::export::{self, Export, Request, Written};
use entity::collaboration::file;
use entity::db::Db;
use futures::FutureExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::mpsc;

use self::sheet::SheetError;

/// How much of a file is read at once.
const BLOCK: usize = 256 * 1024;

/// Why a job does not come to its end.
enum Stop {
    /// It is due again when its lease ends.
    Again(entity::Error),
    /// The file could not be written or stored; it is due again too.
    Later(String),
    /// It cannot be done.
    Never(String),
    /// Another worker has it, or it was called off.
    Lost,
}

impl<E: Into<entity::Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Again(error.into())
    }
}

/// Exports what the leased `job` says, and renews its lease by `lease` with every page.
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
    let leased = Leased { id: job.id, fence: job.fence };
    match write(db, clock, files, job, lease).await {
        Ok(()) => Ok(()),
        Err(Stop::Again(error)) => Err(error),
        Err(Stop::Later(reason)) => {
            tracing::warn!(job = %job.id.0, reason, "an export is due again");
            Ok(())
        }
        Err(Stop::Never(reason)) => {
            let report = serde_json::json!({ "error": reason });
            let now = clock.now();
            let failed = db.write(move |txn| {
                let report = report.clone();
                async move {
                    job::finish(txn, leased.id, leased.fence, job::State::Failed, report, now).await
                }
                .boxed()
            });
            failed.await
        }
        Err(Stop::Lost) => {
            tracing::info!(job = %job.id.0, "the export was called off or taken over");
            Ok(())
        }
    }
}

async fn write(
    db: &Db,
    clock: &Clock,
    files: &dyn ObjectStore,
    job: &job::Model,
    lease: TimeDelta,
) -> Result<(), Stop> {
    let (request, mut export) =
        export::open(db.reader(), job, clock.now()).await?.map_err(Stop::Never)?;
    let total = export.total(db.reader()).await?;
    let (pages, taken) = mpsc::channel(2);
    let (format, headings) = (request.format, export.headings());
    let sheet = tokio::task::spawn_blocking(move || sheet::write(format, &headings, taken));
    let rows = feed(db, clock, job, lease, &mut export, total, pages).await?;
    let broken = |error: &dyn std::fmt::Display| Stop::Later(error.to_string());
    let spooled = match sheet.await.map_err(|error| broken(&error))? {
        Ok(spooled) => spooled,
        Err(error @ SheetError::TooLong) => return Err(Stop::Never(error.to_string())),
        Err(error) => return Err(broken(&error)),
    };
    let (size, sha256) = store(files, job, spooled).await.map_err(|error| broken(&*error))?;
    let now = clock.now();
    let name = name(&request, now);
    let media_type = request.format.media_type();
    let written = Written { media_type, name, size, sha256, rows };
    let leased = Leased { id: job.id, fence: job.fence };
    let actor = job.created_by.map_or(Actor::System, Actor::User);
    let origin = Origin::new(actor, now).in_job(job.id);
    let held = db.write_as(&origin, move |txn| {
        let written = written.clone();
        async move { export::finish(txn, leased, &written, now).await }.boxed()
    });
    if held.await? { Ok(()) } else { Err(Stop::Lost) }
}

/// Hands the pages to `pages`, and gives how many rows they have.
async fn feed(
    db: &Db,
    clock: &Clock,
    job: &job::Model,
    lease: TimeDelta,
    export: &mut Export,
    total: i64,
    pages: mpsc::Sender<Vec<Vec<Cell>>>,
) -> Result<i64, Stop> {
    let (id, fence) = (job.id, job.fence);
    let mut done = 0;
    while let Some(rows) = export.next(db.reader()).await? {
        done += i64::try_from(rows.len()).unwrap_or_default();
        if pages.send(rows).await.is_err() {
            // The sheet has ended early, and says why.
            break;
        }
        let (total, until) = (total.max(done), clock.now() + lease);
        let held =
            db.write(move |txn| job::progress(txn, id, fence, done, total, until).boxed()).await?;
        if !held {
            return Err(Stop::Lost);
        }
    }
    Ok(done)
}

/// Puts a file into the store, under the job's own name; gives its size and hash.
async fn store(
    files: &dyn ObjectStore,
    job: &job::Model,
    spooled: File,
) -> Result<(i64, String), Box<dyn std::error::Error + Send + Sync>> {
    let mut spooled = tokio::fs::File::from_std(spooled);
    spooled.seek(SeekFrom::Start(0)).await?;
    let key = Path::from(file::storage_key(export::file_of(job.id)));
    let mut upload = WriteMultipart::new(files.put_multipart(&key).await?);
    let (mut block, mut size, mut hash) = (vec![0; BLOCK], 0, Sha256::new());
    loop {
        let read = spooled.read(&mut block).await?;
        if read == 0 {
            break;
        }
        size += i64::try_from(read)?;
        hash.update(&block[..read]);
        upload.wait_for_capacity(4).await?;
        upload.write(&block[..read]);
    }
    upload.finish().await?;
    Ok((size, entity::text::hex(&hash.finalize())))
}

/// What the file is called, such as `customers-20261125-0930.csv`.
fn name(request: &Request, now: chrono::DateTime<chrono::Utc>) -> String {
    let (list, end) = (&request.list, request.format.extension());
    format!("{list}-{}.{end}", now.format("%Y%m%d-%H%M"))
}

/// Removes files that nobody can fetch any more.
///
/// # Errors
/// The database.
pub async fn sweep(db: &Db, clock: &Clock, files: &dyn ObjectStore) -> Result<(), entity::Error> {
    let now = clock.now();
    let origin = Origin::new(Actor::System, now);
    for (job, key) in export::expired(db.reader(), now).await? {
        match files.delete(&Path::from(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {
                db.write_as(&origin, move |txn| export::forget(txn, job).boxed()).await?;
            }
            Err(error) => {
                tracing::warn!(job = %job.0, %error, "an expired file could not be removed");
            }
        }
    }
    Ok(())
}
