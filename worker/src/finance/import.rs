//! The job that imports a file of receivables.
//!
//! Invariant: a job that was interrupted is run again from the start of its file, and ends as if it
//! had run once; a file that cannot be read ends its job, and is not tried again.

use std::fs::File;
use std::time::Duration;

use chrono::TimeDelta;
use entity::access::Actor;
use entity::automation::job;
use entity::automation::lease::Leased;
use entity::clock::Clock;
use entity::db::Db;
use entity::finance::import::{self, ImportError, ImportInput, Options, Under};
use object_store::ObjectStore;

use crate::collaboration::stored::{self, NotYet};

/// Imports the file that the leased `job` names, and renews its lease by `lease` with every chunk.
/// The job is finished afterwards, unless another worker has taken it over, or the file store does
/// not answer: then the job is due again when its lease ends.
///
/// # Errors
/// The database, or a rule; the job is due again too.
pub async fn run(
    db: &Db,
    clock: &Clock,
    files: &dyn ObjectStore,
    job: &job::Model,
    lease: Duration,
) -> Result<(), entity::Error> {
    let under = Under {
        job: Leased { id: job.id, fence: job.fence },
        actor: job.created_by.map_or(Actor::System, Actor::User),
        lease: TimeDelta::from_std(lease).unwrap_or(TimeDelta::seconds(30)),
    };
    let outcome = match prepare(db, files, job).await {
        Ok(Ok((source, options))) => {
            import::run(db, clock, Some(under), options, source, |_| {}).await.map(|_| ())
        }
        Ok(Err(reason)) => import::fail(db, clock, under, &reason).await,
        Err(NotYet::Db(error)) => return Err(error),
        Err(error) => {
            tracing::warn!(job = %job.id.0, %error, "the import waits for its file");
            return Ok(());
        }
    };
    match outcome {
        // Its report says why.
        Ok(()) | Err(ImportError::Unreadable(_)) => Ok(()),
        Err(ImportError::LeaseLost) => {
            tracing::warn!(job = %job.id.0, "another worker has taken the import over");
            Ok(())
        }
        Err(ImportError::Refused(error)) => Err(error),
    }
}

/// The job's file and how to import it; or the reason for which that can never be had.
async fn prepare(
    db: &Db,
    files: &dyn ObjectStore,
    job: &job::Model,
) -> Result<Result<(File, Options), String>, NotYet> {
    let Ok(input) = serde_json::from_value::<ImportInput>(job.input.clone()) else {
        let reason =
            "the import was started on a command line and broken off there; start it again";
        return Ok(Err(reason.to_owned()));
    };
    let file = input.file;
    let options = match input.options() {
        Ok(options) => options,
        Err(error) => return Ok(Err(error.to_string())),
    };
    Ok(stored::open(db, files, file).await?.map(|source| (source, options)))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use entity::access::organisation::{self, Settings};
    use entity::collaboration::file;
    use entity::finance::import::Report;
    use entity::finance::invoice;
    use entity::id::{FileId, Id};
    use entity::money::Currency;
    use futures::FutureExt;
    use object_store::ObjectStoreExt;
    use object_store::local::LocalFileSystem;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use sea_orm::{EntityTrait, PaginatorTrait};
    use tempfile::TempDir;

    use super::*;

    const LEASE: Duration = Duration::from_mins(1);
    const CSV: &str =
        "customer,invoice,invoice date,due date,amount\nC1,A-1,1/20/2013,2/19/2013,5\n";

    async fn office() -> (Db, Clock, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/rapport.db", folder.path().display());
        let db = Db::connect(&url, 4).await.unwrap();
        migration::migrate(db.reader()).await.unwrap();
        let now: DateTime<Utc> = "2026-11-22T02:00:00Z".parse().unwrap();
        let settings = Settings {
            name: "Cửu Long".into(),
            address: String::new(),
            tax_number: None,
            email: "office@example.vn".into(),
            phone: None,
            time_zone: chrono_tz::Asia::Ho_Chi_Minh,
            currency: Currency::USD,
            locale: "vi".into(),
        };
        db.write(move |txn| {
            organisation::set_up(txn, settings.clone(), Actor::System, now).boxed()
        })
        .await
        .unwrap();
        (db, Clock::manual(now), folder)
    }

    /// A leased job for `text` as a stored file, which it is only when `files` is given it.
    async fn leased(
        db: &Db,
        clock: &Clock,
        files: &dyn ObjectStore,
        text: Option<&str>,
    ) -> job::Model {
        let now = clock.now();
        let id = FileId::new(now);
        if let Some(text) = text {
            files.put(&Path::from(file::storage_key(id)), text.to_owned().into()).await.unwrap();
        }
        let input = serde_json::to_value(ImportInput::new(id)).unwrap();
        db.write(move |txn| {
            let input = input.clone();
            async move {
                let stored = file::Stored {
                    id,
                    size: 1,
                    sha256: String::new(),
                    media_type: "text/csv".to_owned(),
                };
                file::create(txn, stored, "a.csv", None, Actor::System, now).await?;
                let kind = job::Kind::ImportReceivables;
                let job = job::create(txn, kind, input, Actor::System, now).await?;
                job::lease(txn, job.id, now + TimeDelta::minutes(1), now).await
            }
            .boxed()
        })
        .await
        .unwrap()
        .unwrap()
    }

    async fn finished(db: &Db, id: entity::id::JobId) -> (job::State, Report) {
        let job = job::Entity::find_by_id(id).one(db.reader()).await.unwrap().unwrap();
        (job.state, serde_json::from_value(job.report.unwrap()).unwrap())
    }

    #[tokio::test]
    async fn a_job_imports_its_file_from_either_store() {
        let (db, clock, folder) = office().await;
        let local = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        let stores: [Box<dyn ObjectStore>; 2] = [Box::new(InMemory::new()), Box::new(local)];
        for (unchanged, store) in (0..).zip(stores) {
            let job = leased(&db, &clock, &*store, Some(CSV)).await;
            run(&db, &clock, &*store, &job, LEASE).await.unwrap();
            let (state, report) = finished(&db, job.id).await;
            assert_eq!(
                (state, report.counts.invoices_unchanged),
                (job::State::Succeeded, unchanged)
            );
        }
        assert_eq!(invoice::Entity::find().count(db.reader()).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_file_that_is_gone_or_no_table_fails_the_job_for_good() {
        let (db, clock, _folder) = office().await;
        let files = InMemory::new();
        for (text, why) in
            [(None, "the file is not in the file store any more"), (Some(""), "the file is empty")]
        {
            let job = leased(&db, &clock, &files, text).await;
            run(&db, &clock, &files, &job, LEASE).await.unwrap();
            let (state, report) = finished(&db, job.id).await;
            assert_eq!((state, report.error.as_deref()), (job::State::Failed, Some(why)));
        }
    }

    #[test]
    fn the_job_can_be_spawned() {
        fn spawnable<T: Send>(
            _: impl Fn(&'static Db, &'static Clock, &'static InMemory, &'static job::Model) -> T,
        ) {
        }
        spawnable(|db, clock, files, job| run(db, clock, files, job, LEASE));
    }
}
