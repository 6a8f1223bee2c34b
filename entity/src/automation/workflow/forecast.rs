//! Forecasts that were kept, and the breaker that watches them: a workflow that has more for customers than was foreseen
//! stands still before it is planned, and whoever published it is told.
//!
//! Invariant: who plans what a version sends holds the row of its forecast, so that workers do not exceed it together.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, ExprTrait};
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

use super::advance::Advanced;
use super::performer::Effect;
use super::simulate::{Forecast, Question};
use super::version::Version;
use super::{State, check, performer, read, run, turn, version};
use crate::access::{Actor, Permission, Viewer, user};
use crate::automation::job;
use crate::catalog::catalog;
use crate::collaboration::notification;
use crate::edit::save;
use crate::error::Error;
use crate::id::{Id, UserId, WorkflowForecastId, WorkflowId, WorkflowRunId, WorkflowVersionId};

/// By how much more than what was foreseen is let through, in percent, where nobody has said it.
pub const TOLERANCE: i32 = 50;

/// How much more than what was foreseen is always let through.
const LEAST: i64 = 20;

/// A forecast that was kept.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_forecast")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WorkflowForecastId,
    /// Of which workflow.
    pub workflow_id: WorkflowId,
    /// From when on.
    pub from_at: DateTimeUtc,
    /// Until when.
    pub until_at: DateTimeUtc,
    /// How many runs would begin.
    pub runs: i64,
    /// How much would go to customers.
    pub sent: i64,
    /// By how much more of that is let through, in percent.
    pub tolerance: i32,
    /// All that would come of it.
    pub figures: Json,
    /// How much for customers was planned since it was published.
    pub planned: i64,
    /// When more was to be planned than is let through.
    pub exceeded_at: Option<DateTimeUtc>,
    /// When somebody let it go on nevertheless.
    pub accepted_at: Option<DateTimeUtc>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// For whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// What was foreseen of a workflow before it was published, and what has come of it since.
    KeptForecast of Entity, read by Permission::ReadWorkflows;
    /// The workflow.
    workflow: one::<super::Entity>(Column::WorkflowId),
    /// From when on it looks ahead.
    from_at: instant(Column::FromAt),
    /// Until when: what is planned later is not measured by it.
    until_at: instant(Column::UntilAt),
    /// How many runs would begin.
    runs: long(Column::Runs),
    /// How much would go to customers.
    sent: long(Column::Sent),
    /// By how much more than `sent` is let through, in percent; 20 messages more always are.
    tolerance: whole(Column::Tolerance),
    /// All that would come of it, as in the report of the job that made it.
    figures: json(Column::Figures),
    /// How much for customers was planned since the workflow was published with it.
    planned: long(Column::Planned),
    /// When more was to be planned than is let through, and the workflow was held; null while it was not.
    exceeded_at: instant(Column::ExceededAt),
    /// When somebody let it go on nevertheless; nothing is measured by it any more. Null while nobody did.
    accepted_at: instant(Column::AcceptedAt),
    /// When it was made.
    created_at: instant(Column::CreatedAt),
    /// Who had it made.
    created_by: one::<user::Entity>(Column::CreatedBy),
}

impl Model {
    /// How much for customers may be planned at most.
    fn most(&self) -> i64 {
        let more = self.sent.saturating_mul(self.tolerance.into()) / 100;
        self.sent.saturating_add(std::cmp::max(more, LEAST))
    }
}

/// What a job that keeps a forecast is asked with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Of which workflow.
    pub workflow: WorkflowId,
    /// What it did when it was asked.
    pub draft: Json,
    /// For when, and for whom.
    pub question: Question,
    /// By how much more than what is foreseen is let through, in percent.
    pub tolerance: i32,
}

