//! By which ages receivables are told apart: ranges of whole days past due.
//!
//! Invariant: each number of days is in exactly one of them.

use sea_orm::Condition;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait;

use crate::error::Error;

/// How many there are at most.
const MOST_BUCKETS: usize = 12;

/// How many days past due, or before that, a bucket ends at most.
const FURTHEST: i32 = 3_650;

/// The last day past due of each bucket but the last, which has no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets(Vec<i32>);

/// Days past due, from the first to the last; one that is absent has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first day.
    pub first: Option<i32>,
    /// The last day.
    pub last: Option<i32>,
}

/// Not yet due, 1 to 30 days, 31 to 60, 61 to 90, and more.
impl Default for Buckets {
    fn default() -> Self {
        Self(vec![0, 30, 60, 90])
    }
}

impl Buckets {
    /// Buckets that end on these days past due, and one for all later days; 0 is what is due on the day itself.
    ///
    /// # Errors
    /// `Invalid` unless they are in ascending order, and one to eleven of them.
    pub fn new(last_days: Vec<i32>) -> Result<Self, Error> {
        let is_sorted = last_days.windows(2).all(|pair| pair[0] < pair[1]);
        if !(1..MOST_BUCKETS).contains(&last_days.len()) || !is_sorted {
            let message = "give the last day past due of 1 to 11 buckets, in ascending order, such as [0, 30, 60, 90]";
            return Err(Error::invalid("buckets", message));
        }
        if last_days.iter().any(|day| day.abs() > FURTHEST) {
            return Err(Error::invalid("buckets", "a bucket ends within ten years"));
        }
        Ok(Self(last_days))
    }

    /// The ranges, in their order.
    #[must_use]
    pub fn ranges(&self) -> Vec<Range> {
        let firsts = std::iter::once(None).chain(self.0.iter().map(|last| Some(last + 1)));
        let lasts = self.0.iter().copied().map(Some).chain([None]);
        firsts.zip(lasts).map(|(first, last)| Range { first, last }).collect()
    }
}

impl Range {
    /// Whether that is in it at the end of `as_of` which is due on a day.
    pub(super) fn due(self, due_on: &Expr, as_of: Date) -> Condition {
        let before = |days: i32| as_of - chrono::TimeDelta::days(days.into());
        Condition::all()
            .add_option(self.last.map(|last| due_on.clone().gte(before(last))))
            .add_option(self.first.map(|first| due_on.clone().lte(before(first))))
    }

    /// Whether so many days past due are in it.
    #[must_use]
    pub fn contains(self, days: i64) -> bool {
        self.first.is_none_or(|first| i64::from(first) <= days)
            && self.last.is_none_or(|last| days <= i64::from(last))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_usual_buckets_are_those_of_the_field() {
        let ranges = Buckets::default().ranges();
        let ends: Vec<_> = ranges.iter().map(|range| (range.first, range.last)).collect();
        let expected = [
            (None, Some(0)),
            (Some(1), Some(30)),
            (Some(31), Some(60)),
            (Some(61), Some(90)),
            (Some(91), None),
        ];
        assert_eq!(ends, expected);
        for wrong in [vec![], vec![30, 0], vec![0, 0], (0..12).collect(), vec![4_000]] {
            assert!(Buckets::new(wrong).is_err());
        }
    }

    proptest! {
        #[test]
        fn each_day_is_in_one_bucket(
            days in proptest::collection::btree_set(-400..400_i32, 1..11),
            day in -500..500_i64,
        ) {
            let buckets = Buckets::new(days.into_iter().collect()).unwrap();
            let holding = buckets.ranges().into_iter().filter(|range| range.contains(day));
            prop_assert_eq!(holding.count(), 1);
        }
    }
}
