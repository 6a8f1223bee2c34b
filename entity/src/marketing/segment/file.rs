//! Customers for a list from a file, as a job: each row says who by a number, an e-mail address or a telephone number.
//!
//! Invariant: a row stands for one customer or for nobody, and the report says of each row that adds nobody why. Everything
//! is matched before anybody is added, so that a dry run, or a file of which every row has to be matched, changes nothing.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Seek};

use futures::FutureExt;
use sea_orm::entity::prelude::*;
use sea_orm::{QuerySelect, Value as Bound};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::list;
use crate::access::audit::Origin;
use crate::access::{Viewer, organisation};
use crate::automation::job;
use crate::catalog::Cataloged;
use crate::clock::Clock;
use crate::customers::customer::{self, Change, phone_key};
use crate::customers::import::{Columns, Ended, Under};
use crate::customers::parse_email;
use crate::db::Db;
use crate::error::Error;
use crate::finance::import::{Unreadable, decode};
use crate::id::{CustomerId, FileId, SegmentId};

/// How many rows are matched at once.
const CHUNK: usize = 500;

/// How many customers are added in one transaction.
const BATCH: usize = 5_000;

/// How many rows a report names.
const NAMED: usize = 1_000;

/// What is added to which list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInput {
    /// The list.
    pub segment: SegmentId,
    /// The file.
    pub file: FileId,
    /// Columns, and the names of the fields that they fill; what is not among them is found out.
    pub mapping: Vec<(String, String)>,
    /// Whether nobody is added, and the report says who would be.
    pub dry_run: bool,
    /// Whether nobody is added when there is a row that stands for nobody.
    pub all_or_none: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Why nobody was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Rows of the file.
    pub rows: u64,
    /// Rows that stand for a customer for whom no earlier one does.
    pub matched: u64,
    /// Customers that were added.
    pub added: u64,
    /// Rows that stand for nobody who is known.
    pub unknown: u64,
    /// Rows that stand for a customer for whom an earlier one does.
    pub duplicate: u64,
    /// Rows that stand for several customers.
    pub ambiguous: u64,
    /// Rows that say nothing by which a customer can be found.
    pub bad: u64,
    /// The first of those that add nobody.
    pub bad_rows: Vec<Left>,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Fault {
    /// It stands for nobody who is known.
    Unknown,
    /// It stands for a customer for whom an earlier row does.
    Duplicate,
    /// It stands for several customers.
    Ambiguous,
    /// It says nothing by which a customer can be found.
    Bad,
}

/// A row that adds nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The line of the file on which it begins, from 1.
    pub line: u64,
    /// What it is.
    pub outcome: Fault,
    /// Why.
    pub reason: String,
}

/// By what a row says who it stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Keys {
    number: Option<String>,
    email: Option<String>,
    phone: Option<String>,
}

impl Keys {
    /// What a row says, in the form by which customers are found.
    fn of(row: Change) -> Result<Self, String> {
        let email = row.email.flatten().map(|email| parse_email(&email)).transpose();
        let email = email.map_err(|error| format!("email: {error}"))?;
        let phone = row.phone.flatten().map(|phone| {
            phone_key(&phone).ok_or_else(|| format!("phone: “{phone}” is no telephone number"))
        });
        let keys = Self {
            number: row.number.flatten(),
            email: email.map(|email| email.to_lowercase()),
            phone: phone.transpose()?,
        };
        match keys == Self::default() {
            true => {
                Err("the row has neither a number nor an e-mail address nor a telephone number"
                    .into())
            }
            false => Ok(keys),
        }
    }

    fn all(&self) -> [Option<&String>; 3] {
        [self.number.as_ref(), self.email.as_ref(), self.phone.as_ref()]
    }
}

/// By what customers are found, in the order of [`Keys::all`].
const COLUMNS: [customer::Column; 3] =
    [customer::Column::Number, customer::Column::EmailKey, customer::Column::PhoneKey];

