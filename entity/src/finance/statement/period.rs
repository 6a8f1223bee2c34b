//! Stretches of the calendar that statements are made of.

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};

/// A stretch of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Period {
    /// A week, from Monday.
    Week,
    /// A month.
    Month,
    /// A quarter of a year.
    Quarter,
}

impl Period {
    /// The first and the last day of the last one that was over before `today`.
    #[must_use]
    pub fn before(self, today: NaiveDate) -> (NaiveDate, NaiveDate) {
        let first = self.first(today);
        let last = first.pred_opt().unwrap_or(first);
        (self.first(last), last)
    }

    /// The first day of the one that `day` is in.
    #[must_use]
    pub fn first(self, day: NaiveDate) -> NaiveDate {
        let of_month = day.with_day(1).unwrap_or(day);
        match self {
            Self::Week => day - Days::new(day.weekday().num_days_from_monday().into()),
            Self::Month => of_month,
            Self::Quarter => of_month - Months::new(of_month.month0() % 3),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    #[test]
    fn a_period_is_the_last_one_that_is_over() {
        let monday = day(2026, 3, 2);
        assert_eq!(Period::Month.before(monday), (day(2026, 2, 1), day(2026, 2, 28)));
        assert_eq!(Period::Week.before(monday), (day(2026, 2, 23), day(2026, 3, 1)));
        assert_eq!(Period::Week.before(day(2026, 3, 1)), (day(2026, 2, 16), day(2026, 2, 22)));
        assert_eq!(Period::Quarter.before(monday), (day(2025, 10, 1), day(2025, 12, 31)));
    }

    proptest! {
        #[test]
        fn periods_lie_end_to_end(days in 0..40_000_u64, which in 0..3_usize) {
            let period = [Period::Week, Period::Month, Period::Quarter][which];
            let today = day(1990, 1, 1) + Days::new(days);
            let (first, last) = period.before(today);
            prop_assert!(first <= last && last < today);
            let (_, earlier) = period.before(first);
            prop_assert_eq!(earlier.succ_opt().unwrap(), first);
            let following = last.succ_opt().unwrap();
            prop_assert_eq!(period.first(today), following);
        }
    }
}
