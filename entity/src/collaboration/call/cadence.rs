//! What follows on each outcome of a call, as data: whether it is tried again, and when.
//!
//! Invariant: nobody is planned to be called outside the window, nor more often than the cadence says unless they
//! asked for it.

use std::borrow::Cow;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;

use super::Outcome;
use crate::automation::workflow::moment;
use crate::automation::workflow::window::Window;

/// How somebody is called until they are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// How many calls there are at most, one after the other.
    pub most: usize,
    /// How long after the end of the first one there may be another one.
    pub within: TimeDelta,
    /// When there may be calls.
    pub window: Window,
    /// Where the day is parted: who was not reached before is tried after it, and the other way round.
    pub noon: NaiveTime,
    /// What follows on each outcome; nothing on those that are missing.
    pub rules: &'static [(Outcome, Rule)],
}

/// What follows on an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is tried again.
    Retry(Retry),
    /// There is a call when they asked for it.
    AsAsked,
    /// There is no call before somebody has found the right number.
    FindNumber,
}

/// When it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// What passes after the first call that ended so, after the second one, and so on; the last one stands for all
    /// that follow.
    pub pauses: &'static [Pause],
    /// Which calls that ended so are counted.
    pub counted: Counted,
    /// How many calls may end so before it is given up; as many as there are at all when absent.
    pub most: Option<usize>,
}

/// Which calls are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// All, one after the other.
    All,
    /// Those of the same day on the clock of who is called.
    OfTheDay,
}

/// What passes between two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// A while.
    For(TimeDelta),
    /// So many days: it is the same time then.
    Days(u64),
    /// The night: it is another time of the day then.
    OtherDaypart,
}

/// A call that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// With what.
    pub outcome: Outcome,
    /// When that was known.
    pub at: DateTime<Utc>,
}

/// What follows on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another one, then.
    Call(DateTime<Utc>),
    /// Somebody has to find the right number.
    FindNumber,
    /// Nothing: it has reached what it was for, was refused, or is given up.
    Nothing,
}

const fn hour(hour: u32) -> NaiveTime {
    match NaiveTime::from_hms_opt(hour, 0, 0) {
        Some(time) => time,
        None => NaiveTime::MIN,
    }
}

const NOT_REACHED: Rule = Rule::Retry(Retry {
    pauses: &[Pause::For(TimeDelta::hours(2)), Pause::OtherDaypart, Pause::Days(3)],
    counted: Counted::All,
    most: None,
});

/// The cadence of all calls.
pub static USUAL: Cadence = Cadence {
    most: 6,
    within: TimeDelta::days(14),
    window: Window {
        from: hour(8),
        until: hour(17),
        days: Cow::Borrowed(&[
            Weekday::Mon,
            Weekday::Tue,
            Weekday::Wed,
            Weekday::Thu,
            Weekday::Fri,
        ]),
    },
    noon: hour(12),
    rules: &[
        (Outcome::NoAnswer, NOT_REACHED),
        (Outcome::ThirdPartyAnswered, NOT_REACHED),
        (
            Outcome::Busy,
            Rule::Retry(Retry {
                pauses: &[
                    Pause::For(TimeDelta::minutes(15)),
                    Pause::For(TimeDelta::minutes(15)),
                    Pause::OtherDaypart,
                ],
                counted: Counted::OfTheDay,
                most: None,
            }),
        ),
        (
            Outcome::Voicemail,
            Rule::Retry(Retry { pauses: &[Pause::Days(1)], counted: Counted::All, most: Some(2) }),
        ),
        (Outcome::Callback, Rule::AsAsked),
        (Outcome::WrongNumber, Rule::FindNumber),
    ],
};