/// A row of the file: its line, and what it says or why it says nothing.
type Row = (u64, Result<Keys, String>);

/// The customers that have a key, by its column and itself.
type Known = HashMap<(usize, String), BTreeSet<CustomerId>>;

/// Who a row stands for: those that have all of its keys that anybody has.
fn meant(keys: &Keys, known: &Known) -> Result<CustomerId, (Fault, String)> {
    let found = keys.all().into_iter().enumerate().filter_map(|(place, key)| {
        known.get(&(place, key?.clone())).filter(|customers| !customers.is_empty())
    });
    let common = found.clone().cloned().reduce(|all, these| &all & &these);
    let Some(common) = common else {
        return Err((Fault::Unknown, "no customer has this".to_owned()));
    };
    match (common.first(), common.len()) {
        (Some(only), 1) => Ok(*only),
        (None, _) => {
            let reason = "what the row says is of different customers".to_owned();
            Err((Fault::Ambiguous, reason))
        }
        (_, many) => Err((Fault::Ambiguous, format!("{many} customers have this"))),
    }
}

/// The rows of a file, compared one after the other.
#[derive(Default)]
struct Matching {
    report: Report,
    /// Who is added, with the line that says so.
    lines: HashMap<CustomerId, u64>,
    order: Vec<CustomerId>,
}

impl Matching {
    fn take(&mut self, (line, row): Row, known: &Known) {
        self.report.rows += 1;
        let meant = row.map_err(|reason| (Fault::Bad, reason)).and_then(|keys| meant(&keys, known));
        let left = match meant {
            Ok(customer) => match self.lines.get(&customer) {
                None => {
                    self.lines.insert(customer, line);
                    self.order.push(customer);
                    self.report.matched += 1;
                    return;
                }
                Some(earlier) => {
                    let reason = format!("line {earlier} is about the same customer");
                    (Fault::Duplicate, reason)
                }
            },
            Err(left) => left,
        };
        let (outcome, reason) = left;
        match outcome {
            Fault::Unknown => self.report.unknown += 1,
            Fault::Duplicate => self.report.duplicate += 1,
            Fault::Ambiguous => self.report.ambiguous += 1,
            Fault::Bad => self.report.bad += 1,
        }
        if self.report.bad_rows.len() < NAMED {
            self.report.bad_rows.push(Left { line, outcome, reason });
        }
    }
}

