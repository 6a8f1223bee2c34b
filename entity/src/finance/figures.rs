//! How fast and how well receivables are collected, with what each figure is derived from.

use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, Order, Query};

use super::credit_note;
use super::ledger::{Account, Column};
use super::receivables::{due_on, entries, entry, sum_where, whose};
use crate::access::Viewer;
use crate::error::Error;
use crate::money::Currency;

/// A stretch of days, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// The first.
    pub from: Date,
    /// The last.
    pub until: Date,
}

impl Days {
    /// From the one to the other.
    ///
    /// # Errors
    /// `Invalid` unless it is a day to ten years.
    pub fn new(from: Date, until: Date) -> Result<Self, Error> {
        let days = Self { from, until };
        match days.count() {
            1..=3_660 => Ok(days),
            _ => Err(Error::invalid("until", "a period is from a day to ten years long")),
        }
    }

    /// How many they are.
    #[must_use]
    pub fn count(self) -> i64 {
        (self.until - self.from).num_days() + 1
    }
}

/// What came of receivables in one currency within some days, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Figures {
    /// In what.
    pub currency: Currency,
    /// What was owed on invoices at the end of the day before the first.
    pub opening: i64,
    /// What was invoiced, with tax.
    pub invoiced: i64,
    /// What credit notes took back.
    pub credited: i64,
    /// What was written off, less what is owed again.
    pub written_off: i64,
    /// What was owed on invoices at the end of the last day.
    pub closing: i64,
    /// What of that was not overdue.
    pub closing_current: i64,
}

impl Figures {
    /// Credit sales: what was invoiced, less what was taken back.
    #[must_use]
    pub fn sales(&self) -> i64 {
        self.invoiced - self.credited
    }

    /// What was collected: what could be, less what was written off and what is left.
    #[must_use]
    pub fn collected(&self) -> i64 {
        self.opening + self.sales() - self.written_off - self.closing
    }

    /// Days sales outstanding: closing receivables / credit sales × days, to a tenth. `None` without sales.
    #[must_use]
    pub fn days_sales_outstanding(&self, days: Days) -> Option<Decimal> {
        let sales = Some(self.sales()).filter(|sales| *sales > 0)?;
        let outstanding = Decimal::from(self.closing) * Decimal::from(days.count());
        Some((outstanding / Decimal::from(sales)).round_dp(1))
    }

    /// The collection effectiveness index: of what could be collected, how much was, in percent to a tenth:
    /// collected / (opening + sales − closing current) × 100. `None` where there was nothing to collect.
    #[must_use]
    pub fn collection_effectiveness(&self) -> Option<Decimal> {
        let owed = self.opening + self.sales();
        let collectable = Some(owed - self.closing_current).filter(|amount| *amount > 0)?;
        let collected = Decimal::from(self.collected()) * Decimal::ONE_HUNDRED;
        Some((collected / Decimal::from(collectable)).round_dp(1))
    }
}

/// The figures of the customers whose books the viewer reaches, of each currency, or of one.
///
/// # Errors
/// The database.
pub async fn figures(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    days: Days,
    currency: Option<Currency>,
) -> Result<Vec<Figures>, Error> {
    let before = || entry(Column::BookedOn).lt(days.from);
    let within = || entry(Column::BookedOn).gte(days.from);
    let by_note = || entry(Column::CreditNoteId).is_not_null();
    let by_invoice = entry(Column::PaymentId).is_null().and(by_note().not());
    let given_up = Query::select()
        .column(credit_note::Column::Id)
        .from(credit_note::Entity)
        .and_where(credit_note::Column::Kind.ne(credit_note::Kind::Credit))
        .take();
    let given_up = || entry(Column::CreditNoteId).in_subquery(given_up.clone());
    let taken = |which: Expr| Expr::val(0_i64).sub(sum_where(within().and(which)));
    let mut query = entries([Account::Receivable], days.until);
    query
        .expr_as(entry(Column::Currency), "currency")
        .expr_as(sum_where(before()), "opening")
        .expr_as(sum_where(within().and(by_invoice)), "invoiced")
        .expr_as(taken(by_note().and(given_up().not())), "credited")
        .expr_as(taken(given_up()), "written_off")
        .expr_as(entry(Column::Amount).sum().cast_as("bigint"), "closing")
        .expr_as(sum_where(due_on().gte(days.until)), "closing_current")
        .add_group_by([entry(Column::Currency)])
        .order_by_expr(entry(Column::Currency), Order::Asc);
    if let Some(whose) = whose(db, viewer, None).await? {
        query.and_where(whose);
    }
    if let Some(currency) = currency {
        query.and_where(entry(Column::Currency).eq(currency));
    }
    let rows = db.query_all(&query).await?;
    let rows = rows.iter().map(|row| Figures::from_query_result(row, ""));
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Figures {
        Figures {
            currency: Currency::EUR,
            opening: 200_000,
            invoiced: 520_000,
            credited: 20_000,
            written_off: 0,
            closing: 250_000,
            closing_current: 150_000,
        }
    }

    fn april() -> Days {
        let day = |day| Date::from_ymd_opt(2026, 4, day).unwrap();
        Days::new(day(1), day(30)).unwrap()
    }

    #[test]
    fn figures_follow_their_formulas() {
        assert_eq!(figures().days_sales_outstanding(april()), Some(Decimal::new(150, 1)));
        // 450,000 of 550,000 that could be collected.
        assert_eq!(figures().collection_effectiveness(), Some(Decimal::new(818, 1)));
        // What is given up is neither taken back from sales nor collected: 395,000 of 550,000.
        let given_up = Figures { written_off: 55_000, ..figures() };
        assert_eq!(given_up.sales(), figures().sales());
        assert_eq!(given_up.collection_effectiveness(), Some(Decimal::new(718, 1)));
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        let nothing = Figures {
            opening: 0,
            invoiced: 0,
            credited: 0,
            closing: 0,
            closing_current: 0,
            ..figures()
        };
        assert_eq!(nothing.days_sales_outstanding(april()), None);
        assert_eq!(nothing.collection_effectiveness(), None);
        let (from, until) = (april().until, april().from);
        assert!(Days::new(from, until).is_err());
    }
}
