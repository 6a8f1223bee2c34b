//! What happened in the steps of runs. Invariant: it is only ever added to.

use std::collections::HashMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, Query};
use sea_orm::{ActiveEnum, DeriveActiveEnum, EnumIter, QuerySelect};

use super::run;
use super::version::versions;
use crate::access::{Permission, Viewer};
use crate::catalog::{Datum, catalog};
use crate::id::{WorkflowRunId, WorkflowStepId, WorkflowVersionId};

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
    /// What it is told to do: the step's action, as the run's version has it.
    input: batch_json("JSON", inputs),
    /// Which try it is: 1, and one more for each time that the step could not be done before.
    attempt: batch_json("Int!", attempts),
    /// When.
    at: instant(Column::At).filtered().ordered(),
}

/// For each, what its step is told to do.
fn inputs<'a>(
    db: &'a DatabaseConnection,
    _: &'a Viewer,
    ids: &'a [Uuid],
    _: &'a Json,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    async move {
        let version = Query::select()
            .column(run::Column::VersionId)
            .from(run::Entity)
            .and_where(Expr::col((run::Entity, run::Column::Id)).eq(Column::RunId.into_expr()))
            .take();
        let steps: Vec<(Uuid, String, WorkflowVersionId)> = Entity::find()
            .select_only()
            .columns([Column::Id, Column::Step])
            .column_as(Expr::SubQuery(None, Box::new(version.into())), "version")
            .filter(Column::Id.is_in(ids.iter().copied()))
            .into_tuple()
            .all(db)
            .await?;
        let versions = versions(db, steps.iter().map(|(_, _, version)| *version)).await?;
        let input = |(id, key, version): (Uuid, String, WorkflowVersionId)| {
            let definition = &versions.get(&version)?.definition;
            let step = definition.steps.get(definition.step(&key)?)?;
            Some((id, serde_json::to_value(&step.action).ok()?))
        };
        let mut inputs: HashMap<_, _> = steps.into_iter().filter_map(input).collect();
        Ok(ids.iter().map(|id| inputs.remove(id).map_or(Datum::Null, Datum::Json)).collect())
    }
    .boxed()
}

/// For each, how often its step was tried by then.
fn attempts<'a>(
    db: &'a DatabaseConnection,
    _: &'a Viewer,
    ids: &'a [Uuid],
    _: &'a Json,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    async move {
        let earlier = Alias::new("earlier");
        let of_earlier = |column| Expr::col((earlier.clone(), column));
        let column = |column| Expr::col((Entity, column));
        let failed = Query::select()
            .expr(of_earlier(Column::Id).count())
            .from_as(Entity, earlier.clone())
            .and_where(of_earlier(Column::RunId).eq(column(Column::RunId)))
            .and_where(of_earlier(Column::Step).eq(column(Column::Step)))
            .and_where(of_earlier(Column::Outcome).eq(Outcome::Failed.to_value()))
            .and_where(of_earlier(Column::At).lt(column(Column::At)))
            .take();
        let tried = Entity::find()
            .select_only()
            .column(Column::Id)
            .column_as(Expr::SubQuery(None, Box::new(failed.into())), "failed")
            .filter(Column::Id.is_in(ids.iter().copied()));
        let tried: Vec<(Uuid, i64)> = tried.into_tuple().all(db).await?;
        let tried: HashMap<_, _> = tried.into_iter().collect();
        let attempt = |id| Datum::Json((tried.get(id).copied().unwrap_or_default() + 1).into());
        Ok(ids.iter().map(attempt).collect())
    }
    .boxed()
}
