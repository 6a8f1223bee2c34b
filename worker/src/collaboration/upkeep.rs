//! Keeping files tidy, once a day: uploads that nobody used are forgotten, documents that were deleted long
//! ago are removed for good, and so are files that were imported long ago, what jobs know of them, what the
//! file store has and no row names, and letters of customers who are gone.
//!
//! Invariant: rows go first and bytes after them, so that no row is ever without its bytes; whatever is
//! broken off is done again from the start, and by one worker at a time.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use entity::access::Actor;
use entity::access::audit::Origin;
use entity::automation::lease::Fence;
use entity::automation::{chore, job, printing};
use entity::clock::Clock;
use entity::collaboration::{document, file, upload};
use entity::db::Db;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio_util::sync::CancellationToken;

use crate::relay::chain;

/// What this chore is called.
const NAME: &str = "files";

/// How often it is looked whether it is due.
const LOOK: Duration = Duration::from_mins(1);

/// How often it is done.
const EVERY: TimeDelta = TimeDelta::days(1);

/// How long a page of it may take before others take over.
const LEASE: TimeDelta = TimeDelta::minutes(10);

/// How old bytes without a row are before they are removed; no upload takes as long.
const ORPHANED: TimeDelta = TimeDelta::days(1);

/// How many rows or objects are looked at together.
const PAGE: u64 = 500;

/// Where the bytes are.
const FOLDER: &str = "uploads";

