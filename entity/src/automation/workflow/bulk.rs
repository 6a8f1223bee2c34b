//! Many runs that somebody tries again, calls off, or lets go past the step that they are in.
//!
//! Invariant: at most [`MOST_AT_ONCE`] of them in one transaction, in as many statements as they are in different steps.

use std::collections::BTreeMap;

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveEnum, Condition, IntoActiveModel, QueryOrder, QuerySelect, UpdateMany};

use super::version::versions;
use super::{run, step};
use crate::access::{Actor, Viewer};
use crate::catalog::{Cataloged, Scope, condition};
use crate::customers::custom::CustomFields;
use crate::error::Error;
use crate::id::{Id, WorkflowRunId, WorkflowStepId, WorkflowVersionId};

/// How many runs are changed at once.
pub const MOST_AT_ONCE: u64 = 10_000;

/// How many rows are written by one statement.
const ROWS: usize = 2_000;

/// Which runs.
#[derive(Clone, Debug)]
pub enum Which {
    /// These.
    These(Vec<WorkflowRunId>),
    /// Those of a filter, in the form of their list.
    Filter(Json),
}

/// What there is to know of a run that is changed.
type Found = (WorkflowRunId, WorkflowVersionId, Option<String>);

/// Up to [`MOST_AT_ONCE`] of the runs that also meet `state`, locked, oldest first.
async fn found(
    txn: &impl ConnectionTrait,
    which: &Which,
    state: Condition,
    viewer: &Viewer,
) -> Result<Vec<Found>, Error> {
    let custom = CustomFields::loaded(txn).await?;
    let scope = Scope::of(txn, viewer, &custom);
    let chosen = match which {
        Which::These(ids) => Condition::all().add(run::Column::Id.is_in(ids.iter().copied())),
        Which::Filter(filter) => condition(run::Entity::record(), filter, scope, "filter")?,
    };
    let runs = run::Entity::find()
        .select_only()
        .columns([run::Column::Id, run::Column::VersionId, run::Column::Step])
        .filter(chosen)
        .filter(state)
        .order_by_asc(run::Column::Id)
        .limit(MOST_AT_ONCE)
        .lock_exclusive();
    Ok(runs.into_tuple().all(txn).await?)
}

/// Those of workflows that do not stand still are due at once.
fn due(now: DateTimeUtc) -> Expr {
    use sea_orm::sea_query::{CaseStatement, ExprTrait, Query};
    let mut still = Query::select();
    still
        .expr(Expr::col((super::Entity, super::Column::Id)))
        .from(super::Entity)
        .and_where(super::Column::State.is_in(super::State::STILL));
    let is_still = Expr::col((run::Entity, run::Column::WorkflowId)).in_subquery(still);
    CaseStatement::new()
        .case(is_still, Expr::val(None::<DateTimeUtc>))
        .finally(Expr::val(now))
        .into()
}

/// Lets runs that have failed try the steps again at which they did; gives how many.
///
/// # Errors
/// The filter, the database.
pub async fn retry_runs(
    txn: &impl ConnectionTrait,
    which: &Which,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let failed = Condition::all().add(run::Column::State.eq(run::State::Failed));
    let ids = found(txn, which, failed, viewer).await?.into_iter().map(|(id, ..)| id);
    let tried = going_on(now).filter(run::Column::Id.is_in(ids)).exec(txn).await?;
    Ok(tried.rows_affected)
}

/// Calls off those of the runs that have not ended; gives how many.
///
/// # Errors
/// The filter, the database.
pub async fn cancel_runs(
    txn: &impl ConnectionTrait,
    which: &Which,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let going = Condition::all().add(run::Column::EndedAt.is_null());
    let ids = found(txn, which, going, viewer).await?.into_iter().map(|(id, ..)| id);
    let why = run::called_off(Actor::from(viewer));
    let these = Condition::all().add(run::Column::Id.is_in(ids));
    run::cancel(txn, these, &why, now).await
}

/// Lets runs that have failed or wait in a step go on with the one that follows it; gives how many.
///
/// # Errors
/// The filter, the database.
pub async fn skip_steps(
    txn: &impl ConnectionTrait,
    which: &Which,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let stands = [run::State::Failed, run::State::Waiting];
    let stands =
        Condition::all().add(run::Column::State.is_in(stands)).add(run::Column::Step.is_not_null());
    let runs = found(txn, which, stands, viewer).await?;
    let count = runs.len() as u64;
    let detail = Some(format!("skipped by {}", viewer.user.global()));
    let skipped = runs.iter().filter_map(|(id, _, step)| {
        Some(step::Model {
            id: WorkflowStepId::new(now),
            run_id: *id,
            step: step.clone()?,
            outcome: step::Outcome::Skipped,
            detail: detail.clone(),
            at: now,
        })
    });
    let skipped = skipped.map(|row| row.into_active_model().reset_all()).collect::<Vec<_>>();
    for rows in skipped.chunks(ROWS) {
        step::Entity::insert_many(rows.iter().cloned()).exec_without_returning(txn).await?;
    }
    let versions = versions(txn, runs.iter().map(|(_, version, _)| *version)).await?;
    let mut ahead = BTreeMap::<Option<String>, Vec<WorkflowRunId>>::new();
    for (id, version, step) in runs {
        let next = versions.get(&version).and_then(|version| {
            let definition = &version.definition;
            let next = definition.following(definition.step(step.as_deref()?)?)?;
            definition.steps.get(next).map(|step| step.key.clone())
        });
        ahead.entry(next).or_default().push(id);
    }
    for (next, ids) in ahead {
        match next {
            Some(next) => begin(txn, ids, &next, now).await?,
            None => complete(txn, ids, now).await?,
        }
    }
    Ok(count)
}

/// Lets runs go on.
fn going_on(now: DateTimeUtc) -> UpdateMany<run::Entity> {
    run::Entity::update_many()
        .col_expr(run::Column::State, Expr::val(run::State::Running.to_value()))
        .col_expr(run::Column::DueAt, due(now))
        .col_expr(run::Column::Detail, Expr::val(None::<String>))
        .col_expr(run::Column::EndedAt, Expr::val(None::<DateTimeUtc>))
}

/// Lets runs begin a step.
async fn begin(
    txn: &impl ConnectionTrait,
    ids: Vec<WorkflowRunId>,
    step: &str,
    now: DateTimeUtc,
) -> Result<(), Error> {
    going_on(now)
        .col_expr(run::Column::Step, Expr::val(step))
        .col_expr(run::Column::Listens, Expr::val(None::<String>))
        .col_expr(run::Column::Met, Expr::val(false))
        .col_expr(run::Column::SinceAt, Expr::val(None::<DateTimeUtc>))
        .col_expr(run::Column::UntilAt, Expr::val(None::<DateTimeUtc>))
        .filter(run::Column::Id.is_in(ids))
        .exec(txn)
        .await?;
    Ok(())
}

/// Lets runs come to their end.
async fn complete(
    txn: &impl ConnectionTrait,
    ids: Vec<WorkflowRunId>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    run::Entity::update_many()
        .col_expr(run::Column::State, Expr::val(run::State::Completed.to_value()))
        .col_expr(run::Column::DueAt, Expr::val(None::<DateTimeUtc>))
        .col_expr(run::Column::Listens, Expr::val(None::<String>))
        .col_expr(run::Column::Detail, Expr::val(None::<String>))
        .col_expr(run::Column::EndedAt, Expr::val(now))
        .filter(run::Column::Id.is_in(ids))
        .exec(txn)
        .await?;
    Ok(())
}