impl Cadence {
    /// What follows on the last of `attempts`, which are in their order, to somebody in `zone` who asked to be called
    /// at `asked`, if they did.
    #[must_use]
    pub fn next(&self, attempts: &[Attempt], asked: Option<DateTime<Utc>>, zone: Tz) -> Next {
        let (Some(first), Some(last)) = (attempts.first(), attempts.last()) else {
            return Next::Nothing;
        };
        let Some((_, rule)) = self.rules.iter().find(|(outcome, _)| *outcome == last.outcome)
        else {
            return Next::Nothing;
        };
        let retry = match rule {
            Rule::FindNumber => return Next::FindNumber,
            Rule::AsAsked => {
                let asked = asked.unwrap_or(last.at).max(last.at);
                return self.window.first(asked, zone).map_or(Next::Nothing, Next::Call);
            }
            Rule::Retry(retry) => retry,
        };
        let day = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
        let alike = attempts.iter().filter(|attempt| attempt.outcome == last.outcome);
        let count = match retry.counted {
            Counted::All => alike.count(),
            Counted::OfTheDay => alike.filter(|attempt| day(attempt.at) == day(last.at)).count(),
        };
        let is_enough = retry.most.is_some_and(|most| count >= most);
        if is_enough || attempts.len() >= self.most {
            return Next::Nothing;
        }
        let pause = retry.pauses.get(count - 1).or(retry.pauses.last());
        let next =
            pause.and_then(|pause| self.window.first(self.after(last.at, *pause, zone), zone));
        match next.filter(|next| *next - first.at <= self.within) {
            Some(next) => Next::Call(next),
            None => Next::Nothing,
        }
    }

