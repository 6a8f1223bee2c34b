//! What comes next for an invoice: a level, or a time before which none comes. A pure function: it reads no clock and no
//! database, so that a forecast and the real thing cannot differ.
//!
//! Invariant: levels come one after the other, each once, with so many days between them as the ladder says; none comes
//! while nothing may be asked for.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::ladder::{Ladder, amount_in};
use crate::automation::workflow::moment;
use crate::money::Money;

/// After how many days it is looked again for what nobody says the end of.
const LOOK_AGAIN: TimeDelta = TimeDelta::days(30);

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
    /// Whether its customer is asked for nothing.
    pub excluded: bool,
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
