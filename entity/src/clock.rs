//! The one source of time. Nobody else calls the system clock, so tests and simulations turn it by
//! hand, and all processes agree on it: the system clock is corrected by its offset to the database's.
//!
//! Invariant: an instant has microseconds at most, as PostgreSQL stores it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

/// A clock that is handed in. Clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    /// The system's clock plus an offset in microseconds.
    System { offset_us: AtomicI64 },
    /// Stands still until it is turned; microseconds since the epoch.
    Manual { now_us: AtomicI64 },
}

impl Clock {
    /// The real time.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Source::System { offset_us: AtomicI64::new(0) }))
    }

    /// A clock that shows `now` until somebody turns it.
    #[must_use]
    pub fn manual(now: DateTime<Utc>) -> Self {
        Self(Arc::new(Source::Manual { now_us: AtomicI64::new(now.timestamp_micros()) }))
    }

    /// The current instant, with microseconds.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match &*self.0 {
            Source::System { offset_us } => system_micros() + offset_us.load(Ordering::Relaxed),
            Source::Manual { now_us } => now_us.load(Ordering::Relaxed),
        };
        DateTime::from_timestamp_micros(micros).unwrap_or_default()
    }

    /// The calendar day it is in `zone`.
    #[must_use]
    pub fn today(&self, zone: Tz) -> NaiveDate {
        self.now().with_timezone(&zone).date_naive()
    }

    /// Turns a manual clock forward; the real time cannot be turned, so it stays.
    pub fn advance(&self, by: TimeDelta) {
        if let Source::Manual { now_us } = &*self.0 {
            now_us.fetch_add(by.num_microseconds().unwrap_or_default(), Ordering::Relaxed);
        }
    }

    /// Takes over `reference`, the database's clock, so that leases end for all processes at once.
    pub fn synchronise(&self, reference: DateTime<Utc>) {
        if let Source::System { offset_us } = &*self.0 {
            offset_us.store(reference.timestamp_micros() - system_micros(), Ordering::Relaxed);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is handed")]
fn system_micros() -> i64 {
    Utc::now().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_it_is_turned() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let same = clock.clone();
        clock.advance(TimeDelta::hours(20));
        assert_eq!(same.now(), DateTime::UNIX_EPOCH + TimeDelta::hours(20));
        assert_eq!(same.today(chrono_tz::Asia::Ho_Chi_Minh).to_string(), "1970-01-02");
        assert_eq!(same.today(chrono_tz::UTC).to_string(), "1970-01-01");
    }
}
