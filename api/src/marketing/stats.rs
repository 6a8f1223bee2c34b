//! What segments are worth, one beside the other.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::access::{Permission, organisation};
use entity::id::{Id, SegmentId};
use entity::marketing::segment;
use entity::marketing::segment::stats::{self, Amounts, STRETCHES, Stats};

use crate::context::{Ask, Can};
use crate::error::{Fault, fault};
use crate::read::{Among, Together};
use crate::scalar::{Long, Money};

/// How many segments are compared at once.
const MOST: usize = 20;

/// What a segment is worth, and how its customers buy.
#[derive(SimpleObject)]
pub struct SegmentStats {
    /// The segment; null when there is none with the id.
    pub segment: Among<segment::Entity>,
    /// How many customers belong to it of whom you see what they owe.
    pub customers: Long,
    /// How many of them have bought something: were sent an invoice that was not taken back.
    pub buyers: Long,
    /// What they bought, by currency.
    pub amounts: Vec<SegmentAmounts>,
    /// When they bought last, the latest first.
    pub last_purchases: Vec<SegmentLastPurchase>,
}

/// What customers bought in a currency.
#[derive(SimpleObject)]
pub struct SegmentAmounts {
    /// How many customers bought in it.
    pub buyers: Long,
    /// By how many invoices.
    pub invoices: Long,
    /// For how much, less what was credited.
    pub invoiced: Money,
    /// What of it was paid.
    pub paid: Money,
    /// For how much one of these customers bought.
    pub average: Money,
    /// What of it is still to be paid.
    pub open: Money,
    /// What of that is overdue today, by the organisation's calendar.
    pub overdue: Money,
}

/// How many customers bought last in a stretch of time.
#[derive(SimpleObject)]
pub struct SegmentLastPurchase {
    /// Less than how many days ago, and not less than the stretch before; null for the last one, which has no end.
    pub within_days: Option<i32>,
    /// How many customers.
    pub customers: Long,
}

/// What segments are worth.
#[derive(Default)]
pub struct StatsQuery;

/// What segments are worth.
#[Object]
impl StatsQuery {
    /// What segments are worth and how their customers buy, in the order of the ids: up to 20 of them side by side.
    #[graphql(
        guard = "Can(Permission::ReadWorkflows).and(Can(Permission::ReadFinance))",
        complexity = "segment_ids.len().min(20) * (20 + child_complexity)"
    )]
    async fn segment_stats(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The segments' ids.")] segment_ids: Vec<ID>,
    ) -> Result<Vec<SegmentStats>, Fault> {
        if segment_ids.len() > MOST {
            return Err(Fault::bad_request(format!("compare at most {MOST} segments at once")));
        }
        // What names nothing has nobody.
        let parsed = segment_ids.iter().map(|id| SegmentId::parse(id));
        let ids = parsed.map(|id| id.unwrap_or(SegmentId(uuid::Uuid::nil()))).collect::<Vec<_>>();
        let (db, viewer) = (ctx.reader(), ctx.viewer()?);
        let today = organisation::get(db).await.map_err(fault)?.today(ctx.now());
        let stats = stats::of(db, &ids, &viewer, today).await?;
        let together = Arc::new(Together::of(ids.iter().map(|id| id.0).collect()));
        let told = ids.iter().zip(stats).map(|(id, stats)| {
            let Stats { customers, buyers, last_purchases, amounts } = stats;
            let days = STRETCHES.into_iter().map(|days| i32::try_from(days).ok()).chain([None]);
            SegmentStats {
                segment: Among::of(&together, Some(id.0)),
                customers: long(customers),
                buyers: long(buyers),
                amounts: amounts.iter().map(Into::into).collect(),
                last_purchases: days
                    .zip(last_purchases)
                    .map(|(within_days, customers)| SegmentLastPurchase {
                        within_days,
                        customers: long(customers),
                    })
                    .collect(),
            }
        });
        Ok(told.collect())
    }
}

fn long(count: u64) -> Long {
    Long(i64::try_from(count).unwrap_or(i64::MAX))
}

impl From<&Amounts> for SegmentAmounts {
    fn from(amounts: &Amounts) -> Self {
        Self {
            buyers: long(amounts.buyers),
            invoices: long(amounts.invoices),
            invoiced: amounts.invoiced.into(),
            paid: amounts.paid.into(),
            average: amounts.average().into(),
            open: amounts.open.into(),
            overdue: amounts.overdue.into(),
        }
    }
}