    /// When `pause` is over that begins at `at`.
    fn after(&self, at: DateTime<Utc>, pause: Pause, zone: Tz) -> DateTime<Utc> {
        let local = at.with_timezone(&zone).naive_local();
        let (days, time) = match pause {
            Pause::For(while_) => return at + while_,
            Pause::Days(days) => (days, local.time()),
            Pause::OtherDaypart if local.time() < self.noon => (1, self.noon),
            Pause::OtherDaypart => (1, self.window.from),
        };
        let day = local.date().checked_add_days(chrono::Days::new(days));
        day.map_or(at, |day| moment::instant(day, time, zone))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HANOI: Tz = Tz::Asia__Ho_Chi_Minh;

    /// The next call, on the clock in Hanoi, after calls there that ended with these outcomes.
    fn next(attempts: &[(&str, Outcome)], asked: Option<&str>) -> String {
        let at = |text: &str| format!("{text}+07:00").parse::<DateTime<Utc>>().unwrap();
        let attempts =
            attempts.iter().map(|(time, outcome)| Attempt { outcome: *outcome, at: at(time) });
        match USUAL.next(&attempts.collect::<Vec<_>>(), asked.map(at), HANOI) {
            Next::Call(at) => at.with_timezone(&HANOI).format("%a %d %H:%M").to_string(),
            Next::FindNumber => "find the number".to_owned(),
            Next::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn who_does_not_answer_is_called_at_other_times() {
        use Outcome::NoAnswer;
        // 3 November 2026 is a Tuesday.
        let mut calls = vec![("2026-11-03T09:00:00", NoAnswer)];
        assert_eq!(next(&calls, None), "Tue 03 11:00");
        calls.push(("2026-11-03T11:00:00", NoAnswer));
        assert_eq!(next(&calls, None), "Wed 04 12:00");
        calls.push(("2026-11-04T12:00:00", NoAnswer));
        assert_eq!(next(&calls, None), "Mon 09 08:00");
        calls.push(("2026-11-09T08:00:00", NoAnswer));
        assert_eq!(next(&calls, None), "Thu 12 08:00");
        calls.push(("2026-11-12T08:00:00", NoAnswer));
        assert_eq!(next(&calls, None), "Mon 16 08:00");
        calls.push(("2026-11-16T08:00:00", NoAnswer));
        assert_eq!(next(&calls, None), "nothing");
    }

    #[test]
    fn who_was_tried_in_the_afternoon_is_tried_in_the_morning() {
        let calls = [
            ("2026-11-06T13:00:00", Outcome::NoAnswer),
            ("2026-11-06T15:30:00", Outcome::NoAnswer),
        ];
        assert_eq!(next(&calls, None), "Mon 09 08:00");
    }

    #[test]
    fn nobody_is_called_in_the_evening_or_at_the_weekend() {
        assert_eq!(next(&[("2026-11-03T15:30:00", Outcome::NoAnswer)], None), "Wed 04 08:00");
        assert_eq!(next(&[("2026-11-06T16:50:00", Outcome::Busy)], None), "Mon 09 08:00");
        assert_eq!(next(&[("2026-11-03T14:45:00", Outcome::NoAnswer)], None), "Tue 03 16:45");
    }

    #[test]
    fn a_busy_line_is_tried_three_times_a_day() {
        use Outcome::Busy;
        let mut calls = vec![("2026-11-03T09:00:00", Busy)];
        assert_eq!(next(&calls, None), "Tue 03 09:15");
        calls.push(("2026-11-03T09:15:00", Busy));
        assert_eq!(next(&calls, None), "Tue 03 09:30");
        calls.push(("2026-11-03T09:30:00", Busy));
        assert_eq!(next(&calls, None), "Wed 04 12:00");
        calls.push(("2026-11-04T12:00:00", Busy));
        assert_eq!(next(&calls, None), "Wed 04 12:15");
    }

    #[test]
    fn nobody_finds_three_messages() {
        let mut calls = vec![("2026-11-03T09:00:00", Outcome::Voicemail)];
        assert_eq!(next(&calls, None), "Wed 04 09:00");
        calls.push(("2026-11-04T09:00:00", Outcome::Voicemail));
        assert_eq!(next(&calls, None), "nothing");
    }

    #[test]
    fn who_asks_for_a_call_gets_it_however_often_they_were_called() {
        let calls = [("2026-11-03T09:00:00", Outcome::Callback); 9];
        assert_eq!(next(&calls, Some("2026-12-01T10:30:00")), "Tue 01 10:30");
        assert_eq!(next(&calls, Some("2026-12-01T19:00:00")), "Wed 02 08:00");
    }

    #[test]
    fn a_wrong_number_is_not_called_again() {
        assert_eq!(next(&[("2026-11-03T09:00:00", Outcome::WrongNumber)], None), "find the number");
    }

    #[test]
    fn nobody_is_called_who_was_reached_or_does_not_want_it() {
        use Outcome::{Answered, Dispute, DoNotCall, NotInterested, PromiseToPay};
        for outcome in [Answered, PromiseToPay, Dispute, NotInterested, DoNotCall] {
            assert_eq!(next(&[("2026-11-03T09:00:00", outcome)], None), "nothing");
        }
    }

    #[test]
    fn it_is_given_up_after_a_fortnight() {
        let calls = [
            ("2026-11-03T09:00:00", Outcome::NoAnswer),
            ("2026-11-17T09:00:00", Outcome::NoAnswer),
        ];
        assert_eq!(next(&calls, None), "nothing");
    }

    proptest! {
        #[test]
        fn a_chain_of_calls_ends_and_keeps_to_the_window(
            start in 1_700_000_000_i64..2_000_000_000,
            outcomes in prop::collection::vec(prop::sample::select(vec![
                Outcome::NoAnswer, Outcome::Busy, Outcome::Voicemail, Outcome::ThirdPartyAnswered,
            ]), 12),
            late in prop::collection::vec(0_i64..7_200, 12),
            zone in prop::sample::select(vec![
                Tz::Europe__Paris, Tz::America__New_York, HANOI, Tz::Australia__Lord_Howe, Tz::Africa__Casablanca,
            ]),
        ) {
            let mut attempts = Vec::new();
            let mut at = DateTime::from_timestamp(start, 0).unwrap();
            for (outcome, late) in outcomes.into_iter().zip(late) {
                attempts.push(Attempt { outcome, at });
                let Next::Call(next) = USUAL.next(&attempts, None, zone) else { break };
                prop_assert!(USUAL.window.is_open(next, zone));
                prop_assert!(next > at && next - attempts[0].at <= USUAL.within);
                at = next + TimeDelta::seconds(late);
            }
            prop_assert!(attempts.len() <= USUAL.most);
            let busy = |day| attempts.iter().filter(|attempt| {
                attempt.outcome == Outcome::Busy && attempt.at.with_timezone(&zone).date_naive() == day
            }).count();
            for attempt in &attempts {
                prop_assert!(busy(attempt.at.with_timezone(&zone).date_naive()) <= 3);
            }
        }
    }
}
