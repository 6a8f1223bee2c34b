//! Which records begin with a schedule, or with a day: those of which the day that a field has lies as many days away as a workflow says,
//! when the clock that counts shows its time.
//!
//! Invariant: what was looked at is written down with the runs that began. After a night in which nothing was carried
//! out, what would have begun then begins late; it is not left out. Of a schedule that came several times meanwhile the
//! last time counts.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{Condition, QuerySelect, QueryTrait};

use super::day::day;
use super::definition::{Trigger, Zone};
use super::start::{self, Active, From};
use super::{Column, Entity, moment, or_stop, schedule};
use crate::catalog::{Record, Scalar, Scope};
use crate::customers::customer;
use crate::error::Error;
use crate::id::WorkflowId;

/// Whether a workflow may have records whose day has come, as a condition: times are told to the minute.
#[must_use]
pub fn is_due(now: DateTime<Utc>) -> Expr {
    let due = Entity::find()
        .filter(Column::State.is_in(super::State::STARTING))
        .filter(Column::LookedAt.lt(minute(now)));
    Expr::exists(due.into_query())
}

/// The beginning of a minute.
fn minute(now: DateTime<Utc>) -> DateTime<Utc> {
    now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now)
}

/// Begins the runs whose day has come since it was looked last; gives how many.
///
/// # Errors
/// The database.
pub async fn begin_due(
    txn: &impl ConnectionTrait,
    zone: Tz,
    scope: Scope<'_>,
    now: DateTime<Utc>,
) -> Result<u64, Error> {
    let mut begun = 0;
    let timed = Condition::all().add(Column::LookedAt.lt(minute(now)));
    for active in start::active(txn, timed).await? {
        if !active.what.definition.trigger.is_timed() {
            continue;
        }
        let Some(since) = look(txn, active.workflow, now).await? else { continue };
        let all = begin_since(txn, &active, since, zone, scope, now).await;
        begun += or_stop(txn, active.workflow, all, now).await?;
    }
    Ok(begun)
}

/// Begins the runs of a workflow whose time has come since `since`.
async fn begin_since(
    txn: &impl ConnectionTrait,
    active: &Active,
    since: DateTime<Utc>,
    zone: Tz,
    scope: Scope<'_>,
    now: DateTime<Utc>,
) -> Result<u64, Error> {
    match &active.what.definition.trigger {
        Trigger::Schedule { cron, zone: own } => {
            let zone = schedule::zone(own.as_deref(), zone);
            let cron = schedule::parse(cron).ok();
            let last = cron.and_then(|cron| schedule::last(&cron, zone, since, now));
            match last {
                Some(last) => start::begin(txn, active, From::Schedule(last), scope, now).await,
                None => Ok(0),
            }
        }
        Trigger::Date { field, days, at, zone: whose } => {
            let ours = matches!(whose, Zone::Organisation).then_some(zone);
            let zones: &[Tz] = ours.as_ref().map_or(&TZ_VARIANTS, std::slice::from_ref);
            let record = active.what.record;
            let dated = day(record, field, scope)?;
            let mut by_day = BTreeMap::<NaiveDate, Vec<&'static str>>::new();
            for ((_, today), there) in come(since, now, *at, zones) {
                by_day.entry(today).or_default().extend(there);
            }
            let days = by_day.into_iter().filter_map(|(today, there)| {
                let meant = today.checked_sub_signed(TimeDelta::days((*days).into()))?;
                Some((on(record, &dated, meant, &there, (*whose, zone)), meant))
            });
            begin_all(txn, active, days.collect(), scope, now).await
        }
        Trigger::Manual
        | Trigger::Event { .. }
        | Trigger::Change { .. }
        | Trigger::Segment { .. }
        | Trigger::Webhook { .. } => Ok(0),
    }
}

/// Begins the runs of each of the days.
async fn begin_all(
    txn: &impl ConnectionTrait,
    active: &Active,
    days: Vec<(Condition, NaiveDate)>,
    scope: Scope<'_>,
    now: DateTime<Utc>,
) -> Result<u64, Error> {
    let mut begun = 0;
    for (on, day) in days {
        begun += start::begin(txn, active, From::Day(on, day), scope, now).await?;
    }
    Ok(begun)
}

