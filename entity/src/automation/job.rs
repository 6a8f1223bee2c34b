//! Long work that a person waits for.
//!
//! Invariant: a job that is run twice, because a worker died, has the effect of one.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, Func, LockBehavior, LockType};
use sea_orm::{DeriveActiveEnum, EnumIter, QueryOrder, QuerySelect};

use super::lease::{Fence, next_fence, not_enqueued};
use crate::access::{Actor, Permission};
use crate::catalog::catalog;
use crate::error::Error;
use crate::id::{Id, JobId, UserId};

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(32))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Kind {
    /// Reads a file of receivables.
    ImportReceivables,
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum State {
    /// It will start soon.
    Queued,
    /// It is running.
    Running,
    /// It has ended; what it could not do is in its report.
    Succeeded,
    /// It has ended without effect.
    Failed,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    /// What it does.
    pub kind: Kind,
    /// How far it has come.
    pub state: State,
    /// With what.
    pub input: Json,
    /// What came of it.
    pub report: Option<Json>,
    /// How many rows are done.
    pub done: i64,
    /// Of how many, once that is known.
    pub total: Option<i64>,
    /// When it may start.
    pub due_at: DateTimeUtc,
    /// When it was handed to the conveyor.
    pub enqueued_at: Option<DateTimeUtc>,
    /// Until when a worker has it.
    pub lease_until: Option<DateTimeUtc>,
    /// The number of that lease.
    pub fence: i64,
    /// When it first started.
    pub started_at: Option<DateTimeUtc>,
    /// When it ended.
    pub finished_at: Option<DateTimeUtc>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

catalog! {
    /// Long work that a person waits for. It goes on when a machine dies.
    Job (job, jobs) of Entity, read by Permission::Import;
    /// Its id.
    id: id::<JobId>().filtered(),
    /// What it does.
    kind: choice::<Kind>("JobKind", Column::Kind).filtered(),
    /// How far it has come.
    state: choice::<State>("JobState", Column::State).filtered(),
    /// How many rows are done.
    done: long(Column::Done),
    /// Of how many; null before that is known.
    total: long(Column::Total),
    /// What came of it, in a form that depends on the kind: counts, sums per currency, and the rows
    /// that were refused with line and reason. Null before it has ended.
    report: json(Column::Report),
    /// When it first started; null while it is queued.
    started_at: instant(Column::StartedAt),
    /// When it ended; null before that.
    finished_at: instant(Column::FinishedAt),
    /// When it was asked for.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
}

/// Adds a job.
///
/// # Errors
/// The database.
pub async fn create(
    txn: &impl ConnectionTrait,
    kind: Kind,
    input: Json,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = ActiveModel {
        id: Set(JobId::new(now)),
        kind: Set(kind),
        state: Set(State::Queued),
        input: Set(input),
        report: Set(None),
        done: Set(0),
        total: Set(None),
        due_at: Set(now),
        enqueued_at: Set(None),
        lease_until: Set(None),
        fence: Set(0),
        started_at: Set(None),
        finished_at: Set(None),
        created_at: Set(now),
        created_by: Set(actor.user()),
    };
    Ok(row.insert(txn).await?)
}

fn is_due(now: DateTimeUtc) -> sea_orm::Condition {
    let free = Column::LeaseUntil.is_null().or(Column::LeaseUntil.lt(now));
    sea_orm::Condition::all()
        .add(Column::State.is_in([State::Queued, State::Running]))
        .add(Column::DueAt.lte(now))
        .add(free)
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

/// Ends a leased job.
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
    Entity::update_many()
        .col_expr(Column::State, Expr::val(state.to_value()))
        .col_expr(Column::Report, Expr::val(report))
        .col_expr(Column::FinishedAt, Expr::val(now))
        .col_expr(Column::LeaseUntil, Expr::val(None::<DateTimeUtc>))
        .filter(Column::Id.eq(id))
        .filter(Column::Fence.eq(fence))
        .exec(txn)
        .await?;
    Ok(())
}
