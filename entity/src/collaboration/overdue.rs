//! What nobody has done in time: tasks past their day, and calls that nobody made or said the outcome of.
//!
//! Invariant: it is said once for each time that it should have been done by, also when that was while nothing was
//! carried out. What is done, called off or deleted before is not said to be overdue, and what gets another time is
//! looked at then.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, LockBehavior, LockType, Order, Query};

use crate::access::Actor;
use crate::automation::event::{self, Kind};
use crate::customers::customer;
use crate::error::Error;
use crate::id::CustomerId;

/// How many records are looked at at once.
const BATCH: u64 = 500;

/// The kinds of records that are looked at, with what is said of them. Each has the columns `look_at`, when it is
/// looked at next, and `noted_at`, for which time it was said already.
const KINDS: [(&str, Kind); 2] = [("task", Kind::TaskOverdue), ("call", Kind::CallForgotten)];

/// When a record is looked at that has to be done by `due`: not once it was said for that time.
pub(super) fn look_at(
    due: Option<DateTimeUtc>,
    is_open: bool,
    noted: Option<DateTimeUtc>,
) -> Option<DateTimeUtc> {
    due.filter(|due| is_open && noted != Some(*due))
}

/// Whether something has become overdue, as a condition.
#[must_use]
pub fn is_due(now: DateTimeUtc) -> Expr {
    let of = |(table, _)| {
        let mut due = Query::select();
        due.expr(Expr::val(1)).from(table).and_where(Expr::col("look_at").lte(now));
        Expr::exists(due)
    };
    let [tasks, calls] = KINDS.map(of);
    tasks.or(calls)
}

/// Says of a batch of records that they have become overdue; gives how many were looked at.
///
/// # Errors
/// The database.
pub async fn notice(txn: &impl ConnectionTrait, now: DateTimeUtc) -> Result<u64, Error> {
    let mut looked = 0;
    for (table, kind) in KINDS {
        looked += notice_of(txn, table, kind, now).await?;
    }
    Ok(looked)
}

async fn notice_of(
    txn: &impl ConnectionTrait,
    table: &'static str,
    kind: Kind,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let column = |name: &'static str| Expr::col((Alias::new(table), Alias::new(name)));
    let of_customer = |name| Expr::col((customer::Entity, name));
    let deleted_with = Query::select()
        .expr(Expr::val(1))
        .from(customer::Entity)
        .and_where(of_customer(customer::Column::Id).eq(column("customer_id")))
        .and_where(of_customer(customer::Column::DeletedAt).is_not_null())
        .take();
    let is_there = column("deleted_at").is_null().and(Expr::exists(deleted_with).not());
    let mut due = Query::select();
    due.columns(["id", "customer_id"])
        .expr_as(is_there, "is_there")
        .from(table)
        .and_where(column("look_at").lte(now))
        .order_by("look_at", Order::Asc)
        .limit(BATCH)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    let rows = txn.query_all(&due).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let (mut ids, mut events) = (Vec::new(), Vec::new());
    for row in rows {
        let id: Uuid = row.try_get("", "id")?;
        let customer: Option<CustomerId> = row.try_get("", "customer_id")?;
        if row.try_get("", "is_there")? {
            events.push(event::new(kind, id, customer, Actor::System, now));
        }
        ids.push(id);
    }
    if !events.is_empty() {
        event::Entity::insert_many(events).exec_without_returning(txn).await?;
    }
    let looked = ids.len() as u64;
    let mut noted = Query::update();
    noted
        .table(table)
        .value("noted_at", Expr::col("look_at"))
        .value("look_at", None::<DateTimeUtc>)
        .and_where(Expr::col("id").is_in(ids));
    txn.execute(&noted).await?;
    Ok(looked)
}
