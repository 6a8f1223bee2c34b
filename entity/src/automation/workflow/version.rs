//! Versions of workflows: what one does from one publication to the next.
//!
//! Invariant: a version never changes, and is never deleted.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use super::{Definition, forecast, written};
use crate::access::{Actor, Permission, user};
use crate::catalog::catalog;
use crate::error::Error;
use crate::id::{Id, UserId, WorkflowForecastId, WorkflowId, WorkflowVersionId};

/// A version.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_version")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WorkflowVersionId,
    /// Of which workflow.
    pub workflow_id: WorkflowId,
    /// Which of its versions, from 1 on.
    pub number: i32,
    /// What it does.
    pub definition: Json,
    /// What was foreseen of it.
    pub forecast_id: Option<WorkflowForecastId>,
    /// When it was published.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// What a workflow does from one publication to the next.
    WorkflowVersion (workflowVersion, workflowVersions) of Entity, read by Permission::ReadWorkflows;
    /// The workflow.
    workflow: one::<super::Entity>(Column::WorkflowId),
    /// Which of the workflow's versions it is, from 1 on.
    number: whole(Column::Number).filtered().ordered(),
    /// What it does.
    definition: json(Column::Definition),
    /// What was foreseen of it, which it is measured by; null when nothing was.
    forecast: one::<forecast::Entity>(Column::ForecastId),
    /// When it was published.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
    /// Who published it; null when Rapport did.
    created_by: one::<user::Entity>(Column::CreatedBy),
}

/// Writes down the next version of a workflow, which is locked.
pub(super) async fn add(
    txn: &impl ConnectionTrait,
    workflow: &super::Model,
    definition: &Definition,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let last = Entity::find()
        .select_only()
        .column(Column::Number)
        .filter(Column::WorkflowId.eq(workflow.id))
        .order_by_desc(Column::Number)
        .into_tuple::<i32>()
        .one(txn)
        .await?;
    let row = Model {
        id: WorkflowVersionId::new(now),
        workflow_id: workflow.id,
        number: last.unwrap_or_default() + 1,
        definition: written(definition)?,
        forecast_id: workflow.forecast_id,
        created_at: now,
        created_by: actor.user(),
    };
    Ok(row.into_active_model().reset_all().insert(txn).await?)
}
