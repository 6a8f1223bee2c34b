//! Receivables from other systems: a file of invoices becomes customers, invoices and payments.
//!
//! A first pass decides how the file has to be read, a second one takes it in chunks, each in one
//! transaction. Invariant: a file that is imported again, as a whole or after an interruption in the
//! middle, adds nothing that is there already; and nothing is written without a job to name.

mod apply;
mod compare;
pub(crate) mod decode;
mod format;
mod input;
mod mapping;
mod plan;
mod report;
mod rows;
mod survey;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::{Read, Seek};
use std::sync::Arc;

use chrono::TimeDelta;
use futures::FutureExt;
use sea_orm::entity::prelude::Json;
use tokio::sync::mpsc;

pub use format::{Basis, DateOrder, DecimalMark, UnknownFormat};
pub use input::{ImportInput, Options, Unreadable};
pub use mapping::{ColumnMapping, Field, MappingError};
pub use report::{BadRow, Counts, Formats, Report, Sums};
pub use rows::{Party, Place, Row};

use self::plan::{Fate, Outcome, Terms};
use self::rows::Read as Taken;
use self::survey::{Defaults, Survey};
use crate::access::audit::Origin;
use crate::access::{Actor, organisation};
use crate::automation::lease::Leased;
use crate::automation::{event, job};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::id::JobId;
use crate::money::Currency;

/// How many rows are taken in one transaction. The widest table has 20 columns and the ledger gets
/// four rows of 12 for each, so a chunk keeps to the 32,766 values that SQLite binds at once.
const CHUNK: u64 = 500;

/// How often a chunk is tried in which somebody else took a number meanwhile.
const ATTEMPTS: u32 = 3;

/// The job under which an import runs.
#[derive(Clone, Copy, Debug)]
pub struct Under {
    /// The job, which the caller has leased.
    pub job: Leased<JobId>,
    /// Who asked for it.
    pub actor: Actor,
    /// For how long the lease is renewed with every chunk.
    pub lease: TimeDelta,
}

/// How far an import has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows that are done.
    pub done: u64,
    /// Rows that the file has.
    pub total: u64,
}

/// Why an import did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read at all. The job has failed, and its report says why.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Another worker has the job now.
    #[error("another worker has taken the import over")]
    LeaseLost,
    /// The database or a rule refused. The import can be run again, and goes on where it stopped.
    #[error(transparent)]
    Refused(#[from] Error),
}

/// Rows of a chunk, in the order of the file.
#[derive(Default)]
struct Chunk {
    rows: Vec<(u64, Row)>,
    bad: Vec<BadRow>,
    repeated: u64,
    read: u64,
}

/// Imports the receivables in `source`, and ends the job. Without a job, and in a dry run, everything
/// is checked and nothing of the file is written. `watch` hears of every chunk.
///
/// # Errors
/// [`ImportError`]. Bad rows are none: they stand in the report.
pub async fn run<R>(
    db: &Db,
    clock: &Clock,
    under: Option<Under>,
    options: Options,
    source: R,
    watch: impl FnMut(Progress) + Send,
) -> Result<Report, ImportError>
where
    R: Read + Seek + Send + 'static,
{
    let outcome = read_all(db, clock, under, options, source, watch).await;
    let (report, state) = match &outcome {
        Ok(report) => (report.clone(), job::State::Succeeded),
        Err(ImportError::Unreadable(reason)) => (Report::failed(reason), job::State::Failed),
        Err(_) => return outcome,
    };
    if let Some(under) = under {
        end(db, clock, under, state, &report).await?;
    }
    outcome
}

/// Ends a job whose file cannot even be had, for `reason`.
///
/// # Errors
/// [`ImportError`], but not `Unreadable`.
pub async fn fail(
    db: &Db,
    clock: &Clock,
    under: Under,
    reason: &impl std::fmt::Display,
) -> Result<(), ImportError> {
    end(db, clock, under, job::State::Failed, &Report::failed(reason)).await
}

