//! How well a customer pays, and how well it is likely to: derived from what it settled, and when, by the ledger.
//!
//! Invariant: all of it follows from the settled and the open invoices by functions that anybody can recompute.

mod score;

use chrono::TimeDelta;
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, ExprTrait, Order};

use super::ledger::{Account, Column};
use super::receivables::{due_on, entries, entry, sum_where};
use crate::id::CustomerId;
use crate::money::Currency;

pub use score::{Part, Points, Score};

/// How many days back settled invoices count: two years.
pub const DAYS: i64 = 730;

/// How many days are compared with as many before.
pub const TREND_DAYS: i64 = 90;

/// An invoice that was settled, at least in part by money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// When it had to be paid.
    pub due_on: Date,
    /// When the last of the money came in.
    pub settled_on: Date,
    /// What was paid of it, in minor units.
    pub amount: i64,
}

impl Settled {
    /// How many days late; negative when it was early.
    fn days_late(&self) -> i64 {
        (self.settled_on - self.due_on).num_days()
    }
}

/// An invoice of which something is still owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// When it has or had to be paid.
    pub due_on: Date,
    /// What is still owed of it, in minor units.
    pub amount: i64,
}

/// How well a customer pays in one currency. Amounts are in minor units; days late are to a tenth, and negative when
/// invoices were paid early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// In what.
    pub currency: Currency,
    /// How many invoices were settled within [`DAYS`].
    pub settled: usize,
    /// What was paid of them.
    pub settled_amount: i64,
    /// How many of them on their due day or before.
    pub on_time: usize,
    /// How many days late they were on average, weighted by what was paid.
    pub weighted_days_late: Option<Decimal>,
    /// The same where each invoice counts as much as another.
    pub average_days_late: Option<Decimal>,
    /// How late the one in the middle was.
    pub median_days_late: Option<Decimal>,
    /// The weighted average of those that were settled in the last [`TREND_DAYS`].
    pub recent_days_late: Option<Decimal>,
    /// That of as many days before.
    pub earlier_days_late: Option<Decimal>,
    /// How many invoices are open.
    pub open: usize,
    /// What is owed on them.
    pub exposure: i64,
    /// What of it is overdue.
    pub overdue: i64,
    /// How many days the oldest one of these is overdue.
    pub oldest_overdue_days: Option<i64>,
    /// What is owed on the largest open invoice.
    pub largest_open: Option<i64>,
}

impl Profile {
    /// What follows from invoices in one currency, on the day `today`.
    #[must_use]
    pub fn new(currency: Currency, settled: &[Settled], open: &[Open], today: Date) -> Self {
        let since = today - TimeDelta::days(TREND_DAYS);
        let before = since - TimeDelta::days(TREND_DAYS);
        let recent = settled.iter().filter(|one| one.settled_on > since);
        let earlier =
            settled.iter().filter(|one| (before < one.settled_on) && one.settled_on <= since);
        let overdue = open.iter().filter(|one| one.due_on < today);
        let late = overdue.clone().filter(|one| one.amount > 0);
        Self {
            currency,
            settled: settled.len(),
            settled_amount: settled.iter().map(|one| one.amount).sum(),
            on_time: settled.iter().filter(|one| one.days_late() <= 0).count(),
            weighted_days_late: weighted(settled.iter()),
            average_days_late: mean(settled.iter().map(|one| (one.days_late(), 1))),
            median_days_late: median(settled.iter().map(Settled::days_late).collect()),
            recent_days_late: weighted(recent),
            earlier_days_late: weighted(earlier),
            open: open.len(),
            exposure: open.iter().map(|one| one.amount).sum(),
            overdue: overdue.map(|one| one.amount).sum(),
            oldest_overdue_days: late.map(|one| (today - one.due_on).num_days()).max(),
            largest_open: open.iter().map(|one| one.amount).max(),
        }
    }

    /// The share that was paid on time, as a fraction to four decimals; `None` where nothing was settled.
    #[must_use]
    pub fn on_time_share(&self) -> Option<Decimal> {
        let settled = i64::try_from(self.settled).ok().filter(|settled| *settled > 0)?;
        let on_time = i64::try_from(self.on_time).unwrap_or(settled);
        Some((Decimal::from(on_time) / Decimal::from(settled)).round_dp(4).normalize())
    }

    /// By how many days payments come later than they did before; negative when they come sooner. `None` unless both are
    /// known.
    #[must_use]
    pub fn trend_days(&self) -> Option<Decimal> {
        Some(self.recent_days_late? - self.earlier_days_late?)
    }
}

/// How many days late `settled` were on average, weighted by what was paid of them.
fn weighted<'a>(settled: impl Iterator<Item = &'a Settled>) -> Option<Decimal> {
    mean(settled.map(|one| (one.days_late(), one.amount)))
}

/// The mean of days, each with its weight, to a tenth.
fn mean(days: impl Iterator<Item = (i64, i64)>) -> Option<Decimal> {
    let (sum, weight) = days.fold((0_i128, 0_i128), |(sum, all), (days, weight)| {
        (sum + i128::from(days) * i128::from(weight), all + i128::from(weight))
    });
    (weight > 0).then(|| (Decimal::from(sum) / Decimal::from(weight)).round_dp(1))
}

