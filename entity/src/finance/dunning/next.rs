//! What comes next for an invoice: a level, or a time before which none comes. A pure function: it reads no clock and no
//! database, so that a forecast and the real thing cannot differ.
//!
//! Invariant: levels come one after the other, each once, with so many days between them as the ladder says; none comes
//! while nothing may be asked for.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::ladder::{Ladder, amount_in};
use super::own::Asks;
use crate::automation::workflow::moment;
use crate::money::Money;

/// After how many days it is looked again for what nobody says the end of.
const LOOK_AGAIN: TimeDelta = TimeDelta::days(30);

/// After how long it is looked whether another ladder still asks.
const LOOK_FOR_OTHER: TimeDelta = TimeDelta::days(1);

/// What is known of an invoice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    /// Whether it is open at all.
    pub open: bool,
    /// What may be asked for of it.
    pub collectable: Money,
    /// When it is due.
    pub due_on: NaiveDate,
    /// The highest level that it has reached, counted from 1, and when.
    pub had: i32,
    pub had_at: Option<DateTime<Utc>>,
    /// The last day on which it is promised.
    pub promised_until: Option<NaiveDate>,
    /// When a promise was last broken.
    pub broken_at: Option<DateTime<Utc>>,
    /// When it was last clear that something is owed that was disputed.
    pub undisputed_at: Option<DateTime<Utc>>,
    /// Whether a lawyer or a court asks for it.
    pub handed_over: bool,
    /// Whether its customer is asked for nothing.
    pub excluded: bool,
    /// Which ladder asks its customer.
    pub asks: Asks,
    /// The last day on which its customer is asked for nothing.
    pub paused_until: Option<NaiveDate>,
    /// On whose clock levels come.
    pub zone: Tz,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: it is settled.
    Over,
    /// Nothing before an instant.
    Later(DateTime<Utc>, String),
    /// A level, by its number, counted from 1.
    Reach(i32),
}

/// What comes next for an invoice.
pub(super) fn next(ladder: &Ladder, item: &Item, now: DateTime<Utc>) -> Next {
    if !item.open {
        return Next::Over;
    }
    let today = now.with_timezone(&item.zone).date_naive();
    let at = |day: NaiveDate| moment::instant(day, ladder.at, item.zone);
    let after = |day: NaiveDate| at(day.checked_add_days(Days::new(1)).unwrap_or(day));
    let some_time = |why: &str| Next::Later(now + LOOK_AGAIN, why.to_owned());
    if item.excluded {
        return some_time("EXCLUDED: the customer is asked for nothing");
    }
    match item.asks {
        Asks::This => {}
        Asks::Other => {
            // Nobody says when the other one is retired.
            let why = "OTHER_LADDER: the customer's own ladder asks";
            return Next::Later(now + LOOK_FOR_OTHER, why.to_owned());
        }
        Asks::Others => return some_time("OTHER_LADDER: it is not the customer's own ladder"),
    }
    if item.handed_over {
        return some_time("HANDED_OVER: a lawyer or a court asks for it");
    }
    if let Some(until) = item.paused_until.filter(|until| *until >= today) {
        return Next::Later(after(until), format!("PAUSED: nothing is asked for until {until}"));
    }
    if item.collectable.minor == 0 {
        return some_time("DISPUTED: all that is open is disputed");
    }
    if let Some(until) = item.promised_until.filter(|until| *until >= today) {
        return Next::Later(after(until), format!("PROMISED: it is promised until {until}"));
    }
    let Some((number, days)) = following(ladder, item, today) else {
        return some_time("every level of the ladder was reached");
    };
    let due = item.due_on.checked_add_signed(TimeDelta::days(days.into())).unwrap_or(item.due_on);
    let mut comes = at(due);
    // A promise that was broken brings the next level on.
    if item
        .broken_at
        .is_some_and(|broken| item.had > 0 && item.had_at.is_none_or(|had| broken > had))
    {
        comes = comes.min(now);
    }
    // A level comes after the one before it, and after a dispute, with the days between that there are between levels.
    for since in [item.had_at, item.undisputed_at].into_iter().flatten() {
        let day = since.with_timezone(&item.zone).date_naive();
        let free = day.checked_add_days(Days::new(ladder.between_days.into())).unwrap_or(day);
        comes = comes.max(at(free));
    }
    if comes > now {
        return Next::Later(comes, format!("level {number} comes on {}", day_of(comes, item.zone)));
    }
    let least = ladder
        .level(number)
        .map_or(0, |level| amount_in(&level.minimum, item.collectable.currency));
    if item.collectable.minor < least {
        return some_time("BELOW_MIN: less is owed than the level asks for");
    }
    Next::Reach(number)
}

/// The number of the level that follows, and the days after which it comes. Levels that come before an invoice is due are
/// left out once it is.
fn following(ladder: &Ladder, item: &Item, today: NaiveDate) -> Option<(i32, i32)> {
    let levels = (1..).zip(ladder.levels.iter().map(|level| level.days));
    let is_late = today > item.due_on;
    let mut ahead = levels.filter(|(number, _)| *number > item.had);
    ahead.find(|(_, days)| *days > 0 || !is_late)
}

