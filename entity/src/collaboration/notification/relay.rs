//! From a notification to who listens, and to a mail for who wants one.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{Condition, QueryOrder, QuerySelect, QueryTrait};

use super::{Column, Entity, digest};
use crate::automation::message;
use crate::error::Error;
use crate::id::{NotificationId, UserId};

/// How long what was read is kept.
const READ: TimeDelta = TimeDelta::days(90);

/// How long anything is kept.
const KEPT: TimeDelta = TimeDelta::days(365);

/// A notification that was passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// Which.
    pub id: NotificationId,
    /// Whose.
    pub user: UserId,
}

/// Takes up to `limit` notifications that were not passed on, plans the mails of those that go by mail, and
/// gives them all, to be told to who listens. Others skip them meanwhile.
///
/// # Errors
/// The database.
pub async fn relay(
    txn: &impl ConnectionTrait,
    limit: u64,
    now: DateTimeUtc,
) -> Result<Vec<Relayed>, Error> {
    let rows = Entity::find()
        .filter(Column::RelayedAt.is_null())
        .order_by_asc(Column::Id)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(txn)
        .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let letters = digest::letters(txn, &rows, now).await?;
    message::plan_notifications(txn, letters.mails(), now).await?;
    Entity::update_many()
        .col_expr(Column::RelayedAt, Expr::val(now))
        .col_expr(Column::DigestId, letters.digest())
        .filter(Column::Id.is_in(rows.iter().map(|row| row.id)))
        .exec(txn)
        .await?;
    Ok(rows.into_iter().map(|row| Relayed { id: row.id, user: row.user_id }).collect())
}

/// Whether a notification waits to be passed on, as a condition.
#[must_use]
pub fn is_pending() -> Expr {
    Expr::exists(Entity::find().filter(Column::RelayedAt.is_null()).into_query())
}

/// How many notifications wait to be passed on.
///
/// # Errors
/// The database.
pub async fn pending(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    use sea_orm::PaginatorTrait;
    Entity::find().filter(Column::RelayedAt.is_null()).count(db).await
}

/// Forgets what was read, or put away, long ago.
///
/// # Errors
/// The database.
pub async fn tidy(txn: &impl ConnectionTrait, now: DateTimeUtc) -> Result<(), Error> {
    let settled =
        Condition::any().add(Column::ReadAt.is_not_null()).add(Column::DeletedAt.is_not_null());
    let old = Condition::any()
        .add(Column::HappenedAt.lt(now - KEPT))
        .add(Condition::all().add(Column::HappenedAt.lt(now - READ)).add(settled));
    Entity::delete_many().filter(old).exec(txn).await?;
    Ok(())
}