async fn read_all<R>(
    db: &Db,
    clock: &Clock,
    under: Option<Under>,
    options: Options,
    mut source: R,
    mut watch: impl FnMut(Progress) + Send,
) -> Result<Report, ImportError>
where
    R: Read + Seek + Send + 'static,
{
    let organisation = organisation::get(db.reader()).await?;
    let defaults = Defaults {
        language: organisation.locale.clone(),
        currency: organisation.currency,
        today: organisation.today(clock.now()),
    };
    let (dry_run, receipts) = (options.dry_run || under.is_none(), options.receipts);
    let today = defaults.today;
    let surveyed = tokio::task::spawn_blocking(move || {
        let survey = Survey::of(&mut source, &options, &defaults)?;
        Ok::<_, Unreadable>((survey, source))
    });
    let (survey, source) = surveyed.await.map_err(|_| Unreadable::BrokenOff)??;
    let survey = Arc::new(survey);
    let mut report = Report {
        dry_run,
        formats: Some(survey.formats.clone()),
        ignored_columns: survey.mapping.ignored().map(str::to_owned).collect(),
        ..Report::default()
    };
    let terms =
        Arc::new(Terms { organisation, mapping: survey.mapping.clone(), under, dry_run, receipts });
    let total = survey.rows;
    let mut chunks = chunks(survey, source, today);
    let mut customers = HashMap::new();
    while let Some(chunk) = chunks.recv().await {
        let chunk = chunk?;
        report.counts.rows += chunk.read;
        report.counts.repeated += chunk.repeated;
        let progress = Progress { done: report.counts.rows, total };
        let outcome = take(db, clock, &terms, chunk.rows.into(), progress).await?;
        let mut bad = chunk.bad;
        bad.extend(outcome.bad);
        bad.sort_by_key(|row| row.line);
        for row in bad {
            report.refuse(row);
        }
        for (number, fate) in outcome.customers {
            let known = customers.entry(number).or_insert(fate);
            *known = (*known).max(fate);
        }
        report.counts.invoices_created += outcome.counts.invoices_created;
        report.counts.invoices_settled += outcome.counts.invoices_settled;
        report.counts.invoices_unchanged += outcome.counts.invoices_unchanged;
        report.counts.payments_created += outcome.counts.payments_created;
        report.counts.receipts_issued += outcome.counts.receipts_issued;
        for (invoiced, paid) in outcome.sums {
            report.add(invoiced, paid);
        }
        watch(progress);
    }
    if report.counts.rows != total {
        return Err(Unreadable::BrokenOff.into());
    }
    let of = |fate: Fate| customers.values().filter(|known| **known == fate).count() as u64;
    report.counts.customers_created = of(Fate::Created);
    report.counts.customers_updated = of(Fate::Updated);
    report.counts.customers_unchanged = of(Fate::Unchanged);
    Ok(report)
}

/// Reads the file on a thread of its own, at most two chunks ahead of the database.
fn chunks<R>(
    survey: Arc<Survey>,
    source: R,
    today: chrono::NaiveDate,
) -> mpsc::Receiver<Result<Chunk, Unreadable>>
where
    R: Read + Seek + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let outcome =
            read_chunks(&survey, source, today, |chunk| sender.blocking_send(Ok(chunk)).is_ok());
        if let Err(error) = outcome {
            // Nobody listens when the import has ended before its file has.
            let _ = sender.blocking_send(Err(error.into()));
        }
    });
    receiver
}

/// All rows of a file, whatever day it is, and how many cannot be read.
///
/// # Errors
/// [`Unreadable`].
pub fn rows<R: Read + Seek>(
    mut source: R,
    options: &Options,
) -> Result<(Vec<Row>, usize), Unreadable> {
    let defaults = Defaults {
        language: "en".to_owned(),
        currency: options.currency.unwrap_or(Currency::USD),
        today: chrono::NaiveDate::MAX,
    };
    let survey = Survey::of(&mut source, options, &defaults)?;
    let taken = std::cell::RefCell::new((Vec::new(), 0));
    read_chunks(&survey, source, defaults.today, |chunk| {
        let (rows, bad) = &mut *taken.borrow_mut();
        rows.extend(chunk.rows.into_iter().map(|(_, row)| row));
        *bad += chunk.bad.len();
        true
    })?;
    Ok(taken.into_inner())
}

