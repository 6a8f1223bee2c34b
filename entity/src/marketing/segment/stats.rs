//! What segments are worth, and how their customers buy: several of them by two statements.
//!
//! Invariant: amounts of different currencies are never added, and an invoice that was taken back, or that is a fee or
//! interest, is no purchase.

use std::collections::HashMap;

use chrono::{NaiveDate, TimeDelta};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    Alias, CaseStatement, ExprTrait, JoinType, Order, Query, SelectStatement,
};
use sea_orm::{ActiveEnum, ConnectionTrait, DbErr};

use super::member;
use super::refresh::present;
use crate::access::{Permission, Viewer};
use crate::catalog::{Cataloged, Scope};
use crate::customers::custom::CustomFields;
use crate::customers::customer;
use crate::finance::invoice;
use crate::id::SegmentId;
use crate::money::{Currency, Money};

/// Up to how many days ago a last purchase was, stretch by stretch; what is longer ago comes after them.
pub const STRETCHES: [i64; 5] = [30, 90, 180, 365, 730];

/// What a segment is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// How many customers belong to it.
    pub customers: u64,
    /// How many of them have bought something.
    pub buyers: u64,
    /// How many bought last within each of [`STRETCHES`], and before.
    pub last_purchases: [u64; STRETCHES.len() + 1],
    /// What they bought, by currency.
    pub amounts: Vec<Amounts>,
}

/// What customers bought in a currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// How many customers.
    pub buyers: u64,
    /// By how many invoices.
    pub invoices: u64,
    /// For how much, less what was credited.
    pub invoiced: Money,
    /// What of it was paid.
    pub paid: Money,
    /// What of it is still to be paid.
    pub open: Money,
    /// What of that is overdue.
    pub overdue: Money,
}

impl Amounts {
    /// What a customer who bought in the currency bought for, to the nearest minor unit.
    #[must_use]
    pub fn average(&self) -> Money {
        let buyers = std::cmp::max(1, i64::try_from(self.buyers).unwrap_or(i64::MAX));
        let half = buyers / 2;
        let minor = self.invoiced.minor;
        let rounded =
            if minor < 0 { minor.saturating_sub(half) } else { minor.saturating_add(half) };
        Money::new(rounded / buyers, self.invoiced.currency)
    }
}

/// What the segments are worth of whose customers the viewer sees what they owe, in their order. An invoice is overdue when
/// it was due before `today`.
///
/// # Errors
/// The database.
pub async fn of(
    db: &impl ConnectionTrait,
    segments: &[SegmentId],
    viewer: &Viewer,
    today: NaiveDate,
) -> Result<Vec<Stats>, DbErr> {
    let mut stats: HashMap<Uuid, Stats> = HashMap::new();
    let count = |count: i64| u64::try_from(count).unwrap_or_default();
    for row in db.query_all(&last_purchases(db, segments, viewer, today)).await? {
        let stats = stats.entry(row.try_get_by_index(0)?).or_default();
        let (stretch, customers): (i64, i64) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        stats.customers += count(customers);
        if let Some(place) =
            usize::try_from(stretch).ok().and_then(|at| stats.last_purchases.get_mut(at))
        {
            *place = count(customers);
            stats.buyers += count(customers);
        }
    }
    for row in db.query_all(&amounts(db, segments, viewer, today)).await? {
        let stats = stats.entry(row.try_get_by_index(0)?).or_default();
        let currency: Currency = row.try_get_by_index(1)?;
        let number = |index| row.try_get_by_index::<i64>(index);
        let amount = |index| Ok::<_, DbErr>(Money::new(number(index)?, currency));
        stats.amounts.push(Amounts {
            buyers: count(number(2)?),
            invoices: count(number(3)?),
            invoiced: amount(4)?,
            paid: amount(5)?,
            open: amount(6)?,
            overdue: amount(7)?,
        });
    }
    Ok(segments.iter().map(|id| stats.get(&id.0).cloned().unwrap_or_default()).collect())
}

