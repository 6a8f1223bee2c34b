//! Runs: where each record is in a workflow.
//!
//! Invariant: a run's key is unique, so that whatever starts it twice starts it once. Who advances a run holds its
//! lock, and writes where it is together with all that was done on the way.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    Alias, CaseStatement, ExprTrait, Func, LockBehavior, LockType, OnConflict, Query,
};
use sea_orm::{
    Condition, DeriveActiveEnum, EnumIter, IntoActiveModel, QueryOrder, QuerySelect, QueryTrait,
};

use super::{step, version};
use crate::access::{Actor, Permission, Viewer};
use crate::automation::AutomationError;
use crate::automation::event;
use crate::catalog::{Cataloged, catalog};
use crate::customers::customer;
use crate::error::Error;
use crate::id::{CustomerId, EventId, Id, WorkflowId, WorkflowRunId, WorkflowVersionId};

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum State {
    /// It goes on as soon as a worker has time.
    Running,
    /// It waits for time to pass, or for an event.
    Waiting,
    /// It came to its end.
    Completed,
    /// Its record has reached what the workflow is for.
    GoalReached,
    /// A step could not be done; it can be tried again.
    Failed,
    /// It was called off, or its record is gone.
    Cancelled,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_run")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WorkflowRunId,
    /// Of which workflow.
    pub workflow_id: WorkflowId,
    /// The version that it began with.
    pub version_id: WorkflowVersionId,
    /// What makes it unique.
    pub run_key: String,
    /// For which record; the version says of which kind.
    pub record_id: Uuid,
    /// Whom it concerns.
    pub customer_id: Option<CustomerId>,
    /// What started it.
    pub event_id: Option<EventId>,
    /// How far it has come.
    pub state: State,
    /// In which step it is.
    pub step: Option<String>,
    /// Since when it waits there.
    pub since_at: Option<DateTimeUtc>,
    /// Until when it waits there at the latest.
    pub until_at: Option<DateTimeUtc>,
    /// What it waits for: kinds of events, each between commas.
    pub listens: Option<String>,
    /// Whether that has come.
    pub met: bool,
    /// When it goes on; not any more when it has ended.
    pub due_at: Option<DateTimeUtc>,
    /// Why it ended as it did.
    pub detail: Option<String>,
    /// When it began.
    pub started_at: DateTimeUtc,
    /// When it ended.
    pub ended_at: Option<DateTimeUtc>,
    /// How many runs came before it, each started by what the one before it did.
    pub depth: i32,
    /// What the step that it is in remembers of itself, if it was put off.
    pub memory: Option<Json>,
}

catalog! {
    /// A workflow that is carried out for a record.
    WorkflowRun (workflowRun, workflowRuns) of Entity, read by Permission::ReadWorkflows;
    /// The workflow.
    workflow: one::<super::Entity>(Column::WorkflowId).grouped(),
    /// The version that it began with.
    workflow_version: one::<version::Entity>(Column::VersionId),
    /// The customer whom it concerns; null when it concerns none, or when you may not see them.
    customer: one::<customer::Entity>(Column::CustomerId),
    /// How far it has come.
    state: choice::<State>("WorkflowRunState", Column::State).filtered().grouped(),
    /// In which step it is, or was when it ended, by its key; null before its first one.
    step: text(Column::Step).filtered().grouped(),
    /// When it goes on at the latest; null when it has ended.
    due_at: instant(Column::DueAt).filtered().ordered(),
    /// Why it ended as it did; null when there is nothing to explain.
    detail: text(Column::Detail),
    /// How many runs came before it, each started by what the one before it did: 0 for one that somebody or a day started.
    depth: whole(Column::Depth).filtered(),
    /// What happened in its steps.
    steps: many::<step::Entity>(step::Column::RunId),
    /// When it began.
    started_at: instant(Column::StartedAt).filtered().ordered().grouped(),
    /// When it ended; null while it goes on.
    ended_at: instant(Column::EndedAt).filtered().ordered(),
}

/// Whether a run is due, as a condition.
#[must_use]
pub fn is_due(now: DateTimeUtc) -> Expr {
    Expr::exists(Entity::find().filter(Column::DueAt.lte(now)).into_query())
}

/// How many runs of a workflow there are in each state, as far as `viewer` sees them.
///
/// # Errors
/// The database.
pub async fn counts(
    db: &impl ConnectionTrait,
    workflow: WorkflowId,
    viewer: &Viewer,
) -> Result<Vec<(State, i64)>, DbErr> {
    let counts = Entity::find()
        .select_only()
        .column(Column::State)
        .column_as(Column::Id.count(), "number")
        .filter(Column::WorkflowId.eq(workflow))
        .filter(Entity::record().visible(viewer))
        .group_by(Column::State)
        .order_by_asc(Column::State);
    counts.into_tuple().all(db).await
}

