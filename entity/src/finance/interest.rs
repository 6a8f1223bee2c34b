//! Interest for late payment: simple, by days of a year of 365, on what is open of an invoice and on nothing else.
//!
//! Invariant: no rate of a law stands in code: see the files in `rates/`, each with its version and its sources. What is
//! charged is rounded once, half to even, at the currency's minor unit.

use std::sync::LazyLock;

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use super::totals::divide;

/// The days of a year.
const YEAR: i128 = 365;

/// Rates by law, and the most that may be agreed on.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rates {
    /// What ladders call it, such as `eu-late-payment`.
    pub key: String,
    /// Of when it is, such as `2026-07`.
    pub version: String,
    /// What people call it.
    pub title: String,
    /// Where it counts, as ISO 3166-1 alpha-2.
    pub countries: Vec<String>,
    /// Where its rates stand.
    pub sources: Vec<String>,
    /// The most that may be agreed on there, in hundredths of a percent a year; no limit when absent.
    #[serde(default)]
    pub most_basis_points: Option<i32>,
    /// The rates, the oldest first.
    pub rates: Vec<Rate>,
}

/// A rate from a day on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// From which day on.
    pub from: NaiveDate,
    /// Hundredths of a percent a year.
    pub basis_points: i32,
}

/// Which rate a ladder charges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Which {
    /// That of a law, by the key of its rates.
    Law(String),
    /// One that was agreed on, in hundredths of a percent a year. Where a law says the most that may be agreed on, it is that
    /// at most.
    Agreed(i32),
}

static RATES: LazyLock<Vec<Rates>> = LazyLock::new(|| {
    let files =
        [include_str!("rates/eu-late-payment.toml"), include_str!("rates/vn-civil-code.toml")];
    files.into_iter().filter_map(|file| toml::from_str(file).ok()).collect()
});

/// All rates that Rapport knows.
#[must_use]
pub fn all() -> &'static [Rates] {
    &RATES
}

impl Which {
    /// Whether there is such a rate.
    #[must_use]
    pub fn is_known(&self) -> bool {
        match self {
            Self::Law(key) => all().iter().any(|rates| rates.key == *key),
            Self::Agreed(rate) => (1..=10_000).contains(rate),
        }
    }

    /// The rates for a customer in a country, the oldest first.
    #[must_use]
    pub fn rates(&self, country: Option<&str>) -> Vec<Rate> {
        match self {
            Self::Law(key) => {
                let rates = all().iter().find(|rates| rates.key == *key);
                rates.map(|rates| rates.rates.clone()).unwrap_or_default()
            }
            Self::Agreed(rate) => {
                let there = all().iter().filter(|rates| {
                    // Where the country is not known, every limit may count.
                    country.is_none_or(|country| rates.countries.iter().any(|one| one == country))
                });
                let most = there.filter_map(|rates| rates.most_basis_points).min();
                let basis_points = most.map_or(*rate, |most| most.min(*rate));
                vec![Rate { from: NaiveDate::MIN, basis_points }]
            }
        }
    }
}