/// The customers of segments, with their segments.
fn customers(
    db: &impl ConnectionTrait,
    segments: &[SegmentId],
    viewer: &Viewer,
) -> SelectStatement {
    let custom = CustomFields::default();
    let of = |column: member::Column| (member::Entity, column);
    let mut customers = Query::select();
    customers
        .column(of(member::Column::SegmentId))
        .from(member::Entity)
        .inner_join(
            customer::Entity,
            Expr::col((customer::Entity, customer::Column::Id))
                .equals(of(member::Column::CustomerId)),
        )
        .and_where(Expr::col(of(member::Column::SegmentId)).is_in(segments.iter().map(|id| id.0)))
        .cond_where(present(&Json::Null, Scope::of(db, viewer, &custom)))
        .cond_where(customer::Entity::record().reached(viewer, Permission::ReadFinance, false))
        .add_group_by([Expr::col(of(member::Column::SegmentId))]);
    customers
}

/// What is no purchase is left out.
fn purchases(invoices: &mut SelectStatement) {
    let of = |column: invoice::Column| Expr::col((invoice::Entity, column));
    invoices
        .and_where(of(invoice::Column::State).ne(invoice::State::Void.to_value()))
        .and_where(of(invoice::Column::Kind).eq(invoice::Kind::Invoice.to_value()));
}

/// How many customers of each segment bought last in which stretch; -1 for those who never did.
fn last_purchases(
    db: &impl ConnectionTrait,
    segments: &[SegmentId],
    viewer: &Viewer,
    today: NaiveDate,
) -> SelectStatement {
    let last = || Expr::col((Alias::new("purchase"), Alias::new("last_on")));
    let mut purchase = Query::select();
    purchase
        .column((invoice::Entity, invoice::Column::CustomerId))
        .expr_as(
            Expr::col((invoice::Entity, invoice::Column::IssuedOn)).max(),
            Alias::new("last_on"),
        )
        .from(invoice::Entity)
        .add_group_by([Expr::col((invoice::Entity, invoice::Column::CustomerId))]);
    purchases(&mut purchase);
    let never = CaseStatement::new().case(last().is_null(), Expr::cust("-1"));
    let stretch = (0..).zip(STRETCHES).fold(never, |stretch, (place, days)| {
        let since = today - TimeDelta::days(days);
        stretch.case(last().gt(since), Expr::cust(format!("{place}")))
    });
    let stretch: Expr = stretch.finally(Expr::cust(STRETCHES.len().to_string())).into();
    let mut counts = customers(db, segments, viewer);
    counts
        .join_subquery(
            JoinType::LeftJoin,
            purchase,
            Alias::new("purchase"),
            Expr::col((Alias::new("purchase"), Alias::new("customer_id")))
                .equals((customer::Entity, customer::Column::Id)),
        )
        .expr_as(stretch.cast_as("bigint"), Alias::new("stretch"))
        .expr(Expr::col((customer::Entity, customer::Column::Id)).count())
        .add_group_by([Expr::col(Alias::new("stretch"))]);
    counts
}

/// What the customers of each segment bought, by currency.
fn amounts(
    db: &impl ConnectionTrait,
    segments: &[SegmentId],
    viewer: &Viewer,
    today: NaiveDate,
) -> SelectStatement {
    use invoice::Column;
    let of = |column: Column| Expr::col((invoice::Entity, column));
    let sum = |value: Expr| value.sum().cast_as("bigint");
    let open = || -> Expr {
        let left = of(Column::Total).sub(of(Column::Paid)).sub(of(Column::Credited));
        let is_open = of(Column::State).eq(invoice::State::Open.to_value());
        CaseStatement::new().case(is_open, left).finally(0_i64).into()
    };
    let overdue = CaseStatement::new().case(of(Column::DueOn).lt(today), open()).finally(0_i64);
    let mut sums = customers(db, segments, viewer);
    sums.inner_join(
        invoice::Entity,
        of(Column::CustomerId).equals((customer::Entity, customer::Column::Id)),
    )
    .expr(of(Column::Currency))
    .expr(of(Column::CustomerId).count_distinct())
    .expr(of(Column::Id).count())
    .expr(sum(of(Column::Total).sub(of(Column::Credited))))
    .expr(sum(of(Column::Paid)))
    .expr(sum(open()))
    .expr(sum(overdue.into()))
    .add_group_by([of(Column::Currency)])
    .order_by((invoice::Entity, Column::Currency), Order::Asc);
    purchases(&mut sums);
    sums
}