/// The ids of up to `limit` runs that are due.
///
/// # Errors
/// The database.
pub async fn due_ids(
    db: &impl ConnectionTrait,
    limit: u64,
    now: DateTimeUtc,
) -> Result<Vec<WorkflowRunId>, DbErr> {
    let due = Entity::find().select_only().column(Column::Id).filter(Column::DueAt.lte(now));
    let due = due.order_by_asc(Column::DueAt).order_by_asc(Column::Id).limit(limit);
    due.into_tuple().all(db).await
}

/// Ends a run that is due and that the database cannot advance. It can be tried again.
///
/// # Errors
/// The database.
pub async fn give_up(
    txn: &impl ConnectionTrait,
    id: WorkflowRunId,
    why: &str,
    now: DateTimeUtc,
) -> Result<(), Error> {
    use sea_orm::ActiveEnum;
    Entity::update_many()
        .col_expr(Column::State, Expr::val(State::Failed.to_value()))
        .col_expr(Column::DueAt, Expr::val(None::<DateTimeUtc>))
        .col_expr(Column::Listens, Expr::val(None::<String>))
        .col_expr(Column::Detail, Expr::val(why))
        .col_expr(Column::EndedAt, Expr::val(now))
        .filter(Column::Id.eq(id))
        .filter(Column::DueAt.is_not_null())
        .exec(txn)
        .await?;
    Ok(())
}

/// Up to `limit` runs that are due, or that one alone, locked; others skip them meanwhile.
pub(super) async fn claim(
    txn: &impl ConnectionTrait,
    limit: u64,
    only: Option<WorkflowRunId>,
    now: DateTimeUtc,
) -> Result<Vec<Model>, Error> {
    let due = Entity::find()
        .filter(Column::DueAt.lte(now))
        .filter(Condition::all().add_option(only.map(|id| Column::Id.eq(id))))
        .order_by_asc(Column::DueAt)
        .order_by_asc(Column::Id)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    Ok(due.all(txn).await?)
}

/// Waits for whoever advances runs, and keeps others from it until the transaction ends.
pub(super) async fn hold(txn: &impl ConnectionTrait, which: Condition) -> Result<(), DbErr> {
    let runs = Query::select()
        .column(Column::Id)
        .from(Entity)
        .cond_where(which)
        .lock(LockType::Update)
        .take();
    // Nobody has to know which ones these are.
    let held = Query::select()
        .expr(Func::count(Expr::val(1)))
        .from_subquery(runs, Alias::new("held"))
        .take();
    txn.query_one(&held).await.map(drop)
}

/// Writes down where runs are now.
pub(super) async fn save(txn: &impl ConnectionTrait, runs: Vec<Model>) -> Result<(), Error> {
    if runs.is_empty() {
        return Ok(());
    }
    let changed = [
        Column::State,
        Column::Step,
        Column::SinceAt,
        Column::UntilAt,
        Column::Listens,
        Column::Met,
        Column::DueAt,
        Column::Detail,
        Column::EndedAt,
        Column::Memory,
    ];
    let there = OnConflict::column(Column::Id).update_columns(changed).to_owned();
    let rows = runs.into_iter().map(|run| run.into_active_model().reset_all());
    Entity::insert_many(rows).on_conflict(there).exec_without_returning(txn).await?;
    Ok(())
}

/// Wakes the runs that wait for one of `events`.
///
/// # Errors
/// The database.
pub async fn wake(
    txn: &impl ConnectionTrait,
    events: &[event::Model],
    now: DateTimeUtc,
) -> Result<(), Error> {
    let whose = events
        .iter()
        .flat_map(|event| [Some(event.subject_id), event.customer_id.map(|customer| customer.0)]);
    let of = |column: event::Column| Expr::col((event::Entity, column));
    let own = |column: Column| Expr::col((Entity, column));
    let mut kinds = Vec::new();
    for event in events {
        if !kinds.contains(&event.kind) {
            kinds.push(event.kind);
        }
    }
    let listens = kinds.into_iter().fold(Condition::any(), |any, kind| {
        let is_kind = of(event::Column::Kind).eq(kind.to_value());
        any.add(own(Column::Listens).like(format!("%{}%", listening([kind]))).and(is_kind))
    });
    let mut happened = Query::select();
    happened
        .expr(Expr::val(1))
        .from(event::Entity)
        .and_where(of(event::Column::Id).is_in(events.iter().map(|event| event.id.0)))
        .and_where(of(event::Column::OccurredAt).gte(own(Column::SinceAt)))
        .and_where(
            of(event::Column::SubjectId)
                .eq(own(Column::RecordId))
                .or(of(event::Column::CustomerId).eq(own(Column::RecordId))),
        )
        .cond_where(listens);
    Entity::update_many()
        .col_expr(Column::Met, Expr::val(true))
        .col_expr(Column::DueAt, unless(Expr::col(Column::DueAt).is_null(), Expr::val(now)))
        .filter(Column::RecordId.is_in(whose.flatten()))
        .filter(Column::Listens.is_not_null())
        .filter(Expr::exists(happened))
        .exec(txn)
        .await?;
    Ok(())
}

