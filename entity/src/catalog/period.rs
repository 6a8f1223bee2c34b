//! Days, weeks, months, quarters and years in SQL: the first day of the one that a value lies in.
//!
//! Invariant: both databases give the same day. SQLite knows no time zones, so it is told when which
//! offset from UTC holds.

use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use sea_orm::DbBackend;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Func};

use super::Scalar;

/// A stretch of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A day.
    Day,
    /// A week from Monday (ISO 8601).
    Week,
    /// A month.
    Month,
    /// A quarter of a year.
    Quarter,
    /// A year.
    Year,
}

impl Unit {
    /// The unit with the name, as the API's enum has it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "DAY" => Self::Day,
            "WEEK" => Self::Week,
            "MONTH" => Self::Month,
            "QUARTER" => Self::Quarter,
            "YEAR" => Self::Year,
            _ => return None,
        })
    }
}

/// Of which years SQLite is told a zone's offsets; outside of them the nearest one holds.
const KNOWN: (i64, i64) = (631_152_000, 2_840_140_800);

/// The first day of the `unit` in which `column` lies: a day, or an instant as a clock in `zone`
/// shows it.
pub(super) fn first_day(
    backend: DbBackend,
    column: Expr,
    scalar: &Scalar,
    (unit, zone): (Unit, Tz),
) -> Expr {
    match backend {
        DbBackend::Postgres => on_postgres(column, scalar, unit, zone),
        _ => on_sqlite(column, scalar, unit, zone),
    }
}

fn on_postgres(column: Expr, scalar: &Scalar, unit: Unit, zone: Tz) -> Expr {
    let local = match scalar {
        Scalar::Instant => Func::cust("timezone").args([Expr::val(zone.name()), column]).into(),
        _ => column.cast_as("timestamp"),
    };
    let unit = match unit {
        Unit::Day => "day",
        Unit::Week => "week",
        Unit::Month => "month",
        Unit::Quarter => "quarter",
        Unit::Year => "year",
    };
    Expr::from(Func::cust("date_trunc").args([Expr::val(unit), local])).cast_as("date")
}

fn on_sqlite(column: Expr, scalar: &Scalar, unit: Unit, zone: Tz) -> Expr {
    let day: Expr = match scalar {
        Scalar::Instant => Func::cust("date").args([column.clone(), offset(&column, zone)]).into(),
        _ => column,
    };
    let first = |modifiers: Vec<Expr>| {
        Expr::from(Func::cust("date").args(std::iter::once(day.clone()).chain(modifiers)))
    };
    match unit {
        Unit::Day => first(vec![]),
        // On to Sunday, which may be the day itself, and back to the Monday before.
        Unit::Week => first(vec![Expr::val("weekday 0"), Expr::val("-6 days")]),
        Unit::Month => first(vec![Expr::val("start of month")]),
        Unit::Quarter => {
            let month = Func::cust("strftime").args([Expr::val("%m"), day.clone()]);
            let past = Expr::from(month).cast_as("integer").sub(1).modulo(3);
            let back = Func::cust("printf").args([Expr::val("-%d months"), past]);
            first(vec![Expr::val("start of month"), back.into()])
        }
        Unit::Year => first(vec![Expr::val("start of year")]),
    }
}

/// What SQLite's date functions add to the instant in `column` for a clock in `zone`.
fn offset(column: &Expr, zone: Tz) -> Expr {
    let modifier = |seconds: i32| Expr::val(format!("{seconds:+} seconds"));
    let (last, earlier) = offsets(zone);
    if earlier.is_empty() {
        return modifier(last);
    }
    let case = earlier.into_iter().fold(CaseStatement::new(), |case, (until, seconds)| {
        case.case(column.clone().lt(until), modifier(seconds))
    });
    case.finally(modifier(last)).into()
}

/// The offset from UTC, in seconds, that `zone` ends with, and those before, each with the instant at
/// which it ends.
fn offsets(zone: Tz) -> (i32, Vec<(DateTime<Utc>, i32)>) {
    let at = |second: i64| {
        let instant = DateTime::from_timestamp(second, 0).unwrap_or_default();
        zone.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc()
    };
    let day = TimeDelta::days(1).num_seconds();
    let (mut second, end) = KNOWN;
    let (mut current, mut earlier) = (at(second), Vec::new());
    while second < end {
        let next = at(second + day);
        if next != current {
            let (mut before, mut after) = (second, second + day);
            while after - before > 1 {
                let middle = before.midpoint(after);
                if at(middle) == current { before = middle } else { after = middle }
            }
            earlier.push((DateTime::from_timestamp(after, 0).unwrap_or_default(), current));
            current = next;
        }
        second += day;
    }
    (current, earlier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offsets_of_a_zone_change_when_its_clocks_do() {
        assert_eq!(offsets(Tz::Asia__Ho_Chi_Minh), (25_200, vec![]));
        let (_, riga) = offsets(Tz::Europe__Riga);
        let instant = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert!(riga.contains(&(instant("2026-03-29T01:00:00Z"), 7_200)));
        assert!(riga.contains(&(instant("2026-10-25T01:00:00Z"), 10_800)));
        assert!(riga.is_sorted());
    }
}
