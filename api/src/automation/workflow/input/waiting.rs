//! What steps wait for, as it is given.

use async_graphql::{InputObject, OneofObject};
use entity::automation::workflow::definition::Wait;

use super::{ClockOf, DayInput};
use crate::scalar::{Duration, LocalTime};

/// How time passes.
#[derive(Clone, Debug, OneofObject)]
pub enum WaitInput {
    /// For a while.
    For(Duration),
    /// Until a clock next shows a time.
    Until(ClockInput),
    /// Until so many business days have passed.
    BusinessDays(BusinessDaysInput),
    /// Until some days before or after a day of the record. It goes on at once when that is over, or when there is none;
    /// when the day is moved while it waits, it waits for the new one.
    Date(DayInput),
}

/// When so many business days have passed: days from Monday to Friday that are no holidays.
#[derive(Clone, Debug, InputObject)]
pub struct BusinessDaysInput {
    /// How many after the day on which it begins to wait, up to 1000. For 0 it is the next time that the clock shows the
    /// time on a business day.
    #[graphql(default = 1)]
    pub days: u32,
    /// At what time.
    pub at: LocalTime,
    /// On whose clock.
    #[graphql(default_with = "ClockOf::Customer")]
    pub clock: ClockOf,
    /// In which country holidays count (`setHolidays`), as ISO 3166-1 alpha-2 such as `VN`. Where the customer's bills go,
    /// or else another address of theirs is, when absent; none where that is not known.
    pub country: Option<String>,
}

/// When a clock shows a time.
#[derive(Clone, Debug, InputObject)]
pub struct ClockInput {
    /// The time.
    pub at: LocalTime,
    /// On whose clock.
    #[graphql(default_with = "ClockOf::Customer")]
    pub clock: ClockOf,
}

/// What is waited for.
#[derive(Clone, Debug, InputObject)]
pub struct WaitForEventInput {
    /// Any of these kinds of events, such as `payment.recorded`.
    #[graphql(validator(max_items = 50))]
    pub kinds: Vec<String>,
    /// For how long.
    pub within: Duration,
    /// The key of the step that follows when it did not happen; the run ends when absent.
    pub otherwise: Option<String>,
}

impl WaitInput {
    pub(super) fn parse(self) -> Wait {
        match self {
            Self::For(time) => Wait::For(time.0.num_seconds()),
            Self::Until(ClockInput { at, clock }) => Wait::Until { at: at.0, zone: clock.into() },
            Self::BusinessDays(wait) => Wait::Business {
                days: wait.days,
                at: wait.at.0,
                zone: wait.clock.into(),
                country: wait.country.map(|country| country.trim().to_ascii_uppercase()),
            },
            Self::Date(DayInput { field, days, at, clock }) => {
                Wait::Date { field, days, at: at.0, zone: clock.into() }
            }
        }
    }
}
