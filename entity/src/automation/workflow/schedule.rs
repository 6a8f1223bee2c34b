//! When a schedule comes: the times of a cron pattern on the clocks of a zone.
//!
//! Invariant: each time of the pattern comes once on its local day, as [`moment`] says: where clocks are put forward
//! over it as late as the offset before says, and where they are put back over it at its first coming.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

use super::moment;

/// By how much clocks are moved at most, and some more.
const MARGIN: TimeDelta = TimeDelta::hours(26);

/// How far back the last time of a pattern is looked for, step by step: one of five years is a 29 February.
const BACK: [TimeDelta; 4] =
    [TimeDelta::hours(1), TimeDelta::days(1), TimeDelta::days(32), TimeDelta::days(1_827)];

/// A pattern of minutes, hours, days, months and days of the week.
///
/// # Errors
/// What it does not understand.
pub fn parse(pattern: &str) -> Result<Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).build();
    parser.parse(pattern).map_err(|error| error.to_string())
}

/// The zone whose clocks count: the organisation's where none is named.
#[must_use]
pub fn zone(named: Option<&str>, ours: Tz) -> Tz {
    named.and_then(|name| name.parse().ok()).unwrap_or(ours)
}

/// When the pattern comes after `since` and until `until`.
#[must_use]
pub fn between(
    cron: &Cron,
    zone: Tz,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> BTreeSet<DateTime<Utc>> {
    // What clocks show, as if there were no zones, so that the pattern is not bent by them.
    let shown = |instant: DateTime<Utc>| instant.with_timezone(&zone).naive_local();
    let end = shown(until) + MARGIN;
    let times = cron.iter_after(shown(since) - MARGIN).take_while(|time| *time <= end);
    let instants = times.map(|local| moment::instant(local.date(), local.time(), zone));
    instants.filter(|instant| *instant > since && *instant <= until).collect()
}

/// When the pattern came last after `since` and until `now`.
#[must_use]
pub fn last(
    cron: &Cron,
    zone: Tz,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    BACK.into_iter().find_map(|back| between(cron, zone, since.max(now - back), now).pop_last())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn times(pattern: &str, zone: Tz, since: &str, until: &str) -> Vec<String> {
        let instants = between(&parse(pattern).unwrap(), zone, at(since), at(until));
        instants.iter().map(|instant| instant.format("%dT%H:%M").to_string()).collect()
    }

    #[test]
    fn a_pattern_comes_by_the_clocks_of_its_zone() {
        let times = times(
            "0 9 * * MON",
            Tz::Asia__Ho_Chi_Minh,
            "2026-11-01T00:00:00Z",
            "2026-11-17T00:00:00Z",
        );
        assert_eq!(times, ["02T02:00", "09T02:00", "16T02:00"]);
    }

    #[test]
    fn a_time_that_clocks_skip_or_show_twice_comes_once() {
        let zone = Tz::Europe__Paris;
        let skipped = times("30 2 * * *", zone, "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z");
        assert_eq!(skipped, ["28T01:30", "29T01:30", "30T00:30"]);
        let twice = times("30 2 * * *", zone, "2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z");
        assert_eq!(twice, ["24T00:30", "25T00:30", "26T01:30"]);
    }

    #[test]
    fn of_what_was_missed_the_last_one_counts() {
        let daily = parse("0 9 * * *").unwrap();
        let zone = Tz::Asia__Ho_Chi_Minh;
        let missed = last(&daily, zone, at("2026-10-01T00:00:00Z"), at("2026-11-26T01:00:00Z"));
        assert_eq!(missed, Some(at("2026-11-25T02:00:00Z")));
        let none = last(&daily, zone, at("2026-11-25T02:00:00Z"), at("2026-11-26T01:59:00Z"));
        assert_eq!(none, None);
        let leap = last(
            &parse("0 0 29 2 *").unwrap(),
            Tz::UTC,
            at("2020-01-01T00:00:00Z"),
            at("2027-01-01T00:00:00Z"),
        );
        assert_eq!(leap, Some(at("2024-02-29T00:00:00Z")));
    }

    #[test]
    fn seconds_and_nonsense_are_no_patterns() {
        assert!(parse("*/5 * * * * *").is_err());
        assert!(parse("every monday").is_err());
    }
}
