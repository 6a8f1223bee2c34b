//! How much the viewer may still ask for.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Utc};

use crate::context::Ask;
use crate::error::Fault;
use crate::http::budget::Meter;
use crate::scalar::Long;

/// What may be asked for in a minute, in points of complexity, as `extensions.cost` counts them.
#[derive(SimpleObject)]
pub struct RateLimit {
    /// What this operation costs.
    pub cost: Long,
    /// What may be spent in a minute.
    pub limit: Long,
    /// What is left of it after this operation.
    pub remaining: Long,
    /// When all of it is there again.
    pub reset_at: DateTime<Utc>,
}

/// Reading budgets.
#[derive(Default)]
pub struct RateQuery;

/// Reading budgets.
#[Object]
#[expect(clippy::unused_async, reason = "async-graphql wants resolvers to be async")]
impl RateQuery {
    /// How much you may still ask for in this minute; null when there is no limit. Beyond it requests are
    /// refused with 429 and `RATE_LIMITED`.
    async fn rate_limit(&self, ctx: &Context<'_>) -> Result<Option<RateLimit>, Fault> {
        ctx.viewer()?;
        let rate = ctx.data_opt::<Arc<Meter>>().and_then(|meter| meter.rate());
        let long = |points: u64| Long(i64::try_from(points).unwrap_or(i64::MAX));
        Ok(rate.map(|rate| RateLimit {
            cost: long(rate.cost),
            limit: long(rate.limit),
            remaining: long(rate.remaining),
            reset_at: rate.reset_at,
        }))
    }
}
