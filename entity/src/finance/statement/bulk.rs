//! Making statements of all customers of a filter, as a job.
//!
//! Invariant: each customer gets them once: in the transaction in which it ceases to be a target, and only where there is
//! none for the day. So a job that is run twice has the effect of one, and what is wrong with one statement's PDF or mail
//! stops no other.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, LockType, Query};
use sea_orm::{QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

use super::issue::{Question, Since, check, drawn, is_first, save};
use super::{Kind, Period, Rules};
use crate::access::{Actor, Permission, Viewer};
use crate::automation::job::{self, target};
use crate::automation::lease::Leased;
use crate::catalog::{Cataloged, Scope, condition};
use crate::check::Check;
use crate::customers::custom::CustomFields;
use crate::customers::customer;
use crate::customers::customer::bulk::{MOST, Step};
use crate::error::Error;
use crate::id::{CustomerId, JobId};

/// Of how many customers statements are made in one transaction.
const BATCH: u64 = 50;

/// Which statements are made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Bulk {
    /// What they list.
    pub kind: Kind,
    /// Their first day; where the ones before ended when absent.
    pub from: Option<Date>,
    /// Their last day, not later than today.
    pub until: Date,
    /// Which are left out.
    pub rules: Rules,
    /// Whether the customers are to get them.
    pub send: bool,
}

/// What came of a job so far.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Report {
    /// How many statements were made.
    made: u64,
    /// How many were not: there is one for the day, or the rules leave them out.
    skipped: u64,
    /// Why the job ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Adds the job that makes statements of all customers that pass `filter` and for whom `viewer` may.
///
/// # Errors
/// `Invalid` for days, rules or a filter that cannot be, or for more than [`MOST`] customers.
pub async fn request(
    txn: &impl ConnectionTrait,
    filter: &Json,
    bulk: &Bulk,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<job::Model, Error> {
    check(txn, bulk.kind, bulk.from, bulk.until, now).await?;
    let mut rules = Check::default();
    bulk.rules.check(&mut rules);
    rules.end()?;
    let record = customer::Entity::record();
    let fields = CustomFields::loaded(txn).await?;
    let passes = condition(record, filter, Scope::of(txn, viewer, &fields), "input.filter")?;
    let input = serde_json::to_value(bulk).unwrap_or_default();
    let job = job::create(txn, job::Kind::CreateStatements, input, viewer, now).await?;
    let mut chosen = Query::select();
    chosen
        .expr(Expr::val(job.id.0))
        .expr(record.column("id"))
        .from(Alias::new(record.table))
        .cond_where(record.visible(viewer))
        .cond_where(record.reached(viewer, Permission::WritePayments, true))
        .cond_where(passes)
        .and_where(record.column("deleted_at").is_null())
        .limit(MOST + 1);
    let total = target::add(txn, chosen).await?;
    if total > MOST {
        let message = format!("more than {MOST} customers are in the filter; narrow it");
        return Err(Error::invalid("filter", message));
    }
    job::count(txn, job.id, i64::try_from(total).unwrap_or(i64::MAX)).await
}

/// Makes the statements of the next customers of a leased job, and renews its lease to `until`.
///
/// # Errors
/// The database.
pub async fn step(
    txn: &impl ConnectionTrait,
    leased: Leased<JobId>,
    until: DateTimeUtc,
    now: DateTimeUtc,
) -> Result<Step, Error> {
    let ids = target::next(txn, leased.id, BATCH).await?;
    let Some(job) = job::advance(txn, leased, ids.len(), until).await? else {
        return Ok(Step::Lost);
    };
    let report = job.report.clone().and_then(|report| serde_json::from_value(report).ok());
    let mut report: Report = report.unwrap_or_default();
    let written = |report: &Report| serde_json::to_value(report).unwrap_or_default();
    let ended = async |state, report: &Report| {
        let report = written(report);
        job::finish(txn, leased.id, leased.fence, state, report, now).await.map(|()| Step::Ended)
    };
    let Some(last) = ids.last().copied() else {
        return ended(job::State::Succeeded, &report).await;
    };
    let viewer = job::viewer(txn, &job, now).await?;
    let viewer = viewer.filter(|viewer| viewer.may(Permission::WritePayments));
    let (Some(viewer), Ok(bulk)) = (viewer, Bulk::deserialize(&job.input)) else {
        target::clear(txn, leased.id).await?;
        report.error = Some("who asked for it may not make statements any more".to_owned());
        return ended(job::State::Failed, &report).await;
    };
    let (made, skipped) = make(txn, &bulk, &viewer, &ids, now).await?;
    report.made += made;
    report.skipped += skipped;
    target::done(txn, leased.id, last).await?;
    job::note(txn, leased, written(&report)).await?;
    Ok(Step::More)
}

/// Makes the statements of those of the customers for whom `viewer` still may; gives how many, and how many were left out.
async fn make(
    txn: &impl ConnectionTrait,
    bulk: &Bulk,
    viewer: &Viewer,
    ids: &[Uuid],
    now: DateTimeUtc,
) -> Result<(u64, u64), Error> {
    let reached = customer::Entity::record().reached(viewer, Permission::WritePayments, true);
    let customers: Vec<CustomerId> = customer::Entity::find()
        .select_only()
        .column(customer::Column::Id)
        .filter(customer::Column::Id.is_in(ids.iter().copied()))
        .filter(customer::Column::DeletedAt.is_null())
        .filter(reached)
        .order_by_asc(customer::Column::Id)
        .lock(LockType::KeyShare)
        .into_tuple()
        .all(txn)
        .await?;
    let question = Question {
        kind: bulk.kind,
        since: bulk.from.map_or(Since::Last(Period::Month.first(bulk.until)), Since::Day),
        until: bulk.until,
        currency: bulk.rules.currency,
        wanted: bulk.send,
        run: None,
    };
    let drawn = drawn(txn, &customers, question, Actor::from(viewer), now).await?;
    let all = drawn.len() as u64;
    let due = drawn.into_iter().filter(|one| is_first(one) && bulk.rules.pass(one));
    let made = save(txn, due.collect(), now).await?;
    Ok((made, all - made))
}
