//! Carrying a job out: who has it, how far it has come, and what came of it.
//!
//! Invariant: only who holds the latest lease writes anything of it.

use sea_orm::ActiveEnum;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, Func, LockBehavior, LockType};
use sea_orm::{QueryOrder, QuerySelect, QueryTrait};

use super::{Column, Entity, Model, State};
use crate::automation::lease::{Fence, Leased, is_free, next_fence, not_enqueued};
use crate::collaboration::notification;
use crate::error::Error;
use crate::id::{FileId, JobId};

fn is_due(now: DateTimeUtc) -> sea_orm::Condition {
    sea_orm::Condition::all()
        .add(Column::State.is_in([State::Queued, State::Running]))
        .add(Column::DueAt.lte(now))
        .add(is_free(Column::LeaseUntil, now))
}

/// Whether a job is due that the conveyor was not given since `since`, as a condition.
#[must_use]
pub fn any_due(since: DateTimeUtc, now: DateTimeUtc) -> Expr {
    let due = Entity::find().filter(is_due(now)).filter(not_enqueued(Column::EnqueuedAt, since));
    Expr::exists(due.into_query())
}

/// Up to `limit` jobs that are due and that the conveyor was not given since `since`.
///
/// # Errors
/// The database.
pub async fn due(
    txn: &impl ConnectionTrait,
    limit: u64,
    since: DateTimeUtc,
    now: DateTimeUtc,
) -> Result<Vec<JobId>, Error> {
    let ids = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(is_due(now))
        .filter(not_enqueued(Column::EnqueuedAt, since))
        .order_by_asc(Column::DueAt)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(txn)
        .await?;
    Ok(ids)
}

/// Notes that the conveyor was given jobs (`Some`), or that it was not after all (`None`).
///
/// # Errors
/// The database.
pub async fn mark_enqueued(
    txn: &impl ConnectionTrait,
    ids: &[JobId],
    at: Option<DateTimeUtc>,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::EnqueuedAt, Expr::val(at))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Leases a job until `until`, if it is due and nobody else has it.
///
/// # Errors
/// The database.
pub async fn lease(
    txn: &impl ConnectionTrait,
    id: JobId,
    until: DateTimeUtc,
    now: DateTimeUtc,
) -> Result<Option<Model>, Error> {
    let first_start = Func::coalesce([Expr::col(Column::StartedAt), Expr::val(now)]);
    let leased = Entity::update_many()
        .col_expr(Column::State, Expr::val(State::Running.to_value()))
        .col_expr(Column::LeaseUntil, Expr::val(until))
        .col_expr(Column::StartedAt, first_start.into())
        .col_expr(Column::Fence, next_fence())
        .filter(Column::Id.eq(id))
        .filter(is_due(now))
        .exec_with_returning(txn)
        .await?;
    Ok(leased.into_iter().next())
}

/// Notes how far a leased job has come and renews its lease. False: somebody else has it now, and
/// the caller must stop.
///
/// # Errors
/// The database.
pub async fn progress(
    txn: &impl ConnectionTrait,
    id: JobId,
    fence: Fence,
    done: i64,
    total: i64,
    until: DateTimeUtc,
) -> Result<bool, Error> {
    let held = Entity::update_many()
        .col_expr(Column::Done, Expr::val(done))
        .col_expr(Column::Total, Expr::val(total))
        .col_expr(Column::LeaseUntil, Expr::val(until))
        .filter(Column::Id.eq(id))
        .filter(Column::Fence.eq(fence))
        .exec(txn)
        .await?;
    Ok(held.rows_affected == 1)
}

/// Notes that a leased job has come `by` rows further, and renews its lease. `None`: somebody else has it
/// now, or it was called off, and the caller must stop.
///
/// # Errors
/// The database.
pub async fn advance(
    txn: &impl ConnectionTrait,
    job: Leased<JobId>,
    by: usize,
    until: DateTimeUtc,
) -> Result<Option<Model>, Error> {
    let by = i64::try_from(by).unwrap_or(i64::MAX);
    let held = Entity::update_many()
        .col_expr(Column::Done, Expr::col(Column::Done).add(by))
        .col_expr(Column::LeaseUntil, Expr::val(until))
        .filter(Column::Id.eq(job.id))
        .filter(Column::Fence.eq(job.fence))
        .exec_with_returning(txn)
        .await?;
    Ok(held.into_iter().next())
}

/// Notes what came of a leased job so far.
///
/// # Errors
/// The database.
pub async fn note(
    txn: &impl ConnectionTrait,
    job: Leased<JobId>,
    report: Json,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::Report, Expr::val(report))
        .filter(Column::Id.eq(job.id))
        .filter(Column::Fence.eq(job.fence))
        .exec(txn)
        .await?;
    Ok(())
}

/// Notes that a leased job leaves a file to be fetched until `until`.
///
/// # Errors
/// The database.
pub async fn leave(
    txn: &impl ConnectionTrait,
    job: Leased<JobId>,
    file: FileId,
    until: DateTimeUtc,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::ResultFileId, Expr::val(file.0))
        .col_expr(Column::ResultExpiresAt, Expr::val(until))
        .filter(Column::Id.eq(job.id))
        .filter(Column::Fence.eq(job.fence))
        .exec(txn)
        .await?;
    Ok(())
}

/// Ends a leased job, and tells who asked for it.
///
/// # Errors
/// The database.
pub async fn finish(
    txn: &impl ConnectionTrait,
    id: JobId,
    fence: Fence,
    state: State,
    report: Json,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let ended = Entity::update_many()
        .col_expr(Column::State, Expr::val(state.to_value()))
        .col_expr(Column::Report, Expr::val(report))
        .col_expr(Column::FinishedAt, Expr::val(now))
        .col_expr(Column::LeaseUntil, Expr::val(None::<DateTimeUtc>))
        .filter(Column::Id.eq(id))
        .filter(Column::Fence.eq(fence))
        .exec(txn)
        .await?;
    match ended.rows_affected {
        0 => Ok(()),
        _ => notification::job_ended(txn, id, state, now).await,
    }
}