/// Why it was broken off.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The database.
    #[error(transparent)]
    Db(#[from] entity::Error),
    /// The file store.
    #[error("the file store")]
    Store(#[from] object_store::Error),
    /// The folder of the file store.
    #[error("the folder of the file store")]
    Folder(#[from] std::io::Error),
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Uploads that had expired.
    pub uploads: u64,
    /// Documents that were deleted long ago.
    pub documents: u64,
    /// Files that were imported long ago.
    pub imported: u64,
    /// Jobs that ended long ago and knew details.
    pub jobs: u64,
    /// Objects without a row.
    pub objects: u64,
    /// Letters of customers who are removed for good.
    pub letters: u64,
}

/// Keeps files tidy.
#[derive(Clone)]
pub struct Upkeep {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// The file store.
    pub files: Arc<dyn ObjectStore>,
    /// The folder that the file store is, where it is one.
    pub folder: Option<PathBuf>,
}

impl Upkeep {
    /// Works until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = look.tick() => {}
            }
            // What is broken off between two pages is done again, by whoever comes next.
            let tidied = tokio::select! {
                () = shutdown.cancelled() => return,
                tidied = self.tidy() => tidied,
            };
            match tidied {
                Ok(Some(tidied)) => tracing::info!(?tidied, "files are tidy"),
                Ok(None) => {}
                Err(error) => tracing::warn!(error = %chain(&error), "files are not tidy yet"),
            }
        }
    }

    /// Tidies up if that is due and nobody else does; gives what was removed.
    ///
    /// # Errors
    /// [`UpkeepError`]; it is due again when the lease ends.
    pub async fn tidy(&self) -> Result<Option<Tidied>, UpkeepError> {
        let now = self.clock.now();
        let claimed = self.db.write(|txn| chore::claim(txn, NAME, LEASE, now).boxed());
        let Some(fence) = claimed.await? else { return Ok(None) };
        let mut tidied = Tidied::default();
        loop {
            let forgotten = self.db.write(|txn| upload::forget(txn, now, PAGE).boxed()).await?;
            tidied.uploads += forgotten;
            if forgotten < PAGE {
                break;
            }
        }
        let before = now - TimeDelta::days(document::KEPT_DAYS);
        let origin = Origin::new(Actor::System, now);
        loop {
            let purged = self
                .db
                .write_as(&origin, |txn| document::purge(txn, before, PAGE, now).boxed())
                .await?;
            tidied.documents += purged;
            if purged < PAGE || !self.renew(fence).await? {
                break;
            }
        }
        let before = now - TimeDelta::days(file::IMPORTED_DAYS);
        loop {
            let forgotten = self
                .db
                .write_as(&origin, |txn| file::forget_imported(txn, before, PAGE, now).boxed())
                .await?;
            tidied.imported += forgotten;
            if forgotten < PAGE || !self.renew(fence).await? {
                break;
            }
        }
        let before = now - TimeDelta::days(job::DETAILED_DAYS);
        tidied.jobs = self.db.write(|txn| job::forget_details(txn, before).boxed()).await?;
        let old = now - ORPHANED;
        tidied.objects += self.sweep(fence, old).await?;
        tidied.letters += self.sweep_letters(fence).await?;
        tidied.objects += self.sweep_parts(old).await?;
        let due = now + EVERY;
        self.db.write(|txn| chore::settle(txn, NAME, fence, due).boxed()).await?;
        Ok(Some(tidied))
    }

    /// Keeps the lease; gives whether it is still ours.
    async fn renew(&self, fence: Fence) -> Result<bool, UpkeepError> {
        let until = self.clock.now() + LEASE;
        Ok(self.db.write(|txn| chore::renew(txn, NAME, fence, until).boxed()).await?)
    }

    /// Removes what is older than `old` and has no row.
    async fn sweep(&self, fence: Fence, old: DateTime<Utc>) -> Result<u64, UpkeepError> {
        let mut removed = 0;
        let size = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let mut pages = self.files.list(Some(&Path::from(FOLDER))).try_chunks(size);
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| error.1)?.into_iter();
            let aged = page.filter(|object| object.last_modified < old);
            let aged: Vec<Path> = aged.map(|object| object.location).collect();
            let keys = aged.iter().map(|path| path.as_ref().to_owned());
            let used = file::used(self.db.reader(), keys).await.map_err(entity::Error::from)?;
            let used: HashSet<String> = used.into_iter().collect();
            let orphans = aged.into_iter().filter(|path| !used.contains(path.as_ref()));
            removed += self.remove(orphans).await?;
            if !self.renew(fence).await? {
                break;
            }
        }
        Ok(removed)
    }

    /// Removes objects; gives how many of them were there.
    async fn remove(&self, orphans: impl Iterator<Item = Path>) -> Result<u64, UpkeepError> {
        let mut removed = 0;
        for orphan in orphans {
            match self.files.delete(&orphan).await {
                Ok(()) => removed += 1,
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(removed)
    }

    /// Removes letters of which there is no message any more. One that was stored has a message, which only goes with its
    /// customer.
    async fn sweep_letters(&self, fence: Fence) -> Result<u64, UpkeepError> {
        let mut removed = 0;
        let size = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let mut pages = self.files.list(Some(&Path::from(printing::FOLDER))).try_chunks(size);
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| error.1)?.into_iter();
            let named = page.filter_map(|object| {
                Some((printing::of_key(object.location.as_ref())?, object.location))
            });
            let named = named.collect::<Vec<_>>();
            let ids = named.iter().map(|(id, _)| *id);
            let known =
                printing::known(self.db.reader(), ids).await.map_err(entity::Error::from)?;
            let known = known.into_iter().collect::<HashSet<_>>();
            let orphans = named.into_iter().filter(|(id, _)| !known.contains(id));
            removed += self.remove(orphans.map(|(_, path)| path)).await?;
            if !self.renew(fence).await? {
                break;
            }
        }
        Ok(removed)
    }

    /// Removes parts of files that a killed process left in the folder, such as `uploads/x#1`. The store
    /// does not list them.
    async fn sweep_parts(&self, old: DateTime<Utc>) -> Result<u64, UpkeepError> {
        let Some(folder) = &self.folder else { return Ok(0) };
        let mut entries = match tokio::fs::read_dir(folder.join(FOLDER)).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let mut removed = 0;
        while let Some(entry) = entries.next_entry().await? {
            let is_part = entry.file_name().to_string_lossy().contains('#');
            if is_part && entry.metadata().await?.modified()? < SystemTime::from(old) {
                tokio::fs::remove_file(entry.path()).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}