/// Adds the job that foresees what would come of a workflow's draft, and keeps it with the draft.
///
/// # Errors
/// [`Error::NoSuch`], `Invalid` for a draft that cannot be carried out, a time that is too long, and a tolerance that is
/// none.
pub async fn request(
    txn: &impl ConnectionTrait,
    workflow: WorkflowId,
    (question, tolerance): (Question, i32),
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<job::Model, Error> {
    let row = super::Entity::find_by_id(workflow).one(txn).await?;
    let row = row.ok_or_else(Error::no_such::<super::Entity>)?;
    check::check(txn, &read(&row.draft)?, &performer::performers(), viewer).await?;
    question.check()?;
    if !(0..=1_000).contains(&tolerance) {
        return Err(Error::invalid("tolerance", "from 0 to 1,000 percent"));
    }
    let request = Request { workflow, draft: row.draft, question, tolerance };
    let input = serde_json::to_value(request).unwrap_or_default();
    job::create(txn, job::Kind::Forecast, input, viewer, now).await
}

/// Keeps what would come of a workflow's draft with it, if it still is the one that was asked about; false when it is not.
///
/// # Errors
/// The database.
pub async fn keep(
    txn: &impl ConnectionTrait,
    request: &Request,
    forecast: &Forecast,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<bool, Error> {
    let row = super::Entity::find_by_id(request.workflow).lock_exclusive().one(txn).await?;
    let Some(mut row) = row.filter(|row| row.draft == request.draft) else { return Ok(false) };
    let kept = Model {
        id: WorkflowForecastId::new(now),
        workflow_id: request.workflow,
        from_at: request.question.from,
        until_at: request.question.until,
        runs: count(forecast.runs),
        sent: count(forecast.sent),
        tolerance: request.tolerance,
        figures: forecast.figures(),
        planned: 0,
        exceeded_at: None,
        accepted_at: None,
        created_at: now,
        created_by: actor.user(),
    };
    row.forecast_id = Some(kept.id);
    kept.into_active_model().reset_all().insert(txn).await?;
    save::<super::Entity>(txn, row, actor, now).await?;
    Ok(true)
}

/// Notes that somebody lets a workflow go on, which may have exceeded its forecast.
pub(super) async fn accept(
    txn: &impl ConnectionTrait,
    active: WorkflowVersionId,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let version = version::Entity::find_by_id(active).one(txn).await?;
    let Some(id) = version.and_then(|version| version.forecast_id) else { return Ok(()) };
    Entity::update_many()
        .col_expr(Column::AcceptedAt, Expr::val(now))
        .filter(Column::Id.eq(id))
        .filter(Column::ExceededAt.is_not_null())
        .exec(txn)
        .await?;
    Ok(())
}

/// The forecasts that are kept with versions and by which they are still measured, by the versions; their rows are held
/// from now on.
pub(super) async fn hold(
    txn: &impl ConnectionTrait,
    planned: &Planned,
    now: DateTimeUtc,
) -> Result<Vec<Model>, Error> {
    let held = Entity::find()
        .filter(Column::Id.is_in(planned.keys().copied()))
        .filter(Column::UntilAt.gte(now))
        .filter(Column::AcceptedAt.is_null())
        // In this order for everybody, so that nobody waits for one who waits for them.
        .order_by_asc(Column::Id)
        .lock_exclusive();
    Ok(held.all(txn).await?)
}

/// Lets the workflow of a forecast stand still if it has more for customers than is let through; whether it does.
pub(super) async fn trip(
    txn: &impl ConnectionTrait,
    held: &Model,
    planned: &Planned,
    now: DateTimeUtc,
) -> Result<bool, Error> {
    let would = held.planned + planned.get(&held.id).copied().unwrap_or_default();
    if would <= held.most() {
        return Ok(false);
    }
    let problem = format!(
        "{would} messages would have been planned for customers, but {} were foreseen until {} and {} are let through; \
         {} were planned. Resume the workflow to let it go on.",
        held.sent,
        held.until_at.format("%Y-%m-%d %H:%M UTC"),
        held.most(),
        held.planned,
    );
    let exceeded = Model { exceeded_at: Some(now), ..held.clone() };
    exceeded.into_active_model().reset_all().update(txn).await?;
    let mut stopped = turn(txn, held.workflow_id, State::Held, Actor::System, now).await?;
    // Also those that began while it was being held.
    run::hold_all(txn, held.workflow_id, true, now).await?;
    stopped.problem = Some(problem);
    save::<super::Entity>(txn, stopped, Actor::System, now).await?;
    notification::workflow_held(txn, held, now).await?;
    Ok(true)
}

/// Writes down what was planned for customers.
pub(super) async fn note(
    txn: &impl ConnectionTrait,
    held: &[Model],
    planned: &Planned,
) -> Result<(), Error> {
    if held.is_empty() || planned.is_empty() {
        return Ok(());
    }
    let mut more = CaseStatement::new();
    for (id, planned) in planned {
        more = more.case(Column::Id.eq(*id), Expr::val(*planned));
    }
    let more: Expr = more.finally(Expr::val(0_i64)).into();
    Entity::update_many()
        .col_expr(Column::Planned, Expr::col(Column::Planned).add(more))
        .filter(Column::Id.is_in(held.iter().map(|held| held.id)))
        .exec(txn)
        .await?;
    Ok(())
}

/// How much for customers is planned, for each forecast that is kept with a version.
pub(super) type Planned = HashMap<WorkflowForecastId, i64>;

/// How much for customers was planned.
pub(super) fn planned(
    versions: &[(WorkflowVersionId, Arc<Version>)],
    advanced: &Advanced,
) -> Planned {
    let watched = versions.iter().filter_map(|(id, version)| Some((*id, version.forecast?)));
    let watched: HashMap<_, _> = watched.collect();
    let mut planned = Planned::new();
    if watched.is_empty() {
        return planned;
    }
    let runs: HashMap<WorkflowRunId, WorkflowVersionId> =
        advanced.runs.iter().map(|run| (run.id, run.version_id)).collect();
    for effect in &advanced.effects {
        let run = match effect {
            Effect::Send(outgoing) => outgoing.run,
            Effect::Receipt(receipt) => receipt.run,
            _ => continue,
        };
        if let Some(id) = runs.get(&run).and_then(|version| watched.get(version)) {
            *planned.entry(*id).or_default() += 1;
        }
    }
    planned
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
