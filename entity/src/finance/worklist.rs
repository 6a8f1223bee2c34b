//! A collector's worklist: whom to call next about what is overdue, and why.
//!
//! Invariant: a customer stands in it once, and only as long as something may be asked for: what is disputed, promised, or of
//! a customer who is asked for nothing is left out.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    Alias, Asterisk, CaseStatement, ExprTrait, Func, JoinType, Order, Query, SelectStatement,
};
use sea_orm::{ActiveEnum, Condition, FromQueryResult};

use super::invoice;
use crate::access::{Permission, Viewer, organisation};
use crate::catalog::{Cataloged, Cursor, Key, Scalar};
use crate::collaboration::call;
use crate::customers::customer;
use crate::error::Error;
use crate::id::{CallId, CustomerId};

/// What the list is called, and what of it each row is made of.
const WORK: &str = "work";
const OWED: &str = "owed";
const ASKED: &str = "asked";

/// Why a customer is called, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// They want to be called by now.
    Callback,
    /// They have broken a promise.
    BrokenPromise,
    /// A call about what they owe is due.
    Overdue,
    /// Nobody has planned to call them.
    Fresh,
}

impl Reason {
    const ALL: [Self; 4] = [Self::Callback, Self::BrokenPromise, Self::Overdue, Self::Fresh];

    fn rank(self) -> i64 {
        self as i64
    }
}

/// Somebody to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Whom.
    pub customer: CustomerId,
    /// Why.
    pub reason: Reason,
    /// The call that is due, if one is planned.
    pub call: Option<CallId>,
    /// When the oldest of what may be asked for was due.
    pub first_due_on: Date,
    /// How many invoices that are.
    pub invoices: i64,
    /// The highest level that one of them has reached.
    pub level: i32,
}

/// A page of the list.
#[derive(Clone, Debug)]
pub struct Page {
    /// Whom to call, the most urgent first, and of them who owes for longest.
    pub rows: Vec<Work>,
    /// Whether others follow.
    pub has_next: bool,
}

#[derive(FromQueryResult)]
struct Row {
    customer_id: CustomerId,
    rank: i64,
    call_id: Option<CallId>,
    first_due_on: Date,
    invoices: i64,
    level: i32,
}

/// The `limit` customers behind `after` whose books and records the viewer reaches, with one statement.
///
/// # Errors
/// [`crate::catalog::CatalogError`] for a cursor that is none.
pub async fn page(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    limit: u64,
    after: Option<&str>,
    now: DateTimeUtc,
) -> Result<Page, Error> {
    let today = organisation::get(db).await?.today(now);
    let mut query = Query::select();
    query
        .column(Asterisk)
        .from_subquery(work(viewer, today, now), WORK)
        .order_by((WORK, "rank"), Order::Asc)
        .order_by((WORK, "first_due_on"), Order::Asc)
        .order_by((WORK, "customer_id"), Order::Asc)
        .limit(limit + 1);
    if let Some(after) = after {
        query.cond_where(behind(after)?);
    }
    let rows = db.query_all(&query).await?;
    let rows = rows.iter().map(|row| Row::from_query_result(row, ""));
    let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
    let has_next = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let work = rows.into_iter().map(|row| Work {
        customer: row.customer_id,
        reason: Reason::ALL.into_iter().find(|one| one.rank() == row.rank).unwrap_or(Reason::Fresh),
        call: row.call_id,
        first_due_on: row.first_due_on,
        invoices: row.invoices,
        level: row.level,
    });
    Ok(Page { rows: work.collect(), has_next })
}

/// The place of a row in the list, behind which the next page begins.
#[must_use]
pub fn cursor(row: &Work) -> String {
    let keys = vec![Some(Key::Number(row.reason.rank())), Some(Key::Day(row.first_due_on))];
    Cursor { order: WORK.to_owned(), keys, id: row.customer.0 }.encode()
}

fn behind(after: &str) -> Result<Condition, Error> {
    let scalars = [(&Scalar::Long, false), (&Scalar::Day, false)];
    let cursor = Cursor::decode(after, WORK, scalars.into_iter(), "after")?;
    let keys = cursor.keys.into_iter().flatten();
    let keys: Vec<_> = keys.map(|key| Expr::val(Value::from(key))).collect();
    let Ok([rank, day]) = <[Expr; 2]>::try_from(keys) else {
        unreachable!("a cursor has as many keys as its order")
    };
    let column = |name: &'static str| Expr::col((WORK, name));
    let same_day = Condition::all()
        .add(column("first_due_on").eq(day.clone()))
        .add(column("customer_id").gt(cursor.id));
    let same_rank = Condition::all()
        .add(column("rank").eq(rank.clone()))
        .add(Condition::any().add(column("first_due_on").gt(day)).add(same_day));
    Ok(Condition::any().add(column("rank").gt(rank)).add(same_rank))
}

