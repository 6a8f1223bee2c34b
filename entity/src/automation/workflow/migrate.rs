//! Runs that go on with another version.
//!
//! Invariant: as many statements as the version has steps, however many runs there are. A run that waits for as long as
//! the new step does goes on waiting; in a step of another kind it begins anew.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveEnum, Condition};

use super::definition::{Action, Definition};
use super::{StepMap, run};
use crate::check::Check;
use crate::error::Error;
use crate::id::{WorkflowId, WorkflowVersionId};

/// Lets the runs of a workflow's other versions go on with that version.
///
/// # Errors
/// `Invalid` for steps that it does not have, the database.
pub(super) async fn migrate(
    txn: &impl ConnectionTrait,
    workflow: WorkflowId,
    version: WorkflowVersionId,
    definition: &Definition,
    steps: &StepMap,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let mut check = Check::default();
    for (index, to) in steps.values().enumerate() {
        check.within("steps", index, |check| {
            check.that(definition.step(to).is_some(), "to", "the new version has no such step");
        });
    }
    check.end()?;
    let moving = || {
        Condition::all()
            .add(run::Column::WorkflowId.eq(workflow))
            .add(run::Column::VersionId.ne(version))
            .add(run::Column::EndedAt.is_null())
    };
    // A run that goes on between two of the statements below would be in neither's step.
    run::hold(txn, moving()).await?;
    // What names no other step stays where it is.
    let same = definition.steps.iter().map(|step| (&step.key, &step.key));
    let same = same.filter(|(key, _)| !steps.contains_key(*key));
    for (from, to) in steps.iter().chain(same) {
        let Some(step) = definition.step(to).and_then(|index| definition.steps.get(index)) else {
            continue;
        };
        let here = moving().add(run::Column::Step.eq(from));
        enter(txn, here, version, to, &step.action, now).await?;
    }
    run::Entity::update_many()
        .col_expr(run::Column::VersionId, Expr::val(version.0))
        .filter(moving())
        .filter(run::Column::Step.is_null())
        .exec(txn)
        .await?;
    Ok(())
}

/// Puts runs into a step of the version.
async fn enter(
    txn: &impl ConnectionTrait,
    which: Condition,
    version: WorkflowVersionId,
    step: &str,
    action: &Action,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let mut update = run::Entity::update_many()
        .col_expr(run::Column::VersionId, Expr::val(version.0))
        .col_expr(run::Column::Step, Expr::val(step));
    update = match action {
        Action::WaitForEvent { kinds, .. } => {
            let listens = run::listening(kinds.iter().copied());
            update.col_expr(run::Column::Listens, Expr::val(listens))
        }
        Action::Wait(_) => update.col_expr(run::Column::Listens, Expr::val(None::<String>)),
        _ => update
            .col_expr(run::Column::State, Expr::val(run::State::Running.to_value()))
            .col_expr(run::Column::Listens, Expr::val(None::<String>))
            .col_expr(run::Column::SinceAt, Expr::val(None::<DateTimeUtc>))
            .col_expr(run::Column::UntilAt, Expr::val(None::<DateTimeUtc>))
            .col_expr(run::Column::DueAt, Expr::val(now)),
    };
    update.filter(which).exec(txn).await?;
    Ok(())
}
