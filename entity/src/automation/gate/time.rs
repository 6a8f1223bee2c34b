//! Rules about when something may reach a customer: at which times, on which days, and how much of it.
//!
//! Invariant: the next time that a rule allows is never before the one that it is asked about, and never earlier for a
//! later one, so that the earliest time that several of them allow is found by asking them in turn.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::policy::{Cap, Hours};
use super::{Code, Facts, Finding, Looked, Rule};
use crate::automation::message::Reason;
use crate::automation::workflow::moment;
use crate::automation::workflow::window::Window;

/// A rule about when.
pub(super) struct Timed<'a> {
    /// The reason that it gives.
    pub reason: Reason,
    /// What it compares.
    pub kind: Kind<'a>,
    /// Whether it only warns.
    pub warns: bool,
    /// Whose it is.
    pub pack: Option<String>,
}

/// What a rule compares.
pub(super) enum Kind<'a> {
    /// The time of day.
    Hours(&'a Hours),
    /// The day.
    Holidays,
    /// How much has gone already.
    Cap(&'a Cap),
}

impl Timed<'_> {
    /// The first instant from `at` on that it allows; none when there is none near.
    pub fn next(&self, facts: &Facts, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.kind {
            Kind::Hours(hours) => in_all(&facts.zones, at, |zone, at| hours.window.first(at, zone)),
            Kind::Holidays => {
                in_all(&facts.zones, at, |zone, at| working(&facts.holidays, zone, at))
            }
            Kind::Cap(cap) => room(cap, facts, at),
        }
    }

    /// What came of looking at it at `now`.
    pub fn looked(&self, facts: &Facts, now: DateTime<Utc>) -> Looked {
        let until = self.next(facts, now).filter(|next| *next > now);
        let holds = self.next(facts, now) != Some(now);
        let finding = match (holds, self.warns, until) {
            (false, ..) => Finding::Passed,
            (true, true, _) => Finding::Warned,
            (true, false, Some(_)) => Finding::Deferred,
            (true, false, None) => Finding::Suppressed,
        };
        let (rule, detail) = match self.kind {
            Kind::Hours(hours) => {
                let local = facts.zones.iter().map(|zone| {
                    format!("{} in {zone}", now.with_timezone(zone).format("%a %H:%M"))
                });
                let local = local.collect::<Vec<_>>().join(", ");
                let Window { from, until, .. } = &hours.window;
                let (from, until) = (from.format("%H:%M"), until.format("%H:%M"));
                (Rule::Hours, format!("from {from} to {until}; it is {local}"))
            }
            Kind::Holidays => (Rule::Holiday, "on days on which people work".to_owned()),
            Kind::Cap(cap) => {
                let within = TimeDelta::seconds(cap.within_s);
                let gone = times(cap, facts, now).len();
                let hours = within.num_hours();
                (Rule::Cap, format!("at most {} in {hours} hours; {gone} have gone", cap.most))
            }
        };
        Looked {
            rule,
            finding,
            reason: holds.then_some(Code(self.reason)),
            until,
            detail,
            pack: self.pack.clone(),
        }
    }
}

/// The first instant from `at` on that is right in all zones, where `next` gives the first one in a zone.
fn in_all(
    zones: &[Tz],
    at: DateTime<Utc>,
    next: impl Fn(Tz, DateTime<Utc>) -> Option<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    let mut until = at;
    loop {
        let before = until;
        for zone in zones {
            until = next(*zone, until)?;
        }
        if until == before {
            return Some(until);
        }
        if until - at > super::FARTHEST {
            return None;
        }
    }
}

/// The first instant from `at` on at which it is no holiday in a zone.
fn working(holidays: &[NaiveDate], zone: Tz, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let today = at.with_timezone(&zone).date_naive();
    if !holidays.contains(&today) {
        return Some(at);
    }
    let mut day = today;
    while holidays.contains(&day) {
        day = day.succ_opt()?;
    }
    Some(moment::instant(day, NaiveTime::MIN, zone).max(at))
}

/// When what counts towards a cap has gone, within its time before `at`, the oldest first.
fn times(cap: &Cap, facts: &Facts, at: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let since = at - TimeDelta::seconds(cap.within_s);
    let counted = facts.sent.iter().filter(|sent| {
        cap.concern.has_parts(sent.class, sent.channel) && sent.at > since && sent.at <= at
    });
    let mut times = counted.map(|sent| sent.at).collect::<Vec<_>>();
    times.sort_unstable();
    times
}

/// The first instant from `at` on at which a cap has room.
fn room(cap: &Cap, facts: &Facts, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let most = usize::try_from(cap.most).unwrap_or(usize::MAX);
    if most == 0 {
        return None;
    }
    let mut until = at;
    loop {
        let gone = times(cap, facts, until);
        match gone.len().checked_sub(most).and_then(|over| gone.get(over)) {
            // The window is open on its older side, so that what is as old as it does not count.
            Some(oldest) => until = *oldest + TimeDelta::seconds(cap.within_s),
            None => return Some(until),
        }
    }
}