/// Everybody to call: who owes something that may be asked for, with the call that is due, if one is.
fn work(viewer: &Viewer, today: Date, now: DateTimeUtc) -> SelectStatement {
    let owed = |name: &'static str| Expr::col((OWED, name));
    let asked = |name: &'static str| Expr::col((ASKED, name));
    let rank = CaseStatement::new()
        .case(asked("wanted").eq(1), Reason::Callback.rank())
        .case(owed("broken_at").is_not_null(), Reason::BrokenPromise.rank())
        .case(asked("call_id").is_not_null(), Reason::Overdue.rank())
        .finally(Reason::Fresh.rank());
    Query::select()
        .expr_as(owed("customer_id"), "customer_id")
        .expr_as(Expr::Case(Box::new(rank)).cast_as("bigint"), "rank")
        .expr_as(asked("call_id"), "call_id")
        .expr_as(owed("first_due_on"), "first_due_on")
        .expr_as(owed("invoices"), "invoices")
        .expr_as(owed("level"), "level")
        .from_subquery(debtors(viewer, today), OWED)
        .join_subquery(
            JoinType::LeftJoin,
            calls(now),
            ASKED,
            asked("customer_id").equals((OWED, "customer_id")),
        )
        .take()
}

/// What may be asked for of each customer.
fn debtors(viewer: &Viewer, today: Date) -> SelectStatement {
    use invoice::{Column, Entity, State};
    let of = |column: Column| Expr::col((Entity, column));
    let settled = of(Column::Paid).add(of(Column::Credited)).add(of(Column::DisputedAmount));
    let theirs = |column: customer::Column| Expr::col((customer::Entity, column));
    let quiet = theirs(customer::Column::DunningPausedUntil).gte(today);
    let record = customer::Entity::record();
    Query::select()
        .expr_as(of(Column::CustomerId), "customer_id")
        .expr_as(of(Column::DueOn).min(), "first_due_on")
        .expr_as(of(Column::Id).count(), "invoices")
        .expr_as(of(Column::DunningLevel).max(), "level")
        .expr_as(of(Column::BrokenAt).max(), "broken_at")
        .from(Entity)
        .inner_join(
            customer::Entity,
            theirs(customer::Column::Id).equals((Entity, Column::CustomerId)),
        )
        .and_where(of(Column::State).eq(Expr::val(State::Open.to_value())))
        .and_where(of(Column::DueOn).lt(today))
        .and_where(of(Column::Total).gt(settled))
        .cond_where(
            Condition::any()
                .add(of(Column::PromisedUntil).is_null())
                .add(of(Column::PromisedUntil).lt(today)),
        )
        .and_where(of(Column::HandedOverOn).is_null())
        .and_where(theirs(customer::Column::DunningExcluded).eq(false))
        .cond_where(
            Condition::any()
                .add(theirs(customer::Column::DunningPausedUntil).is_null())
                .add(quiet.not()),
        )
        .and_where(theirs(customer::Column::DeletedAt).is_null())
        .cond_where(record.visible(viewer))
        .cond_where(record.reached(viewer, Permission::ReadFinance, false))
        .add_group_by([of(Column::CustomerId)])
        .take()
}

/// The calls about what is owed that are due, one of each customer: one that they want before others, and of these the
/// first that was planned.
fn calls(now: DateTimeUtc) -> SelectStatement {
    use call::{Column, Entity, Outcome, Purpose, State};
    let of = |column: Column| Expr::col((Entity, column));
    let before = Alias::new("before");
    let wanted = Query::select()
        .expr(Expr::val(1))
        .from_as(Entity, before.clone())
        .and_where(Expr::col((before.clone(), Column::NextId)).equals((Entity, Column::Id)))
        .and_where(Expr::col((before, Column::Outcome)).eq(Expr::val(Outcome::Callback.to_value())))
        .take();
    let wanted = CaseStatement::new().case(Expr::exists(wanted), 1).finally(0);
    let due = Query::select()
        .expr_as(of(Column::CustomerId), "customer_id")
        .expr_as(of(Column::Id), "call_id")
        .expr_as(wanted, "wanted")
        .expr_as(of(Column::PlannedAt), "planned_at")
        .from(Entity)
        .and_where(of(Column::State).eq(Expr::val(State::Planned.to_value())))
        .and_where(of(Column::Purpose).eq(Expr::val(Purpose::Collection.to_value())))
        .and_where(of(Column::PlannedAt).lte(now))
        .and_where(of(Column::DeletedAt).is_null())
        .take();
    let column = |name: &'static str| Expr::col(("due", name));
    let place = Func::cust("ROW_NUMBER");
    let ranked = Query::select()
        .expr_as(column("customer_id"), "customer_id")
        .expr_as(column("call_id"), "call_id")
        .expr_as(column("wanted"), "wanted")
        .expr_window_as(
            Expr::from(place),
            sea_orm::sea_query::WindowStatement::partition_by(("due", "customer_id"))
                .order_by(("due", "wanted"), Order::Desc)
                .order_by(("due", "planned_at"), Order::Asc)
                .order_by(("due", "call_id"), Order::Asc)
                .take(),
            "place",
        )
        .from_subquery(due, "due")
        .take();
    Query::select()
        .column(Asterisk)
        .from_subquery(ranked, "ranked")
        .and_where(Expr::col(("ranked", "place")).eq(1))
        .take()
}
