//! When an appointment comes again: RFC 5545's RRULE, expanded on the clocks of its zone.
//!
//! Invariant: the start is the first occurrence, every occurrence is at the time of day of the start, and each comes
//! once. Zones play no part here: a local start becomes an instant by [`crate::automation::workflow::moment`], which
//! also says what becomes of times that clocks skip or show twice. A series is known for a hundred years from its
//! start.

mod rule;

#[cfg(test)]
mod reference;

use chrono::{Datelike, Months, NaiveDateTime, Timelike};
use rrule::{RRuleSet, Tz};

use self::rule::Rule;

/// For how many months a series is known.
const KNOWN: Months = Months::new(1_200);

/// How an appointment comes again: RFC 5545's RRULE, in floating local time.
///
/// A month or year that lacks the day is left out: the 31st comes in seven months of the year, and 29 February
/// every four years. `BYMONTHDAY=-1` is the last day of every month.
#[derive(Debug, Clone, PartialEq)]
pub struct Recurrence {
    start: NaiveDateTime,
    end: NaiveDateTime,
    rule: Rule,
    set: RRuleSet,
}

impl Recurrence {
    /// Parses what a person or program gave, such as `FREQ=WEEKLY;BYDAY=MO,WE;COUNT=10`, also with `RRULE:`
    /// before it, for an appointment that begins at `start`, to the second.
    ///
    /// # Errors
    /// What is wrong and what to do: a part is not understood, says something about the time of day, or does not
    /// go with another one; or the rule never comes, or not at its own start.
    pub fn parse(given: &str, start: NaiveDateTime) -> Result<Self, String> {
        Self::new(Rule::parse(given)?, start)
    }

    /// The form that is stored and sent: in large letters and a fixed order, without `DTSTART`, an end by `UNTIL`
    /// in local time (`20261231T235959`).
    #[must_use]
    pub fn rule(&self) -> String {
        self.rule.to_string()
    }

    /// The local starts from `from` on and before `until`, in order, at most `most` of them.
    #[must_use]
    pub fn between(
        &self,
        from: NaiveDateTime,
        until: NaiveDateTime,
        most: usize,
    ) -> Vec<NaiveDateTime> {
        let times = self.times().skip_while(|time| *time < from);
        times.take_while(|time| *time < until).take(most).collect()
    }

    /// The first local start from `from` on.
    #[must_use]
    pub fn next(&self, from: NaiveDateTime) -> Option<NaiveDateTime> {
        self.times().find(|time| *time >= from)
    }

    /// The last local start; `None` when it goes on without end.
    #[must_use]
    pub fn last(&self) -> Option<NaiveDateTime> {
        if self.rule.count.is_none() && self.rule.until.is_none() {
            return None;
        }
        self.times().last()
    }

    /// Whether it comes at that local time.
    #[must_use]
    pub fn contains(&self, at: NaiveDateTime) -> bool {
        self.next(at) == Some(at)
    }

    /// The same, ending before `at`, where "this and following" splits a series; `None` when nothing is left.
    #[must_use]
    pub fn until_before(&self, at: NaiveDateTime) -> Option<Self> {
        let last = self.times().take_while(|time| *time < at).last()?;
        if self.last() == Some(last) {
            return Some(self.clone());
        }
        Self::new(self.rule.ending(None, Some(last)), self.start).ok()
    }

    /// The same rule for a series that begins at `at`, with what is left of its `COUNT`; `None` when it does not
    /// come at `at`.
    #[must_use]
    pub fn from(&self, at: NaiveDateTime) -> Option<Self> {
        if !self.contains(at) {
            return None;
        }
        let before = self.times().take_while(|time| *time < at).count();
        let left = |count| u32::try_from(before).map_or(0, |before| count - before);
        Self::new(self.rule.ending(self.rule.count.map(left), self.rule.until), at).ok()
    }

