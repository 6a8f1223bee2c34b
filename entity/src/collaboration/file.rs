//! Stored bytes: the versions of documents, and files to import.
//!
//! Invariant: the row is written after the bytes are, and neither ever changes. Equal bytes of versions
//! are kept once: rows share a storage key, and whoever adds one to a key holds a row of it, so that
//! nobody removes the bytes meanwhile.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect, QueryTrait};

use super::document;
use crate::access::{Actor, Viewer, user};
use crate::automation::job;
use crate::catalog::{Cataloged, catalog};
use crate::edit;
use crate::error::Error;
use crate::finance::statement;
use crate::id::{DocumentId, FileId, UserId};

/// For how many days a file to import is kept.
pub const IMPORTED_DAYS: i64 = 30;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "file")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: FileId,
    /// Of which document it is a version; of none for a file to import.
    pub document_id: Option<DocumentId>,
    /// Which version, counted from one.
    pub number: i32,
    /// What its uploader called it, cleaned; never used as a path.
    pub name: String,
    /// What its first bytes say that it is.
    pub media_type: String,
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

catalog! {
    /// A version of a document: a file that never changes.
    DocumentVersion of Entity, seen with [Column::DocumentId => document::Entity];
    /// Its id. `downloadLink` takes it.
    id: id::<FileId>(),
    /// Of which document.
    document: one::<document::Entity>(Column::DocumentId),
    /// Which version, counted from one.
    number: whole(Column::Number).filtered(),
    /// What the file is called.
    file_name: text(Column::Name).filtered(),
    /// What the file is, found out from its content, such as `application/pdf`.
    media_type: text(Column::MediaType).filtered(),
    /// How large it is, in bytes.
    size: long(Column::Size).filtered(),
    /// The SHA-256 of its content, as 64 hexadecimal digits.
    sha256: text(Column::Sha256).filtered(),
    /// When it was uploaded.
    created_at: instant(Column::CreatedAt).filtered(),
    /// Who uploaded it; null for Rapport itself.
    created_by: one::<user::Entity>(Column::CreatedBy),
}

/// Bytes that are in the file store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Which: they are under its [`storage_key`].
    pub id: FileId,
    /// How many.
    pub size: i64,
    /// Their SHA-256.
    pub sha256: String,
    /// What they are.
    pub media_type: String,
}

/// Where the file store keeps bytes that come as `id`.
#[must_use]
pub fn storage_key(id: FileId) -> String {
    format!("uploads/{}", id.0)
}

/// Notes that bytes are stored, as the version of a document or by themselves. Where a version has equal
/// ones, another version gets their key, and the bytes that came now are of no use any more.
///
/// # Errors
/// The database.
pub async fn create(
    txn: &impl ConnectionTrait,
    stored: Stored,
    name: &str,
    version: Option<(DocumentId, i32)>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let twins = Entity::find()
        .filter(Column::Sha256.eq(&stored.sha256))
        .filter(Column::Size.eq(stored.size))
        .filter(Column::DocumentId.is_not_null())
        .order_by_asc(Column::Id);
    let twin = match version {
        Some(_) => twins.lock_shared().one(txn).await?,
        None => None,
    };
    let row = ActiveModel {
        id: Set(stored.id),
        document_id: Set(version.map(|(document, _)| document)),
        number: Set(version.map_or(1, |(_, number)| number)),
        name: Set(super::file_name::clean(name)),
        media_type: Set(stored.media_type),
        size: Set(stored.size),
        sha256: Set(stored.sha256),
        storage_key: Set(twin.map_or_else(|| storage_key(stored.id), |twin| twin.storage_key)),
        created_at: Set(now),
        created_by: Set(actor.user()),
    };
    Ok(row.insert(txn).await?)
}

/// The version that `viewer` may read; `None` when there is none with the id that they see.
///
/// # Errors
/// The database.
pub async fn readable(
    db: &impl ConnectionTrait,
    id: FileId,
    viewer: &Viewer,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).filter(Entity::record().visible(viewer)).one(db).await
}

/// Forgets up to `limit` files to import that came before `before`, and what the audit log says of them; gives
/// how many. What jobs leave has times of its own, and the PDFs of statements are kept.
///
/// # Errors
/// The database.
pub async fn forget_imported(
    txn: &impl ConnectionTrait,
    before: DateTimeUtc,
    limit: u64,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let left = job::Entity::find().select_only().column(job::Column::ResultFileId);
    let left = left.filter(job::Column::ResultFileId.is_not_null()).into_query();
    let gone = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::DocumentId.is_null())
        .filter(Column::CreatedAt.lt(before))
        .filter(Column::Id.not_in_subquery(left))
        .filter(Column::Id.not_in_subquery(statement::files()))
        .order_by_asc(Column::Id)
        .limit(limit);
    edit::purge::<Entity>(txn, gone.into_tuple().all(txn).await?, Actor::System, now).await
}

/// Which of the storage keys a row has.
///
/// # Errors
/// The database.
pub async fn used(
    db: &impl ConnectionTrait,
    keys: impl IntoIterator<Item = String>,
) -> Result<Vec<String>, DbErr> {
    let rows = Entity::find().select_only().distinct().column(Column::StorageKey);
    rows.filter(Column::StorageKey.is_in(keys)).into_tuple().all(db).await
}

/// The number of the document's newest version; none while it has none.
pub(super) async fn newest(txn: &impl ConnectionTrait, document: DocumentId) -> Result<i32, DbErr> {
    let newest = Entity::find().filter(Column::DocumentId.eq(document));
    let newest = newest.order_by_desc(Column::Number).one(txn).await?;
    Ok(newest.map_or(0, |file| file.number))
}