/// Until when it was looked, and notes that it was looked until now; none while another process does so, or for a
/// workflow that does not carry on any more.
async fn look(
    txn: &impl ConnectionTrait,
    workflow: WorkflowId,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Error> {
    use sea_orm::sea_query::{LockBehavior, LockType};
    let looked: Option<Option<DateTime<Utc>>> = Entity::find_by_id(workflow)
        .select_only()
        .column(Column::LookedAt)
        .filter(Column::State.is_in(super::State::STARTING))
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .one(txn)
        .await?;
    let Some(since) = looked.flatten().filter(|since| *since < minute(now)) else {
        return Ok(None);
    };
    Entity::update_many()
        .col_expr(Column::LookedAt, Expr::val(now))
        .filter(Column::Id.eq(workflow))
        .exec(txn)
        .await?;
    Ok(Some(since))
}

/// When clocks come to show `at` after `since` and until `now`, on which day, and in which zones.
pub(super) fn come(
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    at: NaiveTime,
    zones: &[Tz],
) -> BTreeMap<(DateTime<Utc>, NaiveDate), Vec<&'static str>> {
    let mut come = BTreeMap::<(DateTime<Utc>, NaiveDate), Vec<&'static str>>::new();
    for zone in zones.iter().copied() {
        let mut after = since + TimeDelta::microseconds(1);
        loop {
            let instant = moment::next(after, at, zone);
            if instant > now {
                break;
            }
            let day = instant.with_timezone(&zone).date_naive();
            come.entry((instant, day)).or_default().push(zone.name());
            after = instant + TimeDelta::microseconds(1);
        }
    }
    come
}

/// The records that have the day in a field, on clocks in the zones. Where the customer's clock counts, that is the
/// organisation's, in `zone`, for records without a customer.
pub(super) fn on(
    record: &Record,
    (column, scalar): &(Expr, Scalar),
    day: NaiveDate,
    zones: &[&'static str],
    (whose, zone): (Zone, Tz),
) -> Condition {
    let of_day = |zone: Tz| {
        if *scalar == Scalar::Day {
            return column.clone().eq(day);
        }
        let midnight = |day: NaiveDate| moment::instant(day, NaiveTime::MIN, zone);
        let next = day.succ_opt().unwrap_or(day);
        column.clone().gte(midnight(day)).and(column.clone().lt(midnight(next)))
    };
    if whose == Zone::Organisation {
        return Condition::all().add(of_day(zone));
    }
    let customers = |zones: Vec<&str>| {
        let whom = start::customer_of(record);
        let nobody = zones.contains(&zone.name()).then(|| whom.clone().is_null());
        let mut customers = sea_orm::sea_query::Query::select();
        customers
            .expr(Expr::col((customer::Entity, customer::Column::Id)))
            .from(customer::Entity)
            .and_where(Expr::col((customer::Entity, customer::Column::TimeZone)).is_in(zones));
        Condition::any().add(whom.in_subquery(customers)).add_option(nobody)
    };
    if *scalar == Scalar::Day {
        return Condition::all().add(of_day(Tz::UTC)).add(customers(zones.to_vec()));
    }
    // Zones whose days are the same are asked for together.
    let mut same = BTreeMap::<DateTime<Utc>, (Tz, Vec<&str>)>::new();
    for name in zones {
        let Ok(zone) = name.parse::<Tz>() else { continue };
        let midnight = moment::instant(day, NaiveTime::MIN, zone);
        same.entry(midnight).or_insert((zone, Vec::new())).1.push(name);
    }
    same.into_values().fold(Condition::any(), |any, (zone, zones)| {
        any.add(Condition::all().add(of_day(zone)).add(customers(zones)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_comes_in_each_zone_when_its_clocks_show_it() {
        let nine = NaiveTime::from_hms_opt(9, 0, 0).unwrap();
        let come = come(at("2026-11-26T01:59:00Z"), at("2026-11-26T02:00:00Z"), nine, &TZ_VARIANTS);
        let days = come.keys().map(|(_, day)| day.to_string()).collect::<Vec<_>>();
        assert_eq!(days, ["2026-11-26"]);
        let zones = come.values().next().unwrap();
        assert!(zones.contains(&"Asia/Ho_Chi_Minh") && !zones.contains(&"Europe/Riga"));
    }

    #[test]
    fn what_came_while_nobody_looked_comes_day_by_day() {
        let nine = NaiveTime::from_hms_opt(9, 0, 0).unwrap();
        let come = come(
            at("2026-11-20T02:00:00Z"),
            at("2026-11-23T02:00:00Z"),
            nine,
            &[Tz::Asia__Ho_Chi_Minh],
        );
        let days = come.keys().map(|(_, day)| day.to_string()).collect::<Vec<_>>();
        assert_eq!(days, ["2026-11-21", "2026-11-22", "2026-11-23"]);
    }
}
