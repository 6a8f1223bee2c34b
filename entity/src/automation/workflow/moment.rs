//! When a clock on somebody's wall shows a time.
//!
//! Invariant: a local time comes exactly once on each local day. Where clocks are put forward over it, it comes
//! as late as the offset before says (02:30 becomes 03:30); where they are put back over it, at its first coming.

use chrono::{
    DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta,
    TimeZone, Utc, Weekday,
};
use chrono_tz::Tz;

/// How far back from a gap a clock surely showed a time; no zone has put its clocks forward by more than a day.
const BEFORE_A_GAP: TimeDelta = TimeDelta::hours(25);

/// The instant at which clocks in `zone` show `time` on `day`.
#[must_use]
pub fn instant(day: NaiveDate, time: NaiveTime, zone: Tz) -> DateTime<Utc> {
    let local = day.and_time(time);
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant.to_utc(),
        LocalResult::None => before_the_gap(local, zone),
    }
}

/// The first instant from `now` on at which clocks in `zone` show `time`.
#[must_use]
pub fn next(now: DateTime<Utc>, time: NaiveTime, zone: Tz) -> DateTime<Utc> {
    let today = now.with_timezone(&zone).date_naive();
    // A gap may move yesterday's over midnight.
    let days =
        [today.pred_opt(), Some(today), today.succ_opt(), today.checked_add_days(Days::new(2))];
    let instants = days.into_iter().flatten().map(|day| instant(day, time, zone));
    instants.filter(|instant| *instant >= now).min().unwrap_or(now)
}

/// The instant at which clocks in `zone` show `time` on the business day that is `days` of them after the day of `now`;
/// the next one, for none. Business days are those from Monday to Friday that are none of `holidays`.
#[must_use]
pub fn business(
    now: DateTime<Utc>,
    days: u32,
    time: NaiveTime,
    zone: Tz,
    holidays: &[NaiveDate],
) -> Option<DateTime<Utc>> {
    let today = now.with_timezone(&zone).date_naive();
    // A day that a country left out ends with the next one, which may be none of business.
    let is_business = |instant: &DateTime<Utc>| {
        let day = instant.with_timezone(&zone).date_naive();
        !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) && !holidays.contains(&day)
    };
    let ahead = |instant: &DateTime<Utc>| {
        *instant >= now && (days == 0 || instant.with_timezone(&zone).date_naive() > today)
    };
    let instants = today.iter_days().map(|day| instant(day, time, zone));
    instants
        .filter(ahead)
        .filter(is_business)
        .nth(usize::try_from(days).unwrap_or(usize::MAX).saturating_sub(1))
}

fn before_the_gap(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let offset = match zone.offset_from_local_datetime(&(local - BEFORE_A_GAP)) {
        LocalResult::Single(offset) | LocalResult::Ambiguous(offset, _) => offset.fix(),
        LocalResult::None => zone.offset_from_utc_datetime(&local).fix(),
    };
    (local - TimeDelta::seconds(i64::from(offset.local_minus_utc()))).and_utc()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(day: &str, time: &str, zone: Tz) -> String {
        instant(day.parse().unwrap(), time.parse().unwrap(), zone).to_rfc3339()
    }

    #[test]
    fn a_time_that_clocks_skip_comes_as_late_as_the_offset_before_says() {
        assert_eq!(at("2026-03-29", "02:30:00", Tz::Europe__Paris), "2026-03-29T01:30:00+00:00");
        assert_eq!(
            at("2026-03-08", "02:30:00", Tz::America__New_York),
            "2026-03-08T07:30:00+00:00"
        );
    }

    #[test]
    fn a_time_that_comes_twice_counts_the_first_time() {
        assert_eq!(at("2026-10-25", "02:30:00", Tz::Europe__Paris), "2026-10-25T00:30:00+00:00");
    }

    #[test]
    fn a_day_that_a_country_left_out_ends_with_the_next_one() {
        // Samoa had no 30 December 2011.
        assert_eq!(at("2011-12-30", "09:00:00", Tz::Pacific__Apia), "2011-12-30T19:00:00+00:00");
    }

    #[test]
    fn business_days_leave_out_weekends_and_holidays() {
        let hanoi = Tz::Asia__Ho_Chi_Minh;
        let at = |text: &str| format!("{text}:00+07:00").parse::<DateTime<Utc>>().unwrap();
        let tet = ["2027-02-08", "2027-02-09"].map(|day| day.parse().unwrap());
        let nine = NaiveTime::from_hms_opt(9, 0, 0).unwrap();
        let after = |now: &str, days| {
            let instant = business(at(now), days, nine, hanoi, &tet).unwrap();
            instant.with_timezone(&hanoi).format("%a %d %H:%M").to_string()
        };
        assert_eq!(after("2027-02-04T10:00", 1), "Fri 05 09:00");
        assert_eq!(after("2027-02-04T10:00", 2), "Wed 10 09:00");
        assert_eq!(after("2027-02-06T08:00", 1), "Wed 10 09:00");
        assert_eq!(after("2027-02-05T08:00", 0), "Fri 05 09:00");
        assert_eq!(after("2027-02-05T10:00", 0), "Wed 10 09:00");
    }

    proptest! {
        #[test]
        fn a_business_day_is_no_weekend_and_no_holiday(
            start in 1_300_000_000_i64..2_000_000_000,
            minute in 0_u32..1_440,
            days in 0_u32..40,
            free in prop::collection::btree_set(0_u64..60, 0..20),
            zone in prop::sample::select(vec![
                Tz::Europe__Paris, Tz::America__New_York, Tz::Asia__Ho_Chi_Minh,
                Tz::Pacific__Apia, Tz::America__Sao_Paulo, Tz::Africa__Casablanca,
            ]),
        ) {
            let now = DateTime::from_timestamp(start, 0).unwrap();
            let time = NaiveTime::from_num_seconds_from_midnight_opt(minute * 60, 0).unwrap();
            let day = |instant: DateTime<Utc>| instant.with_timezone(&zone).date_naive();
            let today = day(now);
            let holidays = free.iter().map(|ahead| today + Days::new(*ahead)).collect::<Vec<_>>();
            let then = business(now, days, time, zone, &holidays).unwrap();
            prop_assert!(then >= now);
            prop_assert!(!matches!(day(then).weekday(), Weekday::Sat | Weekday::Sun));
            prop_assert!(!holidays.contains(&day(then)));
            let later = business(now, days + 1, time, zone, &holidays).unwrap();
            prop_assert!(later >= then && (days == 0 || day(later) > day(then)));
            prop_assert!(days == 0 || (day(then) - today).num_days() >= i64::from(days));
        }

        #[test]
        fn a_local_time_comes_once_a_local_day(
            start in 1_500_000_000_i64..2_500_000_000,
            minute in 0_u32..1_440,
            zone in prop::sample::select(vec![
                Tz::Europe__Paris, Tz::America__New_York, Tz::Asia__Ho_Chi_Minh,
                Tz::Australia__Lord_Howe, Tz::America__Sao_Paulo, Tz::Africa__Casablanca,
            ]),
        ) {
            let time = NaiveTime::from_num_seconds_from_midnight_opt(minute * 60, 0).unwrap();
            let mut now = DateTime::from_timestamp(start, 0).unwrap();
            let first = next(now, time, zone);
            prop_assert!(first >= now);
            now = first;
            for _ in 0..400 {
                let then = next(now + TimeDelta::seconds(1), time, zone);
                let days = then.with_timezone(&zone).date_naive() - now.with_timezone(&zone).date_naive();
                prop_assert_eq!(days.num_days(), 1);
                now = then;
            }
        }
    }
}
