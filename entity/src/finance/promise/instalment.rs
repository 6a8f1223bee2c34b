//! The instalments of payment plans. Append-only.
//!
//! Invariant: those of a plan come to what it promises, and each is due later than the one before it.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder};

use crate::access::{Actor, Permission};
use crate::catalog::catalog;
use crate::error::Error;
use crate::id::{Id, InstalmentId, PromiseId, UserId};
use crate::money::Money;

/// An instalment.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "promise_instalment")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InstalmentId,
    /// Of which plan.
    pub promise_id: PromiseId,
    /// When it is to be paid.
    pub due_on: Date,
    /// How much, in minor units of the plan's currency.
    pub amount: i64,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

/// An instalment is in its plan's currency.
const CURRENCY: &str =
    "(SELECT currency FROM promise WHERE promise.id = promise_instalment.promise_id)";

catalog! {
    /// An instalment of a payment plan.
    PromiseInstalment of Entity, read by Permission::ReadFinance,
        part of Column::PromiseId => super::Entity;
    /// Its id.
    id: id::<InstalmentId>(),
    /// The plan.
    promise: one::<super::Entity>(Column::PromiseId),
    /// When it is to be paid.
    due_on: day(Column::DueOn),
    /// How much.
    amount: money(Column::Amount).in_currency(CURRENCY),
}

/// An instalment to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewInstalment {
    /// When it is to be paid.
    pub due_on: Date,
    /// How much.
    pub amount: Money,
}

/// Writes down the instalments of a plan.
///
/// # Errors
/// The database.
pub(super) async fn insert(
    txn: &impl ConnectionTrait,
    promise: PromiseId,
    instalments: &[NewInstalment],
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let rows = instalments.iter().map(|instalment| Model {
        id: InstalmentId::new(now),
        promise_id: promise,
        due_on: instalment.due_on,
        amount: instalment.amount.minor,
        created_at: now,
        created_by: actor.user(),
    });
    let rows = rows.map(|row| row.into_active_model().reset_all());
    Entity::insert_many(rows).exec_without_returning(txn).await?;
    Ok(())
}

/// The instalments of plans, each plan's in their order.
///
/// # Errors
/// The database.
pub(super) async fn of(
    db: &impl ConnectionTrait,
    plans: Vec<PromiseId>,
) -> Result<HashMap<PromiseId, Vec<Model>>, DbErr> {
    let mut found = HashMap::<_, Vec<_>>::new();
    if plans.is_empty() {
        return Ok(found);
    }
    let rows = Entity::find().filter(Column::PromiseId.is_in(plans)).order_by_asc(Column::DueOn);
    for row in rows.all(db).await? {
        found.entry(row.promise_id).or_default().push(row);
    }
    Ok(found)
}

/// When the first instalment is due that `paid` is not enough for; none when it is enough for all.
pub(super) fn next_due(instalments: &[Model], paid: i64) -> Option<Date> {
    let mut due = 0;
    let next = instalments.iter().find(|instalment| {
        due += instalment.amount;
        due > paid
    });
    next.map(|instalment| instalment.due_on)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_in_is_for_the_instalments_in_their_order() {
        let now = DateTimeUtc::default();
        let instalment = |day, amount| Model {
            id: InstalmentId::new(now),
            promise_id: PromiseId::new(now),
            due_on: Date::from_ymd_opt(2026, 12, day).unwrap(),
            amount,
            created_at: now,
            created_by: None,
        };
        let plan = [instalment(1, 100), instalment(8, 100), instalment(15, 50)];
        let due = |paid| next_due(&plan, paid).map(|day| day.to_string());
        assert_eq!(due(0).as_deref(), Some("2026-12-01"));
        assert_eq!(due(99).as_deref(), Some("2026-12-01"));
        assert_eq!(due(100).as_deref(), Some("2026-12-08"));
        assert_eq!(due(249).as_deref(), Some("2026-12-15"));
        assert_eq!(due(250), None);
    }
}
