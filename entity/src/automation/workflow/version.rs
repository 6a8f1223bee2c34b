//! Versions of workflows: what one does from one publication to the next.
//!
//! Invariant: a version never changes, and is never deleted; so a process reads each one once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use super::{Definition, forecast, read, written};
use crate::access::{Actor, Permission, user};
use crate::catalog::{Record, by_name, catalog};
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

/// A version, as it is carried out.
pub struct Version {
    /// What it does.
    pub definition: Definition,
    /// For which kind of record.
    pub record: &'static Record,
    /// What was foreseen of it.
    pub(super) forecast: Option<WorkflowForecastId>,
}

/// How many versions are remembered.
const REMEMBERED: usize = 2_000;

/// The versions that were read.
static READ: LazyLock<Mutex<HashMap<WorkflowVersionId, Arc<Version>>>> =
    LazyLock::new(Mutex::default);

/// Versions by their ids, as they are carried out; those that cannot be read are left out.
///
/// # Errors
/// The database.
pub async fn versions(
    db: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = WorkflowVersionId>,
) -> Result<HashMap<WorkflowVersionId, Arc<Version>>, DbErr> {
    let mut versions = HashMap::new();
    let mut unread = HashSet::new();
    {
        let read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            match read.get(&id) {
                Some(version) => drop(versions.insert(id, Arc::clone(version))),
                None => drop(unread.insert(id)),
            }
        }
    }
    if unread.is_empty() {
        return Ok(versions);
    }
    let rows = Entity::find().filter(Column::Id.is_in(unread)).all(db).await?;
    let new = rows.into_iter().filter_map(|row| {
        let definition = read(&row.definition).ok()?;
        let record = by_name(&definition.record)?;
        Some((row.id, Arc::new(Version { definition, record, forecast: row.forecast_id })))
    });
    let new = new.collect::<Vec<_>>();
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if read.len() + new.len() > REMEMBERED {
        read.clear();
    }
    read.extend(new.iter().cloned());
    versions.extend(new);
    Ok(versions)
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