fn day_of(at: DateTime<Utc>, zone: Tz) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;
    use proptest::prelude::*;

    use super::*;
    use crate::automation::workflow::definition::Zone;
    use crate::finance::dunning::ladder::{Level, Scope};
    use crate::money::Currency;

    fn ladder(days: &[i32], between_days: u32) -> Ladder {
        let level = |days| Level {
            days,
            minimum: Vec::new(),
            notices: Vec::new(),
            call: None,
            fee: Vec::new(),
            waived_days: 0,
            interest: None,
            approval: false,
            enclose: Vec::new(),
        };
        Ladder {
            scope: Scope::Customer,
            at: NaiveTime::from_hms_opt(9, 0, 0).unwrap(),
            zone: Zone::Customer,
            between_days,
            own_only: false,
            minimum: Vec::new(),
            levels: days.iter().copied().map(level).collect(),
        }
    }

    fn item(due_on: &str) -> Item {
        Item {
            open: true,
            collectable: Money::new(100, Currency::VND),
            due_on: due_on.parse().unwrap(),
            had: 0,
            had_at: None,
            promised_until: None,
            broken_at: None,
            undisputed_at: None,
            handed_over: false,
            excluded: false,
            asks: Asks::This,
            paused_until: None,
            zone: Tz::Asia__Ho_Chi_Minh,
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        format!("{text}:00+07:00").parse().unwrap()
    }

    #[test]
    fn a_level_comes_on_its_day_when_the_clock_shows_its_time() {
        let ladder = ladder(&[-3, 5], 1);
        let comes = |now| next(&ladder, &item("2026-11-10"), at(now));
        assert!(
            matches!(comes("2026-11-07T08:59"), Next::Later(then, _) if then == at("2026-11-07T09:00"))
        );
        assert_eq!(comes("2026-11-07T09:00"), Next::Reach(1));
        assert_eq!(comes("2026-11-10T09:00"), Next::Reach(1), "it is not late yet");
        // Who is late already is not told that payment is about to fall due.
        assert!(
            matches!(comes("2026-11-11T09:00"), Next::Later(then, _) if then == at("2026-11-15T09:00"))
        );
        assert_eq!(comes("2027-03-01T10:00"), Next::Reach(2));
    }

    #[test]
    fn a_broken_promise_brings_the_next_level_on_and_no_other() {
        let ladder = ladder(&[5, 30, 60], 3);
        let had = Item { had: 1, had_at: Some(at("2026-11-15T09:00")), ..item("2026-11-10") };
        let broken = Item { broken_at: Some(at("2026-11-19T00:01")), ..had };
        assert_eq!(next(&ladder, &broken, at("2026-11-19T00:01")), Next::Reach(2));
        let again = Item { had: 2, had_at: Some(at("2026-11-19T00:01")), ..broken };
        assert!(
            matches!(next(&ladder, &again, at("2026-11-25T00:00")), Next::Later(then, _) if then == at("2027-01-09T09:00"))
        );
        // As soon as it may come, and not before.
        let soon = Item { broken_at: Some(at("2026-11-16T00:01")), ..had };
        assert!(
            matches!(next(&ladder, &soon, at("2026-11-16T00:01")), Next::Later(then, _) if then == at("2026-11-18T09:00"))
        );
    }

    proptest! {
        /// Whoever looks whenever it is said that something comes next sees each level once, in their order, with the days
        /// between them, and none before its day, while nothing may be asked for, or after the end.
        #[test]
        fn levels_come_once_in_order_and_apart(
            gaps in prop::collection::vec(1_i32..40, 1..6),
            first in -20_i32..20,
            between in 1_u32..15,
            begun in 0_i64..200,
            looks in prop::collection::vec(1_i64..20_000, 0..40),
            promised in prop::option::of(0_i64..120),
            paused in prop::option::of(0_i64..120),
            settled in prop::option::of(0_i64..300),
        ) {
            let days = gaps.iter().scan(first, |day, gap| { *day += gap; Some(*day) }).collect::<Vec<_>>();
            let ladder = ladder(&days, between);
            let due = item("2026-03-01").due_on;
            let day = |after: i64| due + TimeDelta::days(after - 30);
            let mut item = Item {
                promised_until: promised.map(day),
                paused_until: paused.map(day),
                ..item("2026-03-01")
            };
            let mut now = at("2026-01-20T00:00") + TimeDelta::days(begun);
            let end = settled.map(|after| at("2026-01-20T00:00") + TimeDelta::days(after));
            let mut looks = looks.into_iter();
            let mut reached = Vec::<(i32, DateTime<Utc>)>::new();
            for _ in 0..200 {
                item.open = end.is_none_or(|end| now < end);
                let local = |at: DateTime<Utc>| at.with_timezone(&item.zone).date_naive();
                match next(&ladder, &item, now) {
                    Next::Over => break,
                    Next::Reach(level) => {
                        prop_assert!(item.open);
                        prop_assert!(item.promised_until.is_none_or(|until| until < local(now)));
                        prop_assert!(item.paused_until.is_none_or(|until| until < local(now)));
                        let planned = due + TimeDelta::days(ladder.level(level).unwrap().days.into());
                        prop_assert!(local(now) >= planned);
                        if let Some((before, had)) = reached.last() {
                            prop_assert!(level > *before);
                            prop_assert!((local(now) - local(*had)).num_days() >= i64::from(between));
                        }
                        reached.push((level, now));
                        (item.had, item.had_at) = (level, Some(now));
                    }
                    Next::Later(then, why) => {
                        prop_assert!(then > now, "{why}");
                        // Somebody may let it look again before.
                        let early = looks.next().map(|minutes| now + TimeDelta::minutes(minutes));
                        now = early.filter(|early| *early < then).unwrap_or(then);
                    }
                }
            }
            // Who is not settled in the end has had the last level, unless that comes before an invoice is due alone.
            if end.is_none() && days.last().is_some_and(|last| *last > 0) {
                let last = reached.last().and_then(|(level, _)| usize::try_from(*level).ok());
                prop_assert_eq!(last, Some(days.len()));
            }
        }
    }
}