    fn new(mut rule: Rule, start: NaiveDateTime) -> Result<Self, String> {
        let start = start.with_nanosecond(0).unwrap_or(start);
        let end =
            start.checked_add_months(KNOWN).filter(|_| (1_900..3_000).contains(&start.year()));
        let end = end.ok_or("begin what comes again between the years 1900 and 2999")?;
        if rule.until.is_some_and(|until| until < start) {
            return Err("UNTIL is before the start; choose a later one".to_owned());
        }
        rule.complete(start);
        let set = rule.build().build(start.and_utc().with_timezone(&Tz::UTC));
        let set = set.map_err(|error| format!("change the recurrence: {error}"))?.limit();
        let recurrence = Self { start, end, rule, set };
        let first = recurrence.times().next();
        match first {
            Some(first) if first == start => Ok(recurrence),
            Some(first) => Err(format!(
                "the recurrence does not come at its own start; begin at {}, or change the rule",
                first.format("%Y-%m-%d %H:%M")
            )),
            None => Err("the recurrence never comes; choose days that there are".to_owned()),
        }
    }

    fn times(&self) -> impl Iterator<Item = NaiveDateTime> {
        let times = self.set.into_iter().map(|time| time.naive_utc());
        let end = self.end;
        times.take_while(move |time| *time < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
    }

    fn parse(rule: &str, start: &str) -> Recurrence {
        Recurrence::parse(rule, at(start)).unwrap()
    }

    fn days(recurrence: &Recurrence, most: usize) -> Vec<String> {
        let times = recurrence.between(NaiveDateTime::MIN, NaiveDateTime::MAX, most);
        times.iter().map(|time| time.format("%y-%m-%d").to_string()).collect()
    }

    fn refusal(rule: &str, start: &str) -> String {
        Recurrence::parse(rule, at(start)).unwrap_err()
    }

    #[test]
    fn a_rule_comes_at_the_time_of_its_start() {
        let weekly = parse("rrule:freq=weekly;byday=we,mo;count=4", "2026-11-30 09:15");
        assert_eq!(days(&weekly, 9), ["26-11-30", "26-12-02", "26-12-07", "26-12-09"]);
        assert_eq!(weekly.rule(), "FREQ=WEEKLY;COUNT=4;BYDAY=MO,WE");
        assert_eq!(weekly.last(), Some(at("2026-12-09 09:15")));
        assert_eq!(weekly.next(at("2026-12-02 09:16")), Some(at("2026-12-07 09:15")));
        assert!(weekly.contains(at("2026-12-07 09:15")));
        assert!(!weekly.contains(at("2026-12-07 09:16")));
        assert_eq!(weekly.between(at("2026-12-02 09:15"), at("2026-12-07 09:15"), 9).len(), 1);
    }

    #[test]
    fn a_month_without_the_day_is_left_out() {
        let monthly = parse("FREQ=MONTHLY", "2026-01-31 09:00");
        assert_eq!(days(&monthly, 3), ["26-01-31", "26-03-31", "26-05-31"]);
        let last = parse("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-01-31 09:00");
        assert_eq!(days(&last, 3), ["26-01-31", "26-02-28", "26-03-31"]);
        let leap = parse("FREQ=YEARLY", "2028-02-29 09:00");
        assert_eq!(days(&leap, 2), ["28-02-29", "32-02-29"]);
    }

    #[test]
    fn numbered_days_and_positions_count_within_the_month() {
        let first = parse("FREQ=MONTHLY;BYDAY=+1MO", "2026-12-07 09:00");
        assert_eq!(first.rule(), "FREQ=MONTHLY;BYDAY=1MO");
        assert_eq!(days(&first, 2), ["26-12-07", "27-01-04"]);
        let working = parse("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-11-30 09:00");
        assert_eq!(days(&working, 3), ["26-11-30", "26-12-31", "27-01-29"]);
        let week = parse("FREQ=YEARLY;BYWEEKNO=20", "2026-05-13 09:00");
        assert_eq!(week.rule(), "FREQ=YEARLY;BYWEEKNO=20;BYDAY=WE");
        assert_eq!(days(&week, 2), ["26-05-13", "27-05-19"]);
    }

    #[test]
    fn until_is_the_last_local_moment_that_counts() {
        for until in ["20261203", "20261203T090000", "20261203T090000Z", "20261203Z"] {
            let daily =
                Recurrence::parse(&format!("FREQ=DAILY;UNTIL={until}"), at("2026-12-01 09:00"));
            if until == "20261203Z" {
                assert!(daily.unwrap_err().contains("write UNTIL as a day"));
            } else {
                assert_eq!(days(&daily.unwrap(), 9), ["26-12-01", "26-12-02", "26-12-03"]);
            }
        }
        let daily = parse("FREQ=DAILY;UNTIL=20261203T085959", "2026-12-01 09:00");
        assert_eq!(daily.last(), Some(at("2026-12-02 09:00")));
    }

    #[test]
    fn a_series_splits_in_two_that_together_are_the_same() {
        for rule in ["FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;COUNT=9", "FREQ=DAILY;UNTIL=20270301"] {
            let whole = parse(rule, "2026-12-01 09:00");
            let all = days(&whole, 99);
            let split = whole.between(NaiveDateTime::MIN, NaiveDateTime::MAX, 4)[3];
            let (before, after) = (whole.until_before(split).unwrap(), whole.from(split).unwrap());
            assert_eq!([days(&before, 99), days(&after, 99)].concat(), all);
            let end = at("2030-01-01 00:00");
            assert_eq!(whole.until_before(end).unwrap(), whole);
            assert_eq!(whole.until_before(at("2026-12-01 09:00")), None);
            assert_eq!(whole.from(end), None);
        }
    }

    #[test]
    fn a_series_without_end_is_known_for_a_hundred_years() {
        let daily = parse("FREQ=DAILY", "2026-12-01 09:00");
        assert_eq!(daily.last(), None);
        assert_eq!(daily.next(at("2126-11-30 09:00")), Some(at("2126-11-30 09:00")));
        assert_eq!(daily.next(at("2126-12-01 09:00")), None);
    }

    #[test]
    fn what_never_comes_or_not_at_its_start_is_refused() {
        let never = refusal("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31", "2026-11-30 09:00");
        assert_eq!(never, "the recurrence never comes; choose days that there are");
        assert!(
            refusal("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31", "2026-11-30 09:00").contains("never")
        );
        let other = refusal("FREQ=WEEKLY;BYDAY=MO", "2026-12-01 09:00");
        assert_eq!(
            other,
            "the recurrence does not come at its own start; begin at 2026-12-07 09:00, or change the rule"
        );
    }

    #[test]
    fn a_rule_that_says_too_much_is_refused() {
        for (rule, because) in [
            ("", "say how often"),
            ("FREQ=HOURLY", "say how often"),
            ("FREQ=DAILY;BYHOUR=9", "leave BYHOUR out"),
            ("FREQ=DAILY;BYEASTER=1", "leave BYEASTER out"),
            ("FREQ=DAILY;RSCALE=CHINESE", "leave it out"),
            ("FREQ=DAILY;COUNT=0", "COUNT goes from 1 to 1000"),
            ("FREQ=DAILY;COUNT=1001", "COUNT goes from 1 to 1000"),
            ("FREQ=DAILY;INTERVAL=0", "INTERVAL goes from 1 to 1000"),
            ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "give one of them"),
            ("FREQ=DAILY;COUNT=2;COUNT=2", "give it once"),
            ("FREQ=DAILY;UNTIL=20260101", "choose a later one"),
            ("FREQ=DAILY;UNTIL=20260230", "write UNTIL as a day"),
            ("FREQ=WEEKLY;BYDAY=2MO", "without the number"),
            ("FREQ=MONTHLY;BYDAY=MO,2TU", "use one kind"),
            ("FREQ=MONTHLY;BYMONTHDAY=0", "leave 0 out"),
            ("FREQ=MONTHLY;BYSETPOS=1", "say among which"),
            ("FREQ=DAILY\nEXDATE:20261201", "say how often"),
        ] {
            let refusal = refusal(rule, "2026-11-30 09:00");
            assert!(refusal.contains(because), "{rule}: {refusal}");
        }
        let long = format!("FREQ=DAILY;BYMONTH={}", "1,".repeat(250));
        assert!(refusal(&long, "2026-11-30 09:00").contains("shorter"));
        assert!(Recurrence::parse("FREQ=DAILY", NaiveDateTime::MAX).is_err());
    }
}
