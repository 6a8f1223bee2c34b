//! Customers from a file, as a job.
//!
//! Invariant: rows are taken by the hundred, each hundred in one transaction with the job's progress and
//! report, so an import that is run again goes on where it stopped and adds nothing twice.

mod mapping;
pub mod template;
mod undo;

use std::io::{Read, Seek};

use chrono::TimeDelta;
use futures::FutureExt;
use sea_orm::ConnectionTrait;
use sea_orm::entity::prelude::{DateTimeUtc, Json};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

pub(crate) use mapping::Columns;
pub use mapping::FIELDS;
pub use undo::undo;

use super::custom;
use super::customer::{self, Change, Duplicates, Fate, MatchOn, Terms};
use crate::access::audit::Origin;
use crate::access::{Actor, organisation, user};
use crate::automation::job;
use crate::automation::lease::Leased;
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::finance::import::{Unreadable, decode};
use crate::id::{FileId, JobId};

/// How many rows are taken in one transaction.
const CHUNK: usize = 500;

/// How many bad rows a report names.
const NAMED: usize = 1_000;

/// How a file is to be imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportInput {
    /// The file.
    pub file: FileId,
    /// Columns, and the names of the fields that they fill; what is not among them is found out.
    pub mapping: Vec<(String, String)>,
    /// By what a row finds a customer that is there.
    pub match_on: MatchOn,
    /// What becomes of a row that finds one.
    pub duplicates: Duplicates,
}

/// The job under which an import runs.
#[derive(Clone, Copy, Debug)]
pub struct Under {
    /// The job, which the caller has leased.
    pub job: Leased<JobId>,
    /// How many rows it has taken already.
    pub done: i64,
    /// Who asked for it.
    pub actor: Actor,
    /// For how long the lease is renewed with every chunk.
    pub lease: TimeDelta,
}

impl Under {
    /// The job that the caller has leased, and renews for `lease`.
    #[must_use]
    pub fn of(job: &job::Model, lease: TimeDelta) -> Self {
        Self {
            job: Leased { id: job.id, fence: job.fence },
            done: job.done,
            actor: job.created_by.map_or(Actor::System, Actor::User),
            lease,
        }
    }
}

/// What came of an import so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Why the file could not be read; then the rest is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Customers that were added.
    pub created: u64,
    /// Customers that were there and were changed.
    pub updated: u64,
    /// Rows whose customer was there and stayed as it was.
    pub skipped: u64,
    /// Rows that were not taken.
    pub bad: u64,
    /// The first of them.
    pub bad_rows: Vec<BadRow>,
}

/// A row that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// The line of the file on which it begins, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// How an import ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its report says what came of it.
    Done,
    /// Somebody else has it now, or it was called off.
    Lost,
}

/// A row of the file: its line, and what it says or why it says nothing.
type Row = (u64, Result<Change, String>);

/// Imports the customers in `source`, and ends the job.
///
/// # Errors
/// The database; the job can be run again, and goes on where it stopped.
pub async fn run<R>(
    db: &Db,
    clock: &Clock,
    under: Under,
    input: ImportInput,
    source: R,
) -> Result<Ended, Error>
where
    R: Read + Seek + Send + 'static,
{
    let language = organisation::get(db.reader()).await?.locale;
    let fields = visible(db.reader(), under.actor, clock.now()).await?;
    let (sender, mut chunks) = mpsc::channel(2);
    let (given, skip) = (input.mapping.clone(), usize::try_from(under.done).unwrap_or_default());
    tokio::task::spawn_blocking(move || {
        let outcome = read(source, &language, (&given, &fields), skip, |chunk| {
            sender.blocking_send(Ok(chunk)).is_ok()
        });
        if let Err(error) = outcome {
            // Nobody listens when the import has ended before its file has.
            let _ = sender.blocking_send(Err(error));
        }
    });
    while let Some(chunk) = chunks.recv().await {
        let chunk: Vec<Row> = match chunk {
            Ok(chunk) => chunk,
            Err(error) => return fail(db, clock, under, &error.to_string()).await,
        };
        if !take(db, clock, under, &input, chunk).await? {
            return Ok(Ended::Lost);
        }
    }
    end(db, clock, under, job::State::Succeeded, None).await
}

