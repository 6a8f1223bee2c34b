//! How well a customer pays.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use entity::access::Permission;
use entity::catalog::{self, Cataloged};
use entity::customers::customer;
use entity::finance::credit_profile::{self, Profile};
use entity::finance::{credit_limit, promise};
use entity::id::{CustomerId, Id};
use entity::money::Money as Amount;
use sea_orm::ConnectionTrait;

use super::credit_limit::CreditStanding;
use super::today;
use crate::context::{Ask, Can};
use crate::error::Fault;
use crate::read::Fetched;
use crate::scalar::{CurrencyCode, Date, Decimal, Money};

/// A part of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::finance::credit_profile::Part")]
pub enum CreditScorePart {
    /// How many invoices are paid on time: 40 × `onTimeShare`.
    Punctuality,
    /// How late they are: 30 × (1 − `weightedDaysLate` / 60), from 0 to 30.
    Delay,
    /// Whether that gets better or worse: 10 × (1 − `trendDays` / 30) / 2, from 0 to 10; 5 while there is no trend.
    Trend,
    /// What is overdue, and for how long: 20 × (1 − `overdue` / `exposure` × `oldestOverdueDays` / 120), from 0 to 20, where
    /// the days count as at most 120; 20 while nothing is overdue.
    Overdue,
}

/// What a part of a score gives.
#[derive(Clone, Copy, SimpleObject)]
pub struct CreditScorePoints {
    /// Which part; its description is its formula.
    pub part: CreditScorePart,
    /// How many points, to a tenth.
    pub points: Decimal,
    /// How many it gives at most.
    pub most: i32,
}

/// How well a customer pays in one number.
#[derive(Clone, SimpleObject)]
pub struct CreditScore {
    /// 0 to 100: the sum of the parts, rounded half to even. 100 is the best.
    pub value: i32,
    /// What it is made of.
    pub parts: Vec<CreditScorePoints>,
}

/// How well a customer pays in one currency. Only invoices count as settled of which nothing is owed any more, of which at
/// least a part was paid with money, and for which the last money came in within two years.
#[derive(Clone, SimpleObject)]
pub struct CreditFigures {
    /// In what.
    pub currency: CurrencyCode,
    /// How many invoices were settled.
    pub settled_count: i32,
    /// What was paid of them.
    pub settled_amount: Money,
    /// How many of them on the day they were due, or before.
    pub on_time_count: i32,
    /// Their share: a fraction from 0 to 1 to four decimals. Null while nothing was settled.
    pub on_time_share: Option<Decimal>,
    /// How many days after the due day they were settled on average, weighted by what was paid, to a tenth; negative when
    /// that was before. Null while nothing was settled.
    pub weighted_days_late: Option<Decimal>,
    /// The same where each invoice counts as much as another.
    pub average_days_late: Option<Decimal>,
    /// How many days late the one in the middle was; null while nothing was settled.
    pub median_days_late: Option<Decimal>,
    /// The weighted average of those settled in the last 90 days; null when there is none.
    pub recent_days_late: Option<Decimal>,
    /// The weighted average of those settled in the 90 days before; null when there is none.
    pub earlier_days_late: Option<Decimal>,
    /// The trend: recent less earlier, so that a positive one says that payments come later than they did. Null unless both
    /// are known.
    pub trend_days: Option<Decimal>,
    /// How many invoices are open.
    pub open_count: i32,
    /// What is owed on them.
    pub exposure: Money,
    /// What of it was due before today.
    pub overdue: Money,
    /// How many days ago the oldest overdue invoice was due; null when none is overdue.
    pub oldest_overdue_days: Option<i32>,
    /// What is owed on the largest open invoice; null when none is open.
    pub largest_open: Option<Money>,
    /// The score; null while nothing was settled, since there is nothing to derive it from.
    pub score: Option<CreditScore>,
}

