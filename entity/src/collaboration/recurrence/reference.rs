//! The expansion held against a plain loop over days, and against arbitrary text.

use std::fmt::Write as _;

use chrono::{Days, NaiveDate, NaiveTime, Weekday};
use chrono_tz::Tz as Zone;
use proptest::prelude::*;

use super::*;
use crate::automation::workflow::moment;

const ZONES: [Zone; 8] = [
    Zone::Europe__Paris,
    Zone::America__New_York,
    Zone::Australia__Lord_Howe,
    Zone::America__Sao_Paulo,
    Zone::Africa__Casablanca,
    Zone::Asia__Ho_Chi_Minh,
    Zone::Pacific__Apia,
    Zone::Europe__Dublin,
];

const WEEK: [Weekday; 7] = [
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
    Weekday::Sat,
    Weekday::Sun,
];

const NAMES: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Every {
    Day,
    Week,
    Month,
    Year,
}

impl Every {
    fn name(self) -> &'static str {
        match self {
            Self::Day => "DAILY",
            Self::Week => "WEEKLY",
            Self::Month => "MONTHLY",
            Self::Year => "YEARLY",
        }
    }

    /// How many whole days, weeks, months or years lie between the ones of the two days.
    fn distance(self, from: NaiveDate, to: NaiveDate) -> i64 {
        let months = |day: NaiveDate| i64::from(day.year()) * 12 + i64::from(day.month());
        let monday = |day: NaiveDate| day - Days::new(day.weekday().num_days_from_monday().into());
        match self {
            Self::Day => (to - from).num_days(),
            Self::Week => (monday(to) - monday(from)).num_days() / 7,
            Self::Month => months(to) - months(from),
            Self::Year => i64::from(to.year() - from.year()),
        }
    }

    /// Whether a rule without days comes on the day, going by the day of its start.
    fn suits(self, start: NaiveDate, day: NaiveDate) -> bool {
        match self {
            Self::Day => true,
            Self::Week => day.weekday() == start.weekday(),
            Self::Month => day.day() == start.day(),
            Self::Year => day.day() == start.day() && day.month() == start.month(),
        }
    }
}

fn naive(every: Every, interval: i64, days: &[Weekday], start: NaiveDate) -> Vec<NaiveDate> {
    let ten_years = start.iter_days().take_while(|day| *day < start + Months::new(120));
    let suiting = ten_years.filter(|day| match days {
        [] => every.suits(start, *day),
        _ => days.contains(&day.weekday()),
    });
    suiting.filter(|day| every.distance(start, *day) % interval == 0).collect()
}

fn written(every: Every, interval: i64, days: &[Weekday]) -> String {
    let mut rule = format!("FREQ={};INTERVAL={interval}", every.name());
    for (place, day) in days.iter().enumerate() {
        let before = if place == 0 { ";BYDAY=" } else { "," };
        let name = NAMES[day.num_days_from_monday() as usize];
        write!(rule, "{before}{name}").unwrap();
    }
    rule
}

fn a_piece() -> impl Strategy<Value = String> {
    let keys = prop::sample::select(vec![
        "FREQ",
        "COUNT",
        "UNTIL",
        "INTERVAL",
        "WKST",
        "BYDAY",
        "BYMONTH",
        "BYMONTHDAY",
        "BYYEARDAY",
        "BYWEEKNO",
        "BYSETPOS",
        "BYHOUR",
        "DTSTART",
        "RRULE:FREQ",
        "đ",
        "",
    ]);
    let values = prop::sample::select(vec![
        "DAILY",
        "WEEKLY",
        "MONTHLY",
        "YEARLY",
        "HOURLY",
        "MO",
        "2TU",
        "-1FR",
        "53SU",
        "đMO",
        "M",
        "-",
        "+",
        "0",
        "1",
        "-1",
        "12",
        "31",
        "-31",
        "53",
        "-53",
        "366",
        "-366",
        "1000",
        "99999999999",
        "20261231",
        "20270101T000000Z",
        "99991231T235959",
        "00000000",
        "2026123T1",
        "Thử",
        "=",
        "\r\n",
    ]);
    (keys, prop::collection::vec(values, 0..4))
        .prop_map(|(key, values)| format!("{key}={}", values.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn ten_years_are_those_of_a_plain_loop_and_come_once_in_every_zone(
        every in prop::sample::select(vec![Every::Day, Every::Week, Every::Month, Every::Year]),
        interval in 1_i64..8,
        days in prop::sample::subsequence(WEEK.to_vec(), 0..=7),
        first in 0_u64..9_000,
        minute in 0_u32..1_440,
    ) {
        let time = NaiveTime::from_num_seconds_from_midnight_opt(minute * 60, 0).unwrap();
        let given = NaiveDate::from_ymd_opt(2008, 1, 1).unwrap() + Days::new(first);
        // A series begins on one of its own days.
        let start = given.iter_days().find(|day| days.is_empty() || days.contains(&day.weekday()));
        let start = start.unwrap();
        let left_out = NaiveDate::from_ymd_opt(2011, 12, 30).unwrap();
        let rule = written(every, interval, &days);
        let recurrence = Recurrence::parse(&rule, start.and_time(time)).unwrap();

        let end = (start + Months::new(120)).and_time(NaiveTime::MIN);
        let times = recurrence.between(start.and_time(time), end, usize::MAX);
        let expected: Vec<_> =
            naive(every, interval, &days, start).iter().map(|day| day.and_time(time)).collect();
        prop_assert_eq!(&times, &expected, "{}", rule);

        for zone in ZONES {
            let instants: Vec<_> =
                times.iter().map(|at| moment::instant(at.date(), at.time(), zone)).collect();
            for (place, pair) in instants.windows(2).enumerate() {
                // A day that the country left out has no instants but those of the day after.
                let left_out = zone == Zone::Pacific__Apia && times[place].date() == left_out;
                prop_assert!(pair[0] < pair[1] || left_out && pair[0] == pair[1], "{rule} {zone}");
            }
        }
    }

    #[test]
    fn no_text_is_too_odd(
        frequency in prop::sample::select(vec!["", "FREQ=DAILY;", "FREQ=MONTHLY;", "FREQ=YEARLY;"]),
        pieces in prop::collection::vec(a_piece(), 0..4),
        tail in "\\PC{0,6}",
        day in 0_u64..400_000,
    ) {
        let start = (NaiveDate::from_ymd_opt(1899, 1, 1).unwrap() + Days::new(day)).and_time(NaiveTime::MIN);
        for text in [format!("{frequency}{}", pieces.join(";")), format!("{frequency}{tail}")] {
            let Ok(recurrence) = Recurrence::parse(&text, start) else { continue };
            let again = Recurrence::parse(&recurrence.rule(), start);
            prop_assert_eq!(again, Ok(recurrence.clone()));
            let times = recurrence.between(start, NaiveDateTime::MAX, 20);
            for at in times.iter().skip(1) {
                let (before, after) = (recurrence.until_before(*at), recurrence.from(*at));
                prop_assert!(before.unwrap().last() < Some(*at));
                prop_assert_eq!(after.map(|after| after.start), Some(*at), "{}", text);
            }
        }
    }
}
