//! The times of the week at which a customer may be reached, on their own clock.
//!
//! Invariant: the first time from an instant on is never before it, and never earlier for a later one.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, Days, NaiveTime, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::moment;

/// How many days ahead a day of the window is looked for; a week has one.
const AHEAD: u64 = 8;

/// The times of the week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// From when in the day.
    pub from: NaiveTime,
    /// Until when; not at that time itself.
    pub until: NaiveTime,
    /// On which days; on all when there are none.
    #[serde(default)]
    pub days: Cow<'static, [Weekday]>,
}

impl Window {
    /// Whether it is open at `at` in a zone.
    #[must_use]
    pub fn is_open(&self, at: DateTime<Utc>, zone: Tz) -> bool {
        let local = at.with_timezone(&zone);
        let on = self.days.is_empty() || self.days.contains(&local.weekday());
        on && (self.from..self.until).contains(&local.time())
    }

    /// The first instant from `at` on at which it is open in a zone; none when it never is.
    #[must_use]
    pub fn first(&self, at: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        if self.is_open(at, zone) {
            return Some(at);
        }
        let today = at.with_timezone(&zone).date_naive();
        let days = (0..=AHEAD).filter_map(|days| today.checked_add_days(Days::new(days)));
        let openings = days.map(|day| moment::instant(day, self.from, zone));
        openings.filter(|opening| *opening > at).find(|opening| self.is_open(*opening, zone))
    }
}