/// A customer's ability to pay, with what it is derived from.
#[derive(SimpleObject)]
pub struct CreditProfile {
    /// Who.
    pub customer: Fetched<customer::Entity>,
    /// On which day, by the organisation's calendar.
    pub as_of: Date,
    /// One entry for each currency in which something was settled or is owed.
    pub currencies: Vec<CreditFigures>,
    /// How it stands to its credit limits, one entry for each currency in which it has one.
    pub limits: Vec<CreditStanding>,
    /// How many promises to pay were kept.
    pub promises_kept: i32,
    /// How many were not, or not in full.
    pub promises_broken: i32,
    /// How many are open.
    pub promises_open: i32,
}

impl From<Profile> for CreditFigures {
    fn from(profile: Profile) -> Self {
        let money = |minor| Amount::new(minor, profile.currency).into();
        let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let points = |points: credit_profile::Points| CreditScorePoints {
            part: points.part.into(),
            points: Decimal(points.points),
            most: i32::try_from(points.part.most()).unwrap_or(i32::MAX),
        };
        let score = profile.score().map(|score| CreditScore {
            value: i32::try_from(score.value).unwrap_or(i32::MAX),
            parts: score.parts.into_iter().map(points).collect(),
        });
        let days = |days: i64| i32::try_from(days).unwrap_or(i32::MAX);
        Self {
            currency: CurrencyCode(profile.currency),
            settled_count: count(profile.settled),
            settled_amount: money(profile.settled_amount),
            on_time_count: count(profile.on_time),
            on_time_share: profile.on_time_share().map(Decimal),
            weighted_days_late: profile.weighted_days_late.map(Decimal),
            average_days_late: profile.average_days_late.map(Decimal),
            median_days_late: profile.median_days_late.map(Decimal),
            recent_days_late: profile.recent_days_late.map(Decimal),
            earlier_days_late: profile.earlier_days_late.map(Decimal),
            trend_days: profile.trend_days().map(Decimal),
            open_count: count(profile.open),
            exposure: money(profile.exposure),
            overdue: money(profile.overdue),
            oldest_overdue_days: profile.oldest_overdue_days.map(days),
            largest_open: profile.largest_open.map(money),
            score,
        }
    }
}

/// Reading how well customers pay.
#[derive(Default)]
pub struct CreditProfileQuery;

/// Reading how well customers pay.
#[Object]
impl CreditProfileQuery {
    /// How well a customer pays, by what it settled within two years and what it owes today; null when there is none with the
    /// id whose books you may see.
    #[graphql(guard = "Can(Permission::ReadFinance)", complexity = "10 + child_complexity")]
    async fn credit_profile(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id.")] customer_id: ID,
    ) -> Result<Option<CreditProfile>, Fault> {
        let Some(id) = CustomerId::parse(&customer_id) else { return Ok(None) };
        let (viewer, db) = (ctx.viewer()?, ctx.reader());
        let (backend, record) = (db.get_database_backend(), customer::Entity::record());
        let mut seen = catalog::by_keys(backend, record, &viewer, &["id"], ("id", &[id.0]), None);
        seen.cond_where(record.reached(&viewer, Permission::ReadFinance, false));
        if db.query_one(&seen).await?.is_none() {
            return Ok(None);
        }
        let as_of = today(ctx).await?;
        let profiles = credit_profile::profiles(db, id, as_of).await?;
        let promises = promise::counts(db, id).await?;
        let limits = credit_limit::standings(db, &[id], as_of).await?;
        let count = |states: &[promise::State]| {
            let counted = promises.iter().filter(|(state, _)| states.contains(state));
            i32::try_from(counted.map(|(_, number)| number).sum::<i64>()).unwrap_or(i32::MAX)
        };
        Ok(Some(CreditProfile {
            promises_kept: count(&[promise::State::Kept]),
            promises_broken: count(&[promise::State::Broken, promise::State::PartlyKept]),
            promises_open: count(&[promise::State::Open]),
            customer: Fetched::of(id),
            as_of: Date(as_of),
            limits: limits.iter().map(|one| CreditStanding::new(one, as_of)).collect(),
            currencies: profiles.into_iter().map(Into::into).collect(),
        }))
    }
}