/// Hands the file's rows to `send` until it does not want any more.
fn read_chunks<R: Read + Seek>(
    survey: &Survey,
    source: R,
    today: chrono::NaiveDate,
    send: impl Fn(Chunk) -> bool,
) -> std::io::Result<()> {
    let mut records = survey.records(source)?;
    let mut reader = survey.reader(today);
    let mut chunk = Chunk::default();
    records.next()?;
    while let Some((line, record)) = records.next()? {
        chunk.read += 1;
        match reader.read(line, record) {
            Taken::Row(row) => chunk.rows.push((line, row)),
            Taken::Bad(bad) => chunk.bad.push(bad),
            Taken::Repeated => chunk.repeated += 1,
        }
        if chunk.read == CHUNK && !send(std::mem::take(&mut chunk)) {
            return Ok(());
        }
    }
    if chunk.read > 0 {
        send(chunk);
    }
    Ok(())
}

/// Takes the rows of one chunk, in one transaction with the job's progress.
async fn take(
    db: &Db,
    clock: &Clock,
    terms: &Arc<Terms>,
    rows: Arc<[(u64, Row)]>,
    progress: Progress,
) -> Result<Outcome, ImportError> {
    let mut attempt = 1;
    loop {
        let now = clock.now();
        let (terms, rows) = (terms.clone(), rows.clone());
        let origin = terms.under.as_ref().map_or_else(Origin::default, |under| {
            Origin::new(under.actor, now).in_job(under.job.id)
        });
        let taken = db
            .write_as(&origin, move |txn| {
                let (terms, rows) = (terms.clone(), rows.clone());
                async move {
                    if let Some(under) = &terms.under
                        && !go_on(txn, under, progress, now).await?
                    {
                        return Ok(None);
                    }
                    let (outcome, plan) = plan::of(txn, &terms, &rows, now).await?;
                    if !terms.dry_run {
                        apply::write(txn, &terms, plan, now).await?;
                    }
                    Ok(Some(outcome))
                }
                .boxed()
            })
            .await;
        match taken {
            Ok(outcome) => return outcome.ok_or(ImportError::LeaseLost),
            // Somebody else has just added a customer or an invoice of this chunk: now it is known.
            Err(Error::NotUnique { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Notes the progress and renews the lease; false when somebody else has it.
async fn go_on(
    txn: &impl sea_orm::ConnectionTrait,
    under: &Under,
    Progress { done, total }: Progress,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<bool, Error> {
    let count = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    let Leased { id, fence } = under.job;
    job::progress(txn, id, fence, count(done), count(total), now + under.lease).await
}

/// Ends the job, and says once that something came in.
async fn end(
    db: &Db,
    clock: &Clock,
    under: Under,
    state: job::State,
    report: &Report,
) -> Result<(), ImportError> {
    let json = serde_json::to_value(report).unwrap_or(Json::Null);
    let now = clock.now();
    let progress = Progress { done: report.counts.rows, total: report.counts.rows };
    let Leased { id, fence } = under.job;
    let came_in = report.changes() && !report.dry_run;
    let held = db
        .write(move |txn| {
            let json = json.clone();
            async move {
                if !go_on(txn, &under, progress, now).await? {
                    return Ok(false);
                }
                if came_in {
                    let kind = event::Kind::ReceivablesImported;
                    event::emit(txn, kind, id.0, None, under.actor, now).await?;
                }
                job::finish(txn, id, fence, state, json, now).await?;
                Ok(true)
            }
            .boxed()
        })
        .await?;
    if held { Ok(()) } else { Err(ImportError::LeaseLost) }
}
