//! Marks that users put on records: favourites, and what they follow.
//!
//! Invariant: a user puts each mark on a record once, and only on a record that they see.

use sea_orm::entity::prelude::*;
use sea_orm::{
    ActiveValue::Set, DeriveActiveEnum, EnumIter, QueryOrder, QuerySelect, TryInsertResult,
};

use super::CollaborationError;
use crate::access::{Actor, user};
use crate::catalog::{Record, by_keys, by_prefix};
use crate::error::Error;
use crate::id::UserId;

/// How many favourites a user has at most.
pub const MOST_FAVOURITES: u64 = 100;

/// What a mark means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Kind {
    /// The user wants it at hand.
    Favourite,
    /// The user wants to know what happens to it.
    Follow,
}

/// A mark.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mark")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// What it means.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: Kind,
    /// On which record.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: Uuid,
    /// The prefix of the record's id.
    pub subject_kind: String,
    /// When it was put there.
    pub marked_at: DateTimeUtc,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Puts a mark on a record; nothing happens when it is there already.
///
/// # Errors
/// [`CollaborationError::NoSuchRecord`], [`CollaborationError::TooManyFavourites`].
pub async fn put(
    txn: &impl ConnectionTrait,
    kind: Kind,
    (record, id): (&'static Record, Uuid),
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let viewer = match actor.user() {
        Some(user) => user::viewer(txn, user, now).await?,
        None => None,
    };
    let viewer = viewer.ok_or(CollaborationError::NoSuchRecord)?;
    let keys = ("id", &[id][..]);
    let seen = by_keys(txn.get_database_backend(), record, &viewer, &["id"], keys, None);
    if txn.query_one(&seen).await?.is_none() {
        return Err(CollaborationError::NoSuchRecord.into());
    }
    let row = ActiveModel {
        user_id: Set(viewer.user),
        kind: Set(kind),
        subject_id: Set(id),
        subject_kind: Set(record.prefix.to_owned()),
        marked_at: Set(now),
    };
    let key = [Column::UserId, Column::Kind, Column::SubjectId];
    let insert = Entity::insert(row).on_conflict_do_nothing_on(key);
    let inserted = insert.exec_without_returning(txn).await?;
    if kind == Kind::Favourite && matches!(inserted, TryInsertResult::Inserted(_)) {
        let own = Entity::find().filter(Column::UserId.eq(viewer.user.0));
        if own.filter(Column::Kind.eq(kind)).count(txn).await? > MOST_FAVOURITES {
            return Err(CollaborationError::TooManyFavourites(MOST_FAVOURITES).into());
        }
    }
    Ok(())
}

/// Takes a mark away; nothing happens when there is none.
///
/// # Errors
/// The database.
pub async fn take(
    txn: &impl ConnectionTrait,
    kind: Kind,
    id: Uuid,
    actor: Actor,
) -> Result<(), Error> {
    Entity::delete_many()
        .filter(Column::UserId.eq(actor.user().map(|user| user.0)))
        .filter(Column::Kind.eq(kind))
        .filter(Column::SubjectId.eq(id))
        .exec(txn)
        .await?;
    Ok(())
}

/// What a user has marked: the newest `most`, newest first.
///
/// # Errors
/// The database.
pub async fn of_user(
    db: &impl ConnectionTrait,
    kind: Kind,
    user: UserId,
    most: u64,
) -> Result<Vec<(&'static Record, Uuid)>, DbErr> {
    let marks = Entity::find().filter(Column::UserId.eq(user.0)).filter(Column::Kind.eq(kind));
    let marks = marks.order_by_desc(Column::MarkedAt).order_by_desc(Column::SubjectId);
    let marks = marks.limit(most).all(db).await?;
    let subject = |mark: Model| Some((by_prefix(&mark.subject_kind)?, mark.subject_id));
    Ok(marks.into_iter().filter_map(subject).collect())
}

/// Who has marked a record: `most` of them, the first ones first.
///
/// # Errors
/// The database.
pub async fn of_record(
    db: &impl ConnectionTrait,
    kind: Kind,
    id: Uuid,
    most: u64,
) -> Result<Vec<UserId>, DbErr> {
    let marks = Entity::find().filter(Column::SubjectId.eq(id)).filter(Column::Kind.eq(kind));
    let marks = marks.order_by_asc(Column::MarkedAt).order_by_asc(Column::UserId);
    Ok(marks.limit(most).all(db).await?.into_iter().map(|mark| mark.user_id).collect())
}
