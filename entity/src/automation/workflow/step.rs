//! What happened in the steps of runs. Invariant: it is only ever added to.

use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter};

use super::run;
use crate::access::Permission;
use crate::catalog::catalog;
use crate::id::{WorkflowRunId, WorkflowStepId};

/// What happened in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Outcome {
    /// It was done.
    Done,
    /// There was nothing to do; see the reason.
    Skipped,
    /// It could not be done; see the reason.
    Failed,
    /// The run waits in it.
    Waiting,
    /// The time has come, or the event.
    Passed,
    /// The run went another way than to the next step.
    Turned,
}

/// What happened in a step of a run.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_step")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WorkflowStepId,
    /// Of which run.
    pub run_id: WorkflowRunId,
    /// In which of the version's steps.
    pub step: String,
    /// What happened.
    pub outcome: Outcome,
    /// Why, or with what.
    pub detail: Option<String>,
    /// When.
    pub at: DateTimeUtc,
}

catalog! {
    /// What happened in a step of a run.
    WorkflowStep of Entity, read by Permission::ReadWorkflows;
    /// The run.
    run: one::<run::Entity>(Column::RunId),
    /// The step, by its key in the run's version.
    step: text(Column::Step).filtered().grouped(),
    /// What happened.
    outcome: choice::<Outcome>("WorkflowStepOutcome", Column::Outcome).filtered().grouped(),
    /// Why, or with what; null when there is nothing to say.
    detail: text(Column::Detail),
    /// When.
    at: instant(Column::At).filtered().ordered(),
}