/// Lets the runs for records look again now whose step was put off.
///
/// # Errors
/// The database.
pub(crate) async fn look_again(
    txn: &impl ConnectionTrait,
    records: Vec<Uuid>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    // Who is just advanced is skipped, not waited for: whoever advances it may wait for the records.
    let waiting = Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Column::RecordId.is_in(records))
        .and_where(Column::Memory.is_not_null())
        .and_where(Column::DueAt.gt(now))
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .take();
    Entity::update_many()
        .col_expr(Column::DueAt, Expr::val(now))
        .filter(Column::Id.in_subquery(waiting))
        .exec(txn)
        .await?;
    Ok(())
}

/// Lets the runs of a workflow stand still, or go on: what is over by then is due at once.
pub(super) async fn hold_all(
    txn: &impl ConnectionTrait,
    workflow: WorkflowId,
    still: bool,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let until = unless(Expr::col(Column::Met), Expr::col(Column::UntilAt));
    let due = match still {
        true => Expr::val(None::<DateTimeUtc>),
        false => Func::coalesce([until, Expr::val(now)]).into(),
    };
    Entity::update_many()
        .col_expr(Column::DueAt, due)
        .filter(Column::WorkflowId.eq(workflow))
        .filter(Column::EndedAt.is_null())
        .exec(txn)
        .await?;
    Ok(())
}

/// A value, or none where a condition holds.
fn unless(condition: Expr, value: Expr) -> Expr {
    CaseStatement::new().case(condition, Expr::val(None::<DateTimeUtc>)).finally(value).into()
}

/// Kinds of events as a run listens to them.
pub(super) fn listening(kinds: impl IntoIterator<Item = event::Kind>) -> String {
    use sea_orm::ActiveEnum;
    kinds.into_iter().fold(",".to_owned(), |text, kind| text + &kind.to_value() + ",")
}

/// Calls off the runs of a workflow's versions other than `but`.
pub(super) async fn cancel_all(
    txn: &impl ConnectionTrait,
    workflow: WorkflowId,
    but: WorkflowVersionId,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let others =
        Condition::all().add(Column::WorkflowId.eq(workflow)).add(Column::VersionId.ne(but));
    cancel(txn, others, "another version was published", now).await
}

/// Calls off those of the runs that have not ended; gives how many.
///
/// # Errors
/// The database.
pub async fn cancel(
    txn: &impl ConnectionTrait,
    which: Condition,
    why: &str,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    use sea_orm::ActiveEnum;
    let called_off = Entity::update_many()
        .col_expr(Column::State, Expr::val(State::Cancelled.to_value()))
        .col_expr(Column::DueAt, Expr::val(None::<DateTimeUtc>))
        .col_expr(Column::Listens, Expr::val(None::<String>))
        .col_expr(Column::Detail, Expr::val(why))
        .col_expr(Column::EndedAt, Expr::val(now))
        .filter(Column::EndedAt.is_null())
        .filter(which)
        .exec(txn)
        .await?;
    Ok(called_off.rows_affected)
}

/// Lets a run try the step again at which it has failed, once its workflow does not stand still.
///
/// # Errors
/// [`Error::NoSuch`], `NotFailed`.
pub async fn retry(
    txn: &impl ConnectionTrait,
    id: WorkflowRunId,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let run = locked(txn, id).await?;
    if run.state != State::Failed {
        return Err(AutomationError::NotFailed.into());
    }
    let workflow = super::Entity::find_by_id(run.workflow_id).one(txn).await?;
    let is_still = workflow.is_some_and(|workflow| workflow.state.is_still());
    let run = Model {
        state: State::Running,
        due_at: (!is_still).then_some(now),
        detail: None,
        ended_at: None,
        ..run
    };
    save(txn, vec![run]).await
}

/// Calls a run off. What has ended stays as it is.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn call_off(
    txn: &impl ConnectionTrait,
    id: WorkflowRunId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    locked(txn, id).await?;
    cancel(txn, Condition::all().add(Column::Id.eq(id)), &called_off(actor), now).await.map(drop)
}

/// Why a run ends that somebody calls off.
pub(super) fn called_off(actor: Actor) -> String {
    match actor.user() {
        Some(user) => format!("called off by {}", user.global()),
        None => "called off".to_owned(),
    }
}

async fn locked(txn: &impl ConnectionTrait, id: WorkflowRunId) -> Result<Model, Error> {
    let run = Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    run.ok_or_else(Error::no_such::<Entity>)
}
