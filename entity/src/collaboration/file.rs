//! Stored bytes. Invariant: the row is written after the bytes are, and they never change.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use crate::access::Actor;
use crate::error::Error;
use crate::id::{FileId, UserId};
use crate::text;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "file")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: FileId,
    /// What its uploader called it; never used as a path.
    pub name: String,
    /// In bytes.
    pub size: i64,
    /// Of the bytes.
    pub sha256: String,
    /// Where the file store has it.
    pub storage_key: String,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Where the file store keeps the bytes of `id`.
#[must_use]
pub fn storage_key(id: FileId) -> String {
    format!("uploads/{}", id.0)
}

/// Notes that bytes are stored under [`storage_key`].
///
/// # Errors
/// The database.
pub async fn create(
    txn: &impl ConnectionTrait,
    id: FileId,
    name: &str,
    size: i64,
    sha256: String,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let name: String = text::clean(name).chars().take(255).collect();
    let row = ActiveModel {
        id: Set(id),
        name: Set(name),
        size: Set(size),
        sha256: Set(sha256),
        storage_key: Set(storage_key(id)),
        created_at: Set(now),
        created_by: Set(actor.user()),
    };
    Ok(row.insert(txn).await?)
}
