//! What people write down about a customer. Invariant: a note belongs to one customer for good.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QuerySelect};

use super::CollaborationError;
use crate::access::{Actor, Permission, audit, user};
use crate::automation::event;
use crate::catalog::catalog;
use crate::customers::customer;
use crate::error::Error;
use crate::id::{CustomerId, Id, NoteId, UserId};
use crate::text;

/// How many characters a note has at most.
const LONGEST: usize = 10_000;

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "note")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: NoteId,
    /// About whom.
    pub customer_id: CustomerId,
    /// What it says.
    pub body: String,
    /// Since when it is deleted.
    pub deleted_at: Option<DateTimeUtc>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
    /// By whom.
    pub updated_by: Option<UserId>,
    /// Counts up with every change.
    pub version: i32,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

catalog! {
    /// What somebody wrote down about a customer.
    Note (note, notes) of Entity, read by Permission::ReadCustomers,
        part of Column::CustomerId => customer::Entity, deleted by Column::DeletedAt;
    /// Its id.
    id: id::<NoteId>().filtered(),
    /// Counts up with every change; give it back as `expectedVersion`.
    version: whole(Column::Version),
    /// The customer it is about.
    customer: one::<customer::Entity>(Column::CustomerId),
    /// What it says: plain text with line breaks.
    body: text(Column::Body).filtered(),
    /// Who wrote it; null when Rapport did.
    author: one::<user::Entity>(Column::CreatedBy),
    /// Who changed what of it.
    history: many::<audit::Entity>(audit::Column::RecordId).guarded(Permission::ReadAudit),
    /// Since when it is deleted; null while it is not. Lists leave deleted ones out.
    deleted_at: instant(Column::DeletedAt),
    /// When it was written.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
    /// When it was last changed.
    updated_at: instant(Column::UpdatedAt).filtered(),
}

/// Writes something down about a customer.
///
/// # Errors
/// `Invalid` when it is empty or too long, [`crate::customers::CustomersError::NotFound`].
pub async fn create(
    txn: &impl ConnectionTrait,
    about: CustomerId,
    body: &str,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = Model {
        id: NoteId::new(now),
        customer_id: customer::hold(txn, about).await?.id,
        body: parse(body)?,
        deleted_at: None,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    let row = row.into_active_model().reset_all().insert(txn).await?;
    event::emit(txn, event::Kind::NoteCreated, row.id.0, Some(about), actor, now).await?;
    Ok(row)
}

/// Changes what a note says, if it still has `expected_version` (where one is given).
///
/// # Errors
/// [`CollaborationError::NoSuchNote`], [`crate::customers::CustomersError::NotFound`], [`Error::StaleVersion`],
/// `Invalid`.
pub async fn update(
    txn: &impl ConnectionTrait,
    id: NoteId,
    body: &str,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock(txn, id).await?;
    if row.deleted_at.is_some() {
        return Err(CollaborationError::NoSuchNote.into());
    }
    if expected_version.is_some_and(|version| version != row.version) {
        return Err(Error::StaleVersion { current: row.version });
    }
    row.body = parse(body)?;
    write(txn, row, event::Kind::NoteUpdated, actor, now).await
}

/// Deletes a note. Deleting it again is harmless.
///
/// # Errors
/// [`CollaborationError::NoSuchNote`], [`crate::customers::CustomersError::NotFound`].
pub async fn delete(
    txn: &impl ConnectionTrait,
    id: NoteId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock(txn, id).await?;
    if row.deleted_at.is_some() {
        return Ok(row);
    }
    row.deleted_at = Some(now);
    write(txn, row, event::Kind::NoteDeleted, actor, now).await
}

/// The note, locked, and its customer held. Notes about deleted customers stay as they are.
async fn lock(txn: &impl ConnectionTrait, id: NoteId) -> Result<Model, Error> {
    let row = Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    let row = row.ok_or(CollaborationError::NoSuchNote)?;
    customer::hold(txn, row.customer_id).await?;
    Ok(row)
}

async fn write(
    txn: &impl ConnectionTrait,
    mut row: Model,
    kind: event::Kind,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    event::emit(txn, kind, row.id.0, Some(row.customer_id), actor, now).await?;
    row.updated_at = now;
    row.updated_by = actor.user();
    row.version += 1;
    Ok(row.into_active_model().reset_all().update(txn).await?)
}

fn parse(body: &str) -> Result<String, Error> {
    let body = text::clean_lines(body);
    match body.chars().count() {
        0 => Err(Error::invalid("body", "a note needs a text")),
        1..=LONGEST => Ok(body),
        _ => Err(Error::invalid("body", format!("a note has at most {LONGEST} characters"))),
    }
}
