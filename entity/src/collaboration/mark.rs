//! Marks that users put on records: favourites, and what they follow.
//!
//! Invariant: a user puts each mark on a record once, and only on a record that they see. Marks that were put in
//! order have places of their own, each one another; the others are before them, the newest first.

use std::cmp::Reverse;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, NullOrdering, OnConflict, Query};
use sea_orm::{
    ActiveValue::Set, Condition, DeriveActiveEnum, EnumIter, Order, QueryOrder, QuerySelect,
    TryInsertResult,
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
    /// Its place among the user's; none before they put it in order.
    pub position: Option<i32>,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Puts a mark on a record; nothing happens when it is there already.
///
/// # Errors
/// [`Error::NoSuch`], [`CollaborationError::TooManyFavourites`].
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
    let missing = || Error::NoSuch { kind: record.name, at: &["id"] };
    let viewer = viewer.ok_or_else(missing)?;
    let keys = ("id", &[id][..]);
    let seen = by_keys(txn.get_database_backend(), record, &viewer, &["id"], keys, None);
    if txn.query_one(&seen).await?.is_none() {
        return Err(missing());
    }
    let row = ActiveModel {
        user_id: Set(viewer.user),
        kind: Set(kind),
        subject_id: Set(id),
        subject_kind: Set(record.prefix.to_owned()),
        marked_at: Set(now),
        position: Set(None),
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

/// Puts the marks of some records on another one of their kind, where a user has put none yet, in the first of
/// the places that they had.
///
/// # Errors
/// The database.
pub(crate) async fn carry_over(
    txn: &impl ConnectionTrait,
    from: &[Uuid],
    to: Uuid,
) -> Result<(), Error> {
    let theirs = || Column::SubjectId.is_in(from.iter().copied());
    let mut marks = Query::select();
    marks
        .columns([Column::UserId, Column::Kind])
        .expr(Expr::val(to))
        .column(Column::SubjectKind)
        .expr(Column::MarkedAt.min())
        .expr(Column::Position.min())
        .from(Entity)
        .and_where(theirs())
        .group_by_columns([Column::UserId, Column::Kind, Column::SubjectKind]);
    let mut put = Query::insert();
    put.into_table(Entity).columns([
        Column::UserId,
        Column::Kind,
        Column::SubjectId,
        Column::SubjectKind,
        Column::MarkedAt,
        Column::Position,
    ]);
    let once = [Column::UserId, Column::Kind, Column::SubjectId];
    put.select_from(marks).map_err(|error| DbErr::Custom(error.to_string()))?;
    txn.execute(put.on_conflict(OnConflict::columns(once).do_nothing().to_owned())).await?;
    Entity::delete_many().filter(theirs()).exec(txn).await?;
    Ok(())
}

/// Moves a favourite to the place before another one, or to the end.
///
/// # Errors
/// [`CollaborationError::NoSuchFavourite`] when either is none.
pub async fn arrange(
    txn: &impl ConnectionTrait,
    id: Uuid,
    before: Option<Uuid>,
    actor: Actor,
) -> Result<(), Error> {
    let own = Condition::all()
        .add(Column::UserId.eq(actor.user().map(|user| user.0)))
        .add(Column::Kind.eq(Kind::Favourite));
    // Held in one order, so that of two that move at once the second one sees what the first one did.
    let held = Entity::find().filter(own.clone()).order_by_asc(Column::SubjectId);
    let mut marks = held.lock_exclusive().all(txn).await?;
    marks.sort_by_key(|mark| (mark.position, Reverse((mark.marked_at, mark.subject_id))));
    let mut order: Vec<Uuid> = marks.into_iter().map(|mark| mark.subject_id).collect();
    let place = |order: &[Uuid], id: Uuid| {
        let place = order.iter().position(|other| *other == id);
        place.ok_or(CollaborationError::NoSuchFavourite)
    };
    let from = place(&order, id)?;
    if before == Some(id) {
        return Ok(());
    }
    order.remove(from);
    let to = before.map_or(Ok(order.len()), |before| place(&order, before))?;
    order.insert(to, id);
    let mut positions = CaseStatement::new();
    for (position, id) in (0_i32..).zip(order) {
        positions = positions.case(Column::SubjectId.eq(id), Expr::val(position));
    }
    let update = Entity::update_many().col_expr(Column::Position, positions.into());
    update.filter(own).exec(txn).await?;
    Ok(())
}

/// What a user has marked, in their order, `most` at most; what they have not put in order comes first, and of that
/// the newest.
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
    let marks = marks
        .order_by_with_nulls(Column::Position, Order::Asc, NullOrdering::First)
        .order_by_desc(Column::MarkedAt)
        .order_by_desc(Column::SubjectId);
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
