//! Chores: what some worker has to do now and then, and never two at once.
//!
//! Invariant: a chore is held under a lease with a fence; whoever was thought dead cannot say that it is done.

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::Condition;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

use super::lease::{Fence, next_fence};
use crate::error::Error;

/// A chore.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "chore")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// When it is to be done.
    pub due_at: DateTimeUtc,
    /// Until when somebody does it.
    pub lease_until: Option<DateTimeUtc>,
    /// Counts the leases.
    pub fence: Fence,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Leases a chore that is due and that nobody does; `None` when there is nothing to do.
///
/// # Errors
/// The database.
pub async fn claim(
    txn: &impl ConnectionTrait,
    name: &str,
    lease: TimeDelta,
    now: DateTimeUtc,
) -> Result<Option<Fence>, Error> {
    let first = ActiveModel {
        name: Set(name.to_owned()),
        due_at: Set(now),
        lease_until: Set(None),
        fence: Set(0),
    };
    let known = OnConflict::column(Column::Name).do_nothing().to_owned();
    Entity::insert(first).on_conflict(known).exec_without_returning(txn).await?;
    let nobody =
        Condition::any().add(Column::LeaseUntil.is_null()).add(Column::LeaseUntil.lte(now));
    let claimed = Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::val(now + lease))
        .col_expr(Column::Fence, next_fence())
        .filter(Column::Name.eq(name))
        .filter(Column::DueAt.lte(now))
        .filter(nobody)
        .exec(txn)
        .await?;
    if claimed.rows_affected == 0 {
        return Ok(None);
    }
    let row = Entity::find_by_id(name.to_owned()).one(txn).await?;
    Ok(row.map(|row| row.fence))
}

/// Keeps a chore that takes longer; gives whether it is still the caller's.
///
/// # Errors
/// The database.
pub async fn renew(
    txn: &impl ConnectionTrait,
    name: &str,
    fence: Fence,
    until: DateTimeUtc,
) -> Result<bool, Error> {
    let renewed = Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::val(until))
        .filter(Column::Name.eq(name))
        .filter(Column::Fence.eq(fence))
        .exec(txn)
        .await?;
    Ok(renewed.rows_affected > 0)
}

/// Says that a chore is done, and when it is due again; nothing happens when it is not the caller's any more.
///
/// # Errors
/// The database.
pub async fn settle(
    txn: &impl ConnectionTrait,
    name: &str,
    fence: Fence,
    due_at: DateTimeUtc,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(None::<DateTimeUtc>))
        .col_expr(Column::DueAt, Expr::val(due_at))
        .filter(Column::Name.eq(name))
        .filter(Column::Fence.eq(fence))
        .exec(txn)
        .await?;
    Ok(())
}