/// What has accrued from the day after `since` until and with `until`. `open` has the days on which what is open changed,
/// in their order, each with what was open at its end, in minor units. What is charged for days for which there is no rate
/// is nothing.
#[must_use]
pub fn accrued(
    open: &[(NaiveDate, i64)],
    rates: &[Rate],
    since: NaiveDate,
    until: NaiveDate,
) -> i64 {
    let first = since.checked_add_days(Days::new(1)).unwrap_or(since);
    let end = until.checked_add_days(Days::new(1)).unwrap_or(until);
    // Between two of these days neither what is open nor the rate changes.
    let turns = open.iter().map(|(day, _)| *day).chain(rates.iter().map(|rate| rate.from));
    let mut turns = turns.filter(|day| *day > first && *day < end).collect::<Vec<_>>();
    turns.extend([first, end]);
    turns.sort_unstable();
    let exact = turns.windows(2).map(|turns| {
        let amount = open.iter().rev().find(|(day, _)| *day <= turns[0]);
        let rate = rates.iter().rev().find(|rate| rate.from <= turns[0]);
        let amount = amount.map_or(0, |(_, amount)| i128::from((*amount).max(0)));
        let rate = rate.map_or(0, |rate| i128::from(rate.basis_points));
        amount * rate * i128::from((turns[1] - turns[0]).num_days())
    });
    i64::try_from(divide(exact.sum(), 10_000 * YEAR)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn rate(from: &str, basis_points: i32) -> Rate {
        Rate { from: day(from), basis_points }
    }

    #[test]
    fn every_table_can_be_read_and_says_where_it_stands() {
        let keys = all().iter().map(|rates| rates.key.as_str()).collect::<Vec<_>>();
        assert_eq!(keys, ["eu-late-payment", "vn-civil-code"]);
        for rates in all() {
            assert!(!rates.sources.is_empty() && rates.rates.is_sorted_by_key(|rate| rate.from));
        }
    }

    #[test]
    fn a_year_costs_the_rate_of_a_year() {
        let open = [(day("2025-01-01"), 1_000_000)];
        let rates = [rate("2020-01-01", 1_000)];
        assert_eq!(accrued(&open, &rates, day("2025-01-31"), day("2026-01-31")), 100_000);
        assert_eq!(accrued(&open, &rates, day("2025-01-31"), day("2025-02-01")), 274, "a day");
        assert_eq!(accrued(&open, &rates, day("2025-02-01"), day("2025-02-01")), 0);
    }

    /// What was open for a while costs something for that while, also when it is paid by now.
    #[test]
    fn what_was_paid_stops_bearing_interest_and_takes_none_with_it() {
        let open = [(day("2025-01-01"), 365_000), (day("2025-02-11"), 0)];
        let rates = [rate("2020-01-01", 1_000)];
        assert_eq!(accrued(&open, &rates, day("2025-01-31"), day("2025-12-31")), 1_000);
    }

    #[test]
    fn a_rate_that_changes_counts_from_its_day() {
        let open = [(day("2025-01-01"), 3_650_000)];
        let rates = [rate("2025-01-01", 1_000), rate("2025-07-01", 2_000)];
        assert_eq!(accrued(&open, &rates, day("2025-06-29"), day("2025-07-02")), 5_000);
    }

    #[test]
    fn what_was_agreed_on_is_at_most_what_the_law_lets() {
        let agreed = Which::Agreed(2_500);
        assert_eq!(agreed.rates(Some("VN"))[0].basis_points, 2_000);
        assert_eq!(agreed.rates(Some("LV"))[0].basis_points, 2_500);
        assert_eq!(agreed.rates(None)[0].basis_points, 2_000);
        assert!(!Which::Law("moon".to_owned()).is_known());
    }

    proptest! {
        /// However a time is divided, its parts come to the whole, but for what is rounded once each.
        #[test]
        fn parts_come_to_the_whole(
            amounts in prop::collection::vec((0_i64..400, 0_i64..1_000_000_000), 1..8),
            steps in prop::collection::vec((0_i64..400, 1_i32..3_000), 1..5),
            cut in 0_i64..400,
        ) {
            let begin = day("2025-01-01");
            let on = |after: i64| begin + chrono::TimeDelta::days(after);
            let mut open = amounts.into_iter().map(|(after, amount)| (on(after), amount)).collect::<Vec<_>>();
            open.sort_by_key(|(day, _)| *day);
            open.dedup_by_key(|(day, _)| *day);
            let mut rates = steps.into_iter().map(|(after, basis_points)| Rate { from: on(after), basis_points }).collect::<Vec<_>>();
            rates.sort_by_key(|rate| rate.from);
            rates.dedup_by_key(|rate| rate.from);
            let whole = accrued(&open, &rates, begin, on(400));
            let parts = accrued(&open, &rates, begin, on(cut)) + accrued(&open, &rates, on(cut), on(400));
            prop_assert!((whole - parts).abs() <= 1, "{whole} and {parts}");
            // Day by day, as nobody would do it.
            let daily: i128 = (1..=400).map(|after| {
                let amount = open.iter().rfind(|(day, _)| *day <= on(after)).map_or(0, |(_, amount)| *amount);
                let rate = rates.iter().rfind(|rate| rate.from <= on(after)).map_or(0, |rate| rate.basis_points);
                i128::from(amount) * i128::from(rate)
            }).sum();
            prop_assert_eq!(i128::from(whole), divide(daily, 10_000 * YEAR));
        }
    }
}
