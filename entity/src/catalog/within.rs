//! Stretches of the calendar that move with today: "this month", "the last seven days", "before today". A saved
//! view that compares with one means another stretch every day.
//!
//! Invariant: a stretch is made of whole days of the viewer's calendar, whatever its clocks do in between.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use sea_orm::Condition;
use sea_orm::sea_query::{Expr, ExprTrait};
use serde_json::Value as Json;

use super::compare::invalid;
use super::period::Unit;
use super::{CatalogError, Scalar};
use crate::access::Calendar;

/// Days from the first one up to, but without, the last one; open where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    from: Option<NaiveDate>,
    until: Option<NaiveDate>,
}

/// Which values of `column` lie within the stretch that `given` says, seen from `calendar`.
pub(super) fn within(
    column: &Expr,
    scalar: &Scalar,
    calendar: Calendar,
    given: &Json,
    at: &str,
) -> Result<Condition, CatalogError> {
    let Stretch { from, until } = Stretch::parse(given, calendar.today, at)?;
    let bound = |day: NaiveDate| match scalar {
        Scalar::Instant => Expr::val(start(day, calendar.zone)),
        _ => Expr::val(day),
    };
    Ok(Condition::all()
        .add_option(from.map(|day| column.clone().gte(bound(day))))
        .add_option(until.map(|day| column.clone().lt(bound(day)))))
}

impl Stretch {
    fn parse(given: &Json, today: NaiveDate, at: &str) -> Result<Self, CatalogError> {
        let Some(unit) = given["unit"].as_str().and_then(Unit::parse) else {
            return invalid(at, "a `unit` is DAY, WEEK, MONTH, QUARTER or YEAR");
        };
        let (from, to) = (given["from"].as_i64(), given["to"].as_i64());
        if from.is_none() && to.is_none() {
            return invalid(at, "say `from` which unit or up `to` which one; 0 is the present one");
        }
        let first = |steps: Option<i64>, further: i64| match steps {
            None => Ok(None),
            Some(steps) => match first_day(today, unit, steps.saturating_add(further)) {
                Some(day) => Ok(Some(day)),
                None => invalid(at, "this is too far away; stay within the years 1 to 9999"),
            },
        };
        Ok(Self { from: first(from, 0)?, until: first(to, 1)? })
    }
}

/// The first day of the `unit` that is `steps` after the one in which `day` lies.
fn first_day(day: NaiveDate, unit: Unit, steps: i64) -> Option<NaiveDate> {
    let months = |each: i32| {
        let now = day.year() * 12 + day.month0().cast_signed();
        let then = now.div_euclid(each).checked_add(steps.try_into().ok()?)?.checked_mul(each)?;
        let month = u32::try_from(then.rem_euclid(12)).ok()? + 1;
        NaiveDate::from_ymd_opt(then.div_euclid(12), month, 1)
    };
    let days = |first: NaiveDate, each: i64| {
        first.checked_add_signed(TimeDelta::try_days(steps.checked_mul(each)?)?)
    };
    let first = match unit {
        Unit::Day => days(day, 1),
        Unit::Week => {
            let past = TimeDelta::days(day.weekday().num_days_from_monday().into());
            days(day.checked_sub_signed(past)?, 7)
        }
        Unit::Month => months(1),
        Unit::Quarter => months(3),
        Unit::Year => months(12),
    };
    first.filter(|day| (1..=9999).contains(&day.year()))
}

/// When a day begins in `zone`: at midnight, at the first of two, or where the clocks leave midnight out, at the
/// first minute that they show.
fn start(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    // The clocks have left out a whole day, but never more.
    let minutes = (0..=24 * 60).map(|minutes| midnight + TimeDelta::minutes(minutes));
    let mut shown = minutes.filter_map(|local| zone.from_local_datetime(&local).earliest());
    shown.next().map_or_else(|| midnight.and_utc(), |instant| instant.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_stretch_counts_whole_units_from_the_present_one() {
        let today = day("2026-11-25"); // A Wednesday.
        for (given, from, until) in [
            (json!({ "unit": "DAY", "from": 0, "to": 0 }), "2026-11-25", "2026-11-26"),
            (json!({ "unit": "DAY", "from": -6, "to": 0 }), "2026-11-19", "2026-11-26"),
            (json!({ "unit": "WEEK", "from": 0, "to": 0 }), "2026-11-23", "2026-11-30"),
            (json!({ "unit": "WEEK", "from": -1, "to": -1 }), "2026-11-16", "2026-11-23"),
            (json!({ "unit": "MONTH", "from": 1, "to": 2 }), "2026-12-01", "2027-02-01"),
            (json!({ "unit": "QUARTER", "from": -4, "to": -4 }), "2025-10-01", "2026-01-01"),
            (json!({ "unit": "YEAR", "from": -1, "to": 0 }), "2025-01-01", "2027-01-01"),
        ] {
            let stretch = Stretch { from: Some(day(from)), until: Some(day(until)) };
            assert_eq!(Stretch::parse(&given, today, ""), Ok(stretch), "{given}");
        }
        let before = Stretch { from: None, until: Some(today) };
        assert_eq!(Stretch::parse(&json!({ "unit": "DAY", "to": -1 }), today, ""), Ok(before));
        for given in [
            json!({ "unit": "DAY" }),
            json!({ "from": 0 }),
            json!({ "unit": "YEAR", "to": 9000 }),
            json!({ "unit": "DAY", "to": i64::MAX }),
        ] {
            assert!(Stretch::parse(&given, today, "").is_err(), "{given}");
        }
    }

    #[test]
    fn a_day_begins_when_its_clock_shows_it_first() {
        for (date, zone, begins) in [
            ("2026-11-25", Tz::Asia__Ho_Chi_Minh, "2026-11-24T17:00:00Z"),
            ("2026-03-29", Tz::Europe__Riga, "2026-03-28T22:00:00Z"),
            ("2026-03-30", Tz::Europe__Riga, "2026-03-29T21:00:00Z"),
            // There was no midnight, there were two, and there was no such day.
            ("2018-11-04", Tz::America__Sao_Paulo, "2018-11-04T03:00:00Z"),
            ("2026-11-01", Tz::America__Havana, "2026-11-01T04:00:00Z"),
            ("2011-12-30", Tz::Pacific__Apia, "2011-12-30T10:00:00Z"),
        ] {
            assert_eq!(
                start(day(date), zone).to_rfc3339(),
                begins.replace('Z', "+00:00"),
                "{date}"
            );
        }
    }
}
