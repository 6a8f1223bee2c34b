//! Starting workflows by webhooks of other systems: a signed request says for which records.
//!
//! Invariant: a request that comes again, under the same id, starts nothing more.

use sea_orm::ActiveValue::Set;
use sea_orm::Condition;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use serde_json::json;

use super::definition::Trigger;
use super::start::{From, begin as begin_runs, hold};
use crate::access::{Actor, Calendar, Viewer, organisation};
use crate::automation::AutomationError;
use crate::catalog::{Scope, condition};
use crate::customers::custom::CustomFields;
use crate::edit::lock;
use crate::error::Error;
use crate::id::{UserId, WorkflowId};

/// For how many records a request starts a workflow at most.
const MOST_RECORDS: usize = 1_000;

/// What requests that start a workflow are signed with.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_hook")]
pub struct Model {
    /// Which workflow.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WorkflowId,
    /// The secret.
    pub secret: String,
    /// Since when.
    pub created_at: DateTimeUtc,
    /// Who has made it.
    pub created_by: Option<UserId>,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Lets requests that are signed with `secret` start a workflow; those signed with the one before do not any more.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn open(
    txn: &impl ConnectionTrait,
    id: WorkflowId,
    secret: String,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    lock::<super::Entity>(txn, id, None).await?;
    let row = ActiveModel {
        id: Set(id),
        secret: Set(secret),
        created_at: Set(now),
        created_by: Set(actor.user()),
    };
    let instead = OnConflict::column(Column::Id)
        .update_columns([Column::Secret, Column::CreatedAt, Column::CreatedBy])
        .to_owned();
    Entity::insert(row).on_conflict(instead).exec_without_returning(txn).await?;
    Ok(())
}

/// Lets no request start a workflow any more. Doing so again changes nothing.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn close(txn: &impl ConnectionTrait, id: WorkflowId) -> Result<(), Error> {
    lock::<super::Entity>(txn, id, None).await?;
    Entity::delete_by_id(id).exec(txn).await?;
    Ok(())
}

/// What requests that start a workflow are signed with, if any may.
///
/// # Errors
/// The database.
pub async fn secret(db: &impl ConnectionTrait, id: WorkflowId) -> Result<Option<String>, DbErr> {
    Ok(Entity::find_by_id(id).one(db).await?.map(|hook| hook.secret))
}

/// Starts a workflow for the records that a request means, which calls itself `name`; gives for how many.
///
/// # Errors
/// `NeverPublished`, `Invalid` for a request that names no record in the place that the workflow's trigger says.
pub async fn begin(
    txn: &impl ConnectionTrait,
    id: WorkflowId,
    (name, body): (&str, &Json),
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let this = Condition::all().add(super::Column::Id.eq(id));
    let active = hold(txn, this).await?.pop().ok_or(AutomationError::NeverPublished)?;
    let Trigger::Webhook { field, at } = &active.what.definition.trigger else {
        return Err(Error::invalid("trigger", "no webhook starts this workflow"));
    };
    let values = match body.pointer(at) {
        None | Some(Json::Null) => Err(format!("there is nothing at {at}")),
        Some(Json::Array(values)) if values.len() > MOST_RECORDS => {
            Err(format!("at most {MOST_RECORDS} records in a request"))
        }
        Some(Json::Array(values)) => Ok(values.clone()),
        Some(value) => Ok(vec![value.clone()]),
    };
    let values = values.map_err(|why| Error::invalid("body", why))?;
    let zone = organisation::get(txn).await?.zone();
    let viewer = Viewer::rapport(txn.get_database_backend(), Calendar::at(now, zone));
    let custom = CustomFields::loaded(txn).await?;
    let scope = Scope::of(txn, &viewer, &custom);
    let these = condition(active.what.record, &json!({ field: { "in": values } }), scope, "body")?;
    begin_runs(txn, &active, From::Hook(these, name), scope, now).await
}