fn median(mut days: Vec<i64>) -> Option<Decimal> {
    days.sort_unstable();
    let (upper, lower) = (days.get(days.len() / 2)?, days.get(days.len().checked_sub(1)? / 2)?);
    Some(Decimal::new((upper + lower) * 5, 1).normalize())
}

/// How well a customer pays by `today`, in each currency in which it has settled something within [`DAYS`] or owes
/// something, by one statement.
///
/// # Errors
/// The database.
pub async fn profiles(
    db: &impl ConnectionTrait,
    customer: CustomerId,
    today: Date,
) -> Result<Vec<Profile>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        currency: Currency,
        due_on: Date,
        open: i64,
        paid: i64,
        settled_on: Option<Date>,
    }
    let by_money = || entry(Column::PaymentId).is_not_null();
    let paid_on = CaseStatement::new().case(by_money(), entry(Column::BookedOn));
    let last = || Expr::Case(Box::new(paid_on.clone())).max();
    let open = || entry(Column::Amount).sum().cast_as("bigint");
    let since = today - TimeDelta::days(DAYS);
    let mut query = entries([Account::Receivable], today);
    query
        .expr_as(entry(Column::Currency), "currency")
        .expr_as(due_on().min(), "due_on")
        .expr_as(open(), "open")
        .expr_as(Expr::val(0_i64).sub(sum_where(by_money())), "paid")
        .expr_as(last(), "settled_on")
        .and_where(entry(Column::CustomerId).eq(customer))
        .add_group_by([entry(Column::InvoiceId), entry(Column::Currency)])
        .order_by_expr(entry(Column::Currency), Order::Asc)
        .and_having(open().ne(0_i64).or(last().gt(since)));
    let rows = db.query_all(&query).await?;
    let rows = rows.iter().map(|row| Row::from_query_result(row, ""));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let profile = |rows: &[Row]| {
        let (mut settled, mut open) = (Vec::new(), Vec::new());
        for row in rows {
            match row.settled_on {
                _ if row.open != 0 => open.push(Open { due_on: row.due_on, amount: row.open }),
                Some(settled_on) if row.paid > 0 => {
                    settled.push(Settled { due_on: row.due_on, settled_on, amount: row.paid });
                }
                _ => {}
            }
        }
        let currency = rows.first()?.currency;
        let is_known = !settled.is_empty() || !open.is_empty();
        is_known.then(|| Profile::new(currency, &settled, &open, today))
    };
    let by_currency = rows.chunk_by(|one, other| one.currency == other.currency);
    Ok(by_currency.filter_map(profile).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(number: i64) -> Date {
        Date::from_ymd_opt(2026, 1, 1).unwrap() + TimeDelta::days(number)
    }

    fn settled(due: i64, settled: i64, amount: i64) -> Settled {
        Settled { due_on: day(due), settled_on: day(settled), amount }
    }

    #[test]
    fn a_large_late_invoice_weighs_more_than_a_small_early_one() {
        let paid = [settled(10, 5, 1_000), settled(10, 40, 9_000), settled(10, 10, 2_000)];
        let profile = Profile::new(Currency::VND, &paid, &[], day(50));
        // (−5 × 1,000 + 30 × 9,000 + 0 × 2,000) / 12,000
        assert_eq!(profile.weighted_days_late, Some(Decimal::new(221, 1)));
        assert_eq!(profile.average_days_late, Some(Decimal::new(83, 1)));
        assert_eq!(profile.median_days_late, Some(Decimal::ZERO));
        assert_eq!(profile.on_time_share(), Some(Decimal::new(6_667, 4)));
    }

    #[test]
    fn a_trend_compares_ninety_days_with_the_ninety_before() {
        let paid = [settled(2, 12, 100), settled(100, 130, 100), settled(-400, -100, 100)];
        let profile = Profile::new(Currency::VND, &paid, &[], day(190));
        assert_eq!(profile.earlier_days_late, Some(Decimal::TEN));
        assert_eq!(profile.trend_days(), Some(Decimal::from(20)));
        let alone = Profile::new(Currency::VND, &paid[..1], &[], day(20));
        assert_eq!(alone.trend_days(), None);
    }

    #[test]
    fn what_is_open_is_told_by_its_age() {
        let open = [
            Open { due_on: day(0), amount: 300 },
            Open { due_on: day(40), amount: 500 },
            Open { due_on: day(50), amount: 700 },
        ];
        let profile = Profile::new(Currency::VND, &[], &open, day(50));
        assert_eq!((profile.exposure, profile.overdue), (1_500, 800));
        assert_eq!((profile.oldest_overdue_days, profile.largest_open), (Some(50), Some(700)));
        assert_eq!(profile.weighted_days_late, None);
    }

    proptest! {
        #[test]
        fn averages_lie_between_the_earliest_and_the_latest(
            paid in proptest::collection::vec((0..400_i64, -100..300_i64, 1..1_000_000_i64), 1..20),
        ) {
            let paid: Vec<_> = paid.into_iter().map(|(due, late, amount)| settled(due, due + late, amount)).collect();
            let late = || paid.iter().map(Settled::days_late);
            let (least, most) = (late().min().unwrap(), late().max().unwrap());
            let profile = Profile::new(Currency::EUR, &paid, &[], day(800));
            for average in [profile.weighted_days_late, profile.average_days_late, profile.median_days_late] {
                let average = average.unwrap();
                prop_assert!(Decimal::from(least) <= average && average <= Decimal::from(most));
            }
        }
    }
}