/// Adds the customers in `source` to a list, and ends the job.
///
/// # Errors
/// The database; the job can be run again.
pub async fn run<R>(
    db: &Db,
    clock: &Clock,
    under: Under,
    (job, input): (&job::Model, FileInput),
    source: R,
) -> Result<Ended, Error>
where
    R: Read + Seek + Send + 'static,
{
    let Some(viewer) = job::viewer(db.reader(), job, clock.now()).await? else {
        return fail(db, clock, under, "who asked for this may not log in any more").await;
    };
    let language = organisation::get(db.reader()).await?.locale;
    let (sender, mut chunks) = mpsc::channel(2);
    let given = input.mapping.clone();
    tokio::task::spawn_blocking(move || {
        let outcome =
            read(source, &language, &given, |chunk| sender.blocking_send(Ok(chunk)).is_ok());
        if let Err(error) = outcome {
            // Nobody listens when the job has ended before its file has.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let mut matching = Matching::default();
    while let Some(chunk) = chunks.recv().await {
        let chunk: Vec<Row> = match chunk {
            Ok(chunk) => chunk,
            Err(error) => return fail(db, clock, under, &error.to_string()).await,
        };
        let known = known(db.reader(), &viewer, &chunk).await?;
        for row in chunk {
            matching.take(row, &known);
        }
        if !keep(db, clock, under).await? {
            return Ok(Ended::Lost);
        }
    }
    let Matching { mut report, order, .. } = matching;
    let faulty = report.unknown + report.ambiguous + report.bad;
    if input.all_or_none && faulty > 0 && !input.dry_run {
        report.error = Some(format!("{faulty} rows stand for nobody, so nobody was added"));
        return end(db, clock, under, job::State::Failed, report).await;
    }
    // Those of an earlier attempt count, too.
    report.added =
        job.report.as_ref().and_then(|report| report["added"].as_u64()).unwrap_or_default();
    for some in order.chunks(BATCH).filter(|_| !input.dry_run) {
        match add(db, clock, under, input.segment, some, report).await? {
            Added::Some(so_far) => report = so_far,
            Added::Refused(refused) => {
                return end(db, clock, under, job::State::Failed, refused).await;
            }
            Added::Lost => return Ok(Ended::Lost),
        }
    }
    end(db, clock, under, job::State::Succeeded, report).await
}

/// Hands the file's rows to `send`, until it does not want any more.
fn read<R: Read + Seek>(
    mut source: R,
    language: &str,
    given: &[(String, String)],
    send: impl Fn(Vec<Row>) -> bool,
) -> Result<(), Unreadable> {
    let encoding = decode::detect(&mut source, language)?;
    let delimiter = decode::delimiter(&mut source, encoding)?;
    let mut records = decode::Records::new(source, encoding, delimiter)?;
    let (_, header) = records.next()?.ok_or(Unreadable::Empty)?;
    let columns = Columns::finding(header, given)?;
    let mut chunk = Vec::with_capacity(CHUNK);
    while let Some((line, record)) = records.next()? {
        chunk.push((line, columns.read(record).and_then(Keys::of)));
        if chunk.len() == CHUNK && !send(std::mem::take(&mut chunk)) {
            return Ok(());
        }
    }
    if !chunk.is_empty() {
        send(chunk);
    }
    Ok(())
}

/// The customers that the viewer sees and for whom rows of a chunk may stand.
async fn known(db: &impl ConnectionTrait, viewer: &Viewer, chunk: &[Row]) -> Result<Known, DbErr> {
    let mut known = Known::new();
    for (place, column) in COLUMNS.into_iter().enumerate() {
        let keys = chunk.iter().filter_map(|(_, row)| row.as_ref().ok()?.all()[place]);
        let keys = keys.cloned().map(Bound::from).collect::<Vec<_>>();
        if keys.is_empty() {
            continue;
        }
        let found: Vec<(String, CustomerId)> = customer::Entity::find()
            .select_only()
            .columns([column, customer::Column::Id])
            .filter(column.is_in(keys))
            .filter(customer::Column::DeletedAt.is_null())
            .filter(customer::Entity::record().visible(viewer))
            .into_tuple()
            .all(db)
            .await?;
        for (key, customer) in found {
            known.entry((place, key)).or_default().insert(customer);
        }
    }
    Ok(known)
}

/// What came of adding some.
enum Added {
    /// What the report says by now.
    Some(Report),
    /// They cannot be added any more.
    Refused(Report),
    /// Somebody else has the job now.
    Lost,
}

async fn add(
    db: &Db,
    clock: &Clock,
    under: Under,
    segment: SegmentId,
    some: &[CustomerId],
    report: Report,
) -> Result<Added, Error> {
    let now = clock.now();
    let origin = Origin::new(under.actor, now).in_job(under.job.id);
    let (some, before) = (some.to_vec(), report.clone());
    let added = db.write_as(&origin, move |txn| {
        let (some, mut report) = (some.clone(), before.clone());
        async move {
            let until = now + under.lease;
            if job::advance(txn, under.job, some.len(), until).await?.is_none() {
                return Ok(Added::Lost);
            }
            report.added += list::add_matched(txn, segment, &some, under.actor, now).await?;
            job::note(txn, under.job, serde_json::to_value(&report).unwrap_or_default()).await?;
            Ok(Added::Some(report))
        }
        .boxed()
    });
    match added.await {
        Err(error @ (Error::NoSuch { .. } | Error::Invalid(_))) => {
            Ok(Added::Refused(Report { error: Some(error.to_string()), ..report }))
        }
        outcome => outcome,
    }
}

/// Renews the lease; false when the job is not the caller's any more.
async fn keep(db: &Db, clock: &Clock, under: Under) -> Result<bool, Error> {
    let until = clock.now() + under.lease;
    let held =
        db.write(move |txn| async move { job::advance(txn, under.job, 0, until).await }.boxed());
    Ok(held.await?.is_some())
}

/// Ends a job whose file cannot be had or read, for `reason`.
///
/// # Errors
/// The database.
pub async fn fail(db: &Db, clock: &Clock, under: Under, reason: &str) -> Result<Ended, Error> {
    let report = Report { error: Some(reason.to_owned()), ..Report::default() };
    end(db, clock, under, job::State::Failed, report).await
}

async fn end(
    db: &Db,
    clock: &Clock,
    under: Under,
    state: job::State,
    report: Report,
) -> Result<Ended, Error> {
    let now = clock.now();
    let leased = under.job;
    let held = db.write(move |txn| {
        let report = report.clone();
        async move {
            let Some(job) = job::advance(txn, leased, 0, now + under.lease).await? else {
                return Ok(false);
            };
            let rows = i64::try_from(report.rows).unwrap_or(i64::MAX);
            let rest = usize::try_from(rows - job.done).unwrap_or_default();
            job::advance(txn, leased, rest, now + under.lease).await?;
            job::count(txn, leased.id, rows).await?;
            let report = serde_json::to_value(&report).unwrap_or_default();
            job::finish(txn, leased.id, leased.fence, state, report, now).await?;
            Ok(true)
        }
        .boxed()
    });
    Ok(if held.await? { Ended::Done } else { Ended::Lost })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(number: u128) -> CustomerId {
        CustomerId(Uuid::from_u128(number))
    }

    fn keys(number: &str, email: &str) -> Keys {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Keys { number: given(number), email: given(email), phone: None }
    }

    #[test]
    fn a_row_stands_for_the_one_customer_that_all_its_keys_name() {
        let known = Known::from([
            ((0, "K-1".to_owned()), BTreeSet::from([customer(1)])),
            ((0, "K-2".to_owned()), BTreeSet::from([customer(2)])),
            ((1, "lan@x.vn".to_owned()), BTreeSet::from([customer(1), customer(3)])),
        ]);
        let fault = |keys: Keys| meant(&keys, &known).unwrap_err().0;
        assert_eq!(meant(&keys("K-1", ""), &known), Ok(customer(1)));
        assert_eq!(meant(&keys("K-1", "lan@x.vn"), &known), Ok(customer(1)));
        assert_eq!(
            meant(&keys("K-1", "new@x.vn"), &known),
            Ok(customer(1)),
            "an address can be new"
        );
        assert_eq!(fault(keys("", "lan@x.vn")), Fault::Ambiguous);
        assert_eq!(fault(keys("K-2", "lan@x.vn")), Fault::Ambiguous);
        assert_eq!(fault(keys("K-9", "")), Fault::Unknown);
    }

    #[test]
    fn a_second_row_about_a_customer_is_a_duplicate_of_the_first() {
        let known = Known::from([((0, "K-1".to_owned()), BTreeSet::from([customer(1)]))]);
        let mut matching = Matching::default();
        for line in [2, 3] {
            matching.take((line, Ok(keys("K-1", ""))), &known);
        }
        matching.take((4, Err("nothing".into())), &known);
        let Report { rows, matched, duplicate, bad, bad_rows, .. } = matching.report;
        assert_eq!((rows, matched, duplicate, bad), (3, 1, 1, 1));
        assert_eq!(bad_rows[0].reason, "line 2 is about the same customer");
    }
}
