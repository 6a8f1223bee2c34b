//! When people may be called.

use chrono::{DateTime, Datelike, NaiveTime, Utc, Weekday};
use chrono_tz::Tz;

use crate::automation::workflow::moment;

/// How many days ahead a day with calls is looked for; a week has one.
const AHEAD: usize = 8;

/// The times of the week at which there are calls, on the clock of who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From when in the day.
    pub opens: NaiveTime,
    /// Until when; no call begins then or later.
    pub closes: NaiveTime,
    /// On which days.
    pub days: &'static [Weekday],
}

impl Window {
    /// The first instant from `from` on at which there may be a call to somebody in `zone`.
    #[must_use]
    pub fn first(&self, from: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        let days = from.with_timezone(&zone).date_naive().iter_days().take(AHEAD);
        let mut open = days.filter(|day| self.days.contains(&day.weekday())).filter_map(|day| {
            let opens = moment::instant(day, self.opens, zone);
            let closes = moment::instant(day, self.closes, zone);
            (from < closes).then(|| from.max(opens))
        });
        open.next().unwrap_or(from)
    }

    /// Whether there may be a call at `at` to somebody in `zone`.
    #[must_use]
    pub fn contains(&self, at: DateTime<Utc>, zone: Tz) -> bool {
        self.first(at, zone) == at
    }
}