/// The custom fields that whoever imports may fill.
async fn visible(
    db: &impl ConnectionTrait,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Vec<custom::Model>, Error> {
    let mut fields = custom::definition::in_use(db).await?;
    if let (Some(id), false) = (actor.user(), fields.is_empty()) {
        let viewer = user::viewer(db, id, now).await?;
        let sees = |field: &custom::Model| {
            viewer.as_ref().is_some_and(|viewer| field.is_visible_to(viewer))
        };
        fields.retain(sees);
    }
    Ok(fields)
}

/// Ends a job whose file cannot be had or read, for `reason`.
///
/// # Errors
/// The database.
pub async fn fail(db: &Db, clock: &Clock, under: Under, reason: &str) -> Result<Ended, Error> {
    let report = Report { error: Some(reason.to_owned()), ..Report::default() };
    end(db, clock, under, job::State::Failed, Some(report)).await
}

/// Hands the file's rows after the first `skip` to `send`, until it does not want any more.
fn read<R: Read + Seek>(
    mut source: R,
    language: &str,
    (given, fields): (&[(String, String)], &[custom::Model]),
    skip: usize,
    send: impl Fn(Vec<Row>) -> bool,
) -> Result<(), Unreadable> {
    let encoding = decode::detect(&mut source, language)?;
    let delimiter = decode::delimiter(&mut source, encoding)?;
    let mut records = decode::Records::new(source, encoding, delimiter)?;
    let (_, header) = records.next()?.ok_or(Unreadable::Empty)?;
    let columns = Columns::of(header, given, fields)?;
    let (mut chunk, mut place) = (Vec::with_capacity(CHUNK), 0);
    while let Some((line, record)) = records.next()? {
        place += 1;
        if place <= skip {
            continue;
        }
        chunk.push((line, columns.read(record)));
        if chunk.len() == CHUNK && !send(std::mem::take(&mut chunk)) {
            return Ok(());
        }
    }
    if !chunk.is_empty() {
        send(chunk);
    }
    Ok(())
}

/// Takes the rows of one chunk; false when the job is not the caller's any more.
async fn take(
    db: &Db,
    clock: &Clock,
    under: Under,
    input: &ImportInput,
    chunk: Vec<Row>,
) -> Result<bool, Error> {
    let now = clock.now();
    let Under { job: leased, actor, lease, .. } = under;
    let terms = Terms {
        match_on: input.match_on,
        duplicates: input.duplicates,
        all_or_none: false,
        needs_key: false,
        import: Some(leased.id),
    };
    let origin = Origin::new(actor, now).in_job(leased.id);
    db.write_as(&origin, move |txn| {
        let chunk = chunk.clone();
        async move {
            let until = now + lease;
            let Some(job) = job::advance(txn, leased, chunk.len(), until).await? else {
                return Ok(false);
            };
            let report = job.report.and_then(|report| serde_json::from_value(report).ok());
            let mut report: Report = report.unwrap_or_default();
            let (mut lines, mut rows, mut bad) = (Vec::new(), Vec::new(), Vec::new());
            for (line, row) in chunk {
                match row {
                    Ok(row) => {
                        lines.push(line);
                        rows.push(row);
                    }
                    Err(reason) => bad.push((line, reason)),
                }
            }
            let outcomes = customer::upsert(txn, rows, terms, actor, now).await?;
            for (line, outcome) in lines.into_iter().zip(outcomes) {
                match outcome.map(|row| row.fate) {
                    Ok(Fate::Created) => report.created += 1,
                    Ok(Fate::Changed) => report.updated += 1,
                    Ok(Fate::Kept) => report.skipped += 1,
                    Err(error) => bad.push((line, error.to_string())),
                }
            }
            bad.sort_unstable();
            for (line, reason) in bad {
                report.refuse(line, reason);
            }
            job::note(txn, leased, serde_json::to_value(&report).unwrap_or_default()).await?;
            Ok(true)
        }
        .boxed()
    })
    .await
}

impl Report {
    fn refuse(&mut self, line: u64, reason: String) {
        self.bad += 1;
        if self.bad_rows.len() < NAMED {
            self.bad_rows.push(BadRow { line, reason });
        }
    }
}

/// Ends the job with the report that it has, or with another one.
async fn end(
    db: &Db,
    clock: &Clock,
    under: Under,
    state: job::State,
    report: Option<Report>,
) -> Result<Ended, Error> {
    let now = clock.now();
    let leased = under.job;
    let held = db.write(move |txn| {
        let report = report.clone();
        async move {
            let Some(job) = job::advance(txn, leased, 0, now + under.lease).await? else {
                return Ok(false);
            };
            let so_far = job.report.unwrap_or_else(|| to_json(&Report::default()));
            let report = report.as_ref().map_or(so_far, to_json);
            job::count(txn, leased.id, job.done).await?;
            job::finish(txn, leased.id, leased.fence, state, report, now).await?;
            Ok(true)
        }
        .boxed()
    });
    Ok(if held.await? { Ended::Done } else { Ended::Lost })
}

fn to_json(report: &Report) -> Json {
    serde_json::to_value(report).unwrap_or_default()
}
