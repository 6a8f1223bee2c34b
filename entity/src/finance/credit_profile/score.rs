//! The score: one number out of a profile, by a formula that is published with its parts.

use rust_decimal::Decimal;

use super::Profile;

/// How many days late, on average, earn nothing.
const LATEST: u32 = 60;

/// By how many days a trend that gets worse earns nothing, and one that gets better everything.
const STEEPEST: u32 = 30;

/// How many days overdue earn nothing.
const OLDEST: u32 = 120;

/// What a score is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// How many invoices are paid on time: 40 × the share.
    Punctuality,
    /// How late they are on average: 30 × (1 − days late / 60).
    Delay,
    /// Whether that gets better or worse: 10 × (1 − days / 30) / 2, and 5 while there is no trend.
    Trend,
    /// What is overdue, and for how long: 20 × (1 − overdue / exposure × oldest days / 120), and 20 while nothing is.
    Overdue,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Punctuality, Self::Delay, Self::Trend, Self::Overdue];

    /// How many points it gives at most.
    #[must_use]
    pub fn most(self) -> u32 {
        match self {
            Self::Punctuality => 40,
            Self::Delay => 30,
            Self::Trend => 10,
            Self::Overdue => 20,
        }
    }

    /// How much of them a profile earns: 0 to 1.
    fn earned(self, profile: &Profile) -> Decimal {
        let days = |days: u32| Decimal::from(days);
        let earned = match self {
            Self::Punctuality => profile.on_time_share().unwrap_or_default(),
            Self::Delay => {
                Decimal::ONE - profile.weighted_days_late.unwrap_or_default() / days(LATEST)
            }
            Self::Trend => {
                let worse = profile.trend_days().unwrap_or_default() / days(STEEPEST);
                (Decimal::ONE - worse) / Decimal::TWO
            }
            Self::Overdue => {
                let share = match profile.exposure {
                    ..=0 => Decimal::ZERO,
                    exposure => Decimal::from(profile.overdue) / Decimal::from(exposure),
                };
                let oldest = Decimal::from(profile.oldest_overdue_days.unwrap_or_default());
                let age = (oldest / days(OLDEST)).min(Decimal::ONE);
                Decimal::ONE - share.clamp(Decimal::ZERO, Decimal::ONE) * age
            }
        };
        earned.clamp(Decimal::ZERO, Decimal::ONE)
    }
}

/// What a part gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Points {
    /// Which part.
    pub part: Part,
    /// How many, to a tenth.
    pub points: Decimal,
}

/// How well a customer pays: 0 to 100.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// The sum of the parts, rounded.
    pub value: u32,
    /// What each part gives.
    pub parts: Vec<Points>,
}

impl Profile {
    /// The score; `None` while nothing was settled, since there is nothing to derive it from.
    #[must_use]
    pub fn score(&self) -> Option<Score> {
        use rust_decimal::prelude::ToPrimitive;
        if self.settled == 0 {
            return None;
        }
        let points = |part: Part| {
            let points = Decimal::from(part.most()) * part.earned(self);
            // What a division leaves out at its end is not what a half depends on.
            Points { part, points: points.round_dp(12).round_dp(1).normalize() }
        };
        let parts: Vec<_> = Part::ALL.into_iter().map(points).collect();
        let sum: Decimal = parts.iter().map(|part| part.points).sum();
        Some(Score { value: sum.round().to_u32()?, parts })
    }
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, TimeDelta};
    use proptest::prelude::*;

    use super::*;
    use crate::finance::credit_profile::{Open, Settled};
    use crate::money::Currency;

    fn day(number: i64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + TimeDelta::days(number)
    }

    fn profile(late: &[i64], overdue: &[i64]) -> Profile {
        let settled = |late: &i64| Settled { due_on: day(0), settled_on: day(*late), amount: 100 };
        let settled: Vec<_> = late.iter().map(settled).collect();
        let open = |days: &i64| Open { due_on: day(300 - days), amount: 100 };
        let open: Vec<_> = overdue.iter().map(open).collect();
        Profile::new(Currency::VND, &settled, &open, day(300))
    }

    fn points(profile: &Profile) -> Vec<String> {
        let score = profile.score().unwrap();
        score.parts.iter().map(|part| part.points.normalize().to_string()).collect()
    }

    #[test]
    fn who_always_pays_on_time_gets_all_but_what_a_trend_would_give() {
        let best = profile(&[0, -3], &[]);
        assert_eq!(points(&best), ["40", "30", "5", "20"]);
        assert_eq!(best.score().unwrap().value, 95);
    }

    #[test]
    fn who_pays_late_and_owes_for_long_gets_little() {
        let worse = profile(&[30, 30, 30, 0], &[60, -10]);
        // A quarter on time; 22.5 days late; half of the exposure is 60 days overdue.
        assert_eq!(points(&worse), ["10", "18.8", "5", "15"]);
        assert_eq!(points(&profile(&[90], &[150])), ["0", "0", "5", "0"]);
    }

    #[test]
    fn of_whom_nothing_is_known_there_is_no_score() {
        assert_eq!(profile(&[], &[10]).score(), None);
    }

    proptest! {
        #[test]
        fn a_score_is_from_0_to_100_and_falls_with_delay(
            late in proptest::collection::vec(-50..200_i64, 1..10),
            overdue in proptest::collection::vec(-50..200_i64, 0..10),
            more in 1..50_i64,
        ) {
            let score = profile(&late, &overdue).score().unwrap();
            prop_assert!(score.value <= 100);
            let later: Vec<_> = late.iter().map(|days| days + more).collect();
            let trendless = |late: &[i64]| {
                let parts = profile(late, &overdue).score().unwrap().parts;
                parts.into_iter().filter(|part| part.part != Part::Trend).map(|part| part.points).sum::<Decimal>()
            };
            prop_assert!(trendless(&later) <= trendless(&late));
        }
    }
}
