//! How long receivables have been due, and how fast and how well they are collected.

use std::sync::Arc;

use async_graphql::connection::PageInfo;
use async_graphql::{Context, Object, SimpleObject};
use entity::access::Permission;
use entity::customers::customer;
use entity::finance::ageing::{self, Buckets, Question};
use entity::finance::figures::{self, Days};
use entity::money::{Currency, Money as Amount};

use super::today;
use crate::context::{Ask, Can};
use crate::error::{Fault, fault};
use crate::read::{Among, FilterOf, Together};
use crate::scalar::{CurrencyCode, Date, Decimal, Money};
use crate::schema::list_cost;

/// How many customers a page has unless it is said.
const USUAL: i32 = 25;

/// How many a page has at most.
const MOST: u64 = 100;

/// A range of whole days past due: the day asked about less the day on which an invoice has to be paid. 0 is an invoice that
/// is due on the day itself, and a negative number one that is not yet due.
#[derive(Clone, Copy, SimpleObject)]
pub struct AgeingBucket {
    /// The first day of it; null for the first bucket, which has no beginning.
    pub first_day: Option<i32>,
    /// The last day of it; null for the last bucket, which has no end.
    pub last_day: Option<i32>,
}

/// What is owed in one currency, by age. `buckets` and `unapplied` together are `balance`, to the minor unit.
#[derive(Clone, SimpleObject)]
pub struct AgedAmounts {
    /// In what.
    pub currency: CurrencyCode,
    /// What is owed on invoices of each age, in the order of the buckets. Of invoices that are paid in part, what is left.
    pub buckets: Vec<Money>,
    /// What is owed on invoices that were due before the day.
    pub overdue: Money,
    /// What was received and settles no invoice yet: zero, or negative, as it is owed to the customer.
    pub unapplied: Money,
    /// The balance by the ledger.
    pub balance: Money,
}

impl From<ageing::Aged> for AgedAmounts {
    fn from(aged: ageing::Aged) -> Self {
        let money = |minor| Amount::new(minor, aged.currency).into();
        Self {
            currency: CurrencyCode(aged.currency),
            overdue: money(aged.overdue),
            unapplied: money(aged.unapplied),
            balance: money(aged.balance()),
            buckets: aged.buckets.iter().copied().map(money).collect(),
        }
    }
}

/// What one customer owes in one currency, by age.
#[derive(SimpleObject)]
pub struct AgedCustomer {
    /// Who; null when you may see their books but not them.
    pub customer: Among<customer::Entity>,
    /// How much.
    #[graphql(flatten)]
    pub amounts: AgedAmounts,
}

/// A customer in a page.
#[derive(SimpleObject)]
pub struct AgedCustomerEdge {
    /// Its place in the list, for `after`.
    pub cursor: String,
    /// The customer and what it owes.
    pub node: AgedCustomer,
}

/// Receivables by age at the end of a day.
#[derive(SimpleObject)]
pub struct Ageing {
    /// The day. Give it with each page, so that all of them are of the same one.
    pub as_of: Date,
    /// By which ages.
    pub buckets: Vec<AgeingBucket>,
    /// What all of the customers owe together, one entry per currency in which anything was ever posted.
    pub totals: Vec<AgedAmounts>,
    /// The page: one entry for each customer and currency in which anything is owed.
    pub nodes: Vec<AgedCustomer>,
    /// The same with cursors.
    pub edges: Vec<AgedCustomerEdge>,
    /// Where the page lies in the list.
    pub page_info: PageInfo,
}

/// What came of receivables in one currency within a period.
#[derive(SimpleObject)]
pub struct ReceivablesFigures {
    /// In what.
    pub currency: CurrencyCode,
    /// The first day of the period.
    pub from: Date,
    /// The last day of it.
    pub until: Date,
    /// How many days it has.
    pub days: i32,
    /// What was owed on invoices at the end of the day before the first.
    pub opening: Money,
    /// What was invoiced, with tax.
    pub invoiced: Money,
    /// What credit notes took back.
    pub credited: Money,
    /// What was written off, less what is owed again.
    pub written_off: Money,
    /// Credit sales: invoiced less credited.
    pub sales: Money,
    /// What was collected: opening plus sales less what was written off and closing.
    pub collected: Money,
    /// What was owed on invoices at the end of the last day.
    pub closing: Money,
    /// What of that was not overdue.
    pub closing_current: Money,
    /// Days sales outstanding: closing / sales × days, to a tenth of a day. Null without sales.
    pub days_sales_outstanding: Option<Decimal>,
    /// Collection effectiveness index: collected / (opening + sales − closing current) × 100, in percent to a
    /// tenth: 100 is that everything was collected that was due. Null where there was nothing to collect.
    pub collection_effectiveness: Option<Decimal>,
}

impl ReceivablesFigures {
    fn of(figures: &figures::Figures, days: Days) -> Self {
        let money = |minor| Amount::new(minor, figures.currency).into();
        Self {
            currency: CurrencyCode(figures.currency),
            from: Date(days.from),
            until: Date(days.until),
            days: i32::try_from(days.count()).unwrap_or(i32::MAX),
            opening: money(figures.opening),
            invoiced: money(figures.invoiced),
            credited: money(figures.credited),
            written_off: money(figures.written_off),
            sales: money(figures.sales()),
            collected: money(figures.collected()),
            closing: money(figures.closing),
            closing_current: money(figures.closing_current),
            days_sales_outstanding: figures.days_sales_outstanding(days).map(Decimal),
            collection_effectiveness: figures.collection_effectiveness().map(Decimal),
        }
    }
}

/// Reading how old receivables are.
#[derive(Default)]
pub struct AgeingQuery;

/// Reading how old receivables are.
#[Object]
impl AgeingQuery {
    /// What the customers owe whose books you may see, by how long it has been due at the end of a day. Everything comes from
    /// the ledger: a past day looks as it did, apart from what was posted back to it since then. The list goes currency by
    /// currency, and in each of them who owes most that is overdue comes first.
    #[graphql(
        guard = "Can(Permission::ReadFinance)",
        complexity = "10 + list_cost(first, None, child_complexity)"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn ageing(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The day at whose end the amounts are taken; today by the organisation's calendar when absent."
        )]
        as_of: Option<Date>,
        #[graphql(
            desc = "The last day past due of each bucket but the last, in ascending order: 1 to 11 of them. [0, 30, 60, 90] when absent: not yet due, 1 to 30 days, 31 to 60, 61 to 90, and more."
        )]
        buckets: Option<Vec<i32>>,
        #[graphql(
            desc = "Which customers, of those that you may see; all whose books you may see when absent, deleted ones too, since what they owe is in the books."
        )]
        filter: Option<FilterOf<customer::Entity>>,
        #[graphql(desc = "In which currency; in all when absent.")] currency: Option<CurrencyCode>,
        #[graphql(desc = "How many customers: 0 to 100, 25 when absent.")] first: Option<i32>,
        #[graphql(
            desc = "The cursor behind which the page begins, which belongs to its day; the first page when absent."
        )]
        after: Option<String>,
    ) -> Result<Ageing, Fault> {
        let limit = u64::try_from(first.unwrap_or(USUAL)).ok().filter(|limit| *limit <= MOST);
        let limit = limit.ok_or_else(|| Fault::bad_request("a page has 0 to 100 customers"))?;
        let (viewer, db) = (ctx.viewer()?, ctx.reader());
        let as_of = match as_of {
            Some(day) => day.0,
            None => today(ctx).await?,
        };
        let buckets = buckets.map_or_else(|| Ok(Buckets::default()), Buckets::new);
        let buckets = buckets.map_err(fault)?;
        let question = Question {
            viewer: &viewer,
            as_of,
            buckets: &buckets,
            filter: filter.as_ref().map(|filter| &filter.json),
            currency: currency.map(|currency| currency.0),
        };
        let asked = ctx.look_ahead();
        let totals = match asked.field("totals").exists() {
            true => question.totals(db).await.map_err(fault)?,
            false => Vec::new(),
        };
        let is_listed =
            ["nodes", "edges", "pageInfo"].iter().any(|name| asked.field(name).exists());
        let page = match is_listed {
            true => question.page(db, limit, after.as_deref()).await.map_err(fault)?,
            false => ageing::Page { rows: Vec::new(), has_next: false },
        };
        let cursors: Vec<_> = page.rows.iter().map(|row| question.cursor(row)).collect();
        let page_info = PageInfo {
            has_previous_page: after.is_some(),
            has_next_page: page.has_next,
            start_cursor: cursors.first().cloned(),
            end_cursor: cursors.last().cloned(),
        };
        let mut ids: Vec<_> = page.rows.iter().map(|row| row.customer.0).collect();
        ids.sort_unstable();
        ids.dedup();
        let together = Arc::new(Together::of(ids));
        let node = |row: &ageing::AgedCustomer| AgedCustomer {
            customer: Among::of(&together, Some(row.customer.0)),
            amounts: row.aged.clone().into(),
        };
        let edges = page.rows.iter().zip(cursors);
        Ok(Ageing {
            as_of: Date(as_of),
            buckets: buckets.ranges().into_iter().map(Into::into).collect(),
            totals: totals.into_iter().map(Into::into).collect(),
            nodes: page.rows.iter().map(node).collect(),
            edges: edges
                .map(|(row, cursor)| AgedCustomerEdge { cursor, node: node(row) })
                .collect(),
            page_info,
        })
    }

    /// How fast and how well the receivables are collected of the customers whose books you may see, with what each figure is
    /// derived from; one entry per currency in which anything was ever posted.
    #[graphql(guard = "Can(Permission::ReadFinance)", complexity = "10")]
    async fn receivables_figures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day of the period.")] from: Date,
        #[graphql(desc = "The last day of the period, at most ten years later.")] until: Date,
        #[graphql(desc = "In which currency; in all when absent.")] currency: Option<CurrencyCode>,
    ) -> Result<Vec<ReceivablesFigures>, Fault> {
        let days = Days::new(from.0, until.0).map_err(fault)?;
        let currency: Option<Currency> = currency.map(|currency| currency.0);
        let found = figures::figures(ctx.reader(), &ctx.viewer()?, days, currency).await;
        let found = found.map_err(fault)?;
        Ok(found.iter().map(|figures| ReceivablesFigures::of(figures, days)).collect())
    }
}

impl From<ageing::Range> for AgeingBucket {
    fn from(range: ageing::Range) -> Self {
        Self { first_day: range.first, last_day: range.last }
    }
}
