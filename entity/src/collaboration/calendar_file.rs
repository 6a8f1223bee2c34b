//! Appointments as iCalendar text (RFC 5545 and 5546), which calendars subscribe to and mail programs answer.
//!
//! Invariant: what people wrote stays inside the property it is written in, and the same values give the same text.
//! An appointment that does not come again is written in UTC; one that does, by the clocks of its zone, which the
//! text describes once.

mod line;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use vtimezones_rs::VTIMEZONES;

use self::line::Lines;
use crate::automation::workflow::moment;

/// What descriptions of zones have only since RFC 7808, at which some readers stop.
const NEWER: [&str; 2] = ["TZUNTIL", "TZID-ALIAS-OF"];

/// What the reader is to do with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Show it. Those who take part are left out, as the standard demands.
    Publish,
    /// Answer it: an invitation, or a change to one.
    Request,
    /// Strike it out.
    Cancel,
}

/// When an appointment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// At a time of day.
    Timed {
        /// What clocks in the zone show when it begins.
        start: NaiveDateTime,
        /// How long it takes.
        minutes: i64,
        /// Whose clocks count.
        zone: Tz,
    },
    /// All day, whatever the zone of the reader.
    Days {
        /// The first day.
        first: NaiveDate,
        /// How many days, at least one.
        days: i64,
    },
}

/// Whether an appointment takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Confirmed,
    /// It may.
    Tentative,
    /// It does not.
    Cancelled,
}

/// What somebody who is invited answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet.
    NeedsAction,
    /// They come.
    Accepted,
    /// They do not come.
    Declined,
    /// They may come.
    Tentative,
}

/// Somebody who is invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attendee {
    /// What they are called.
    pub name: String,
    /// Their address, by which programs know them.
    pub email: String,
    /// What they answered.
    pub status: Answer,
    /// Whether it goes on without them.
    pub optional: bool,
}

/// An appointment, a series of them, or one occurrence of a series that differs from the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The same for ever, and for all occurrences of a series.
    pub uid: String,
    /// How often it was changed such that people have to know, from 0.
    pub sequence: i32,
    /// When it is; of a series, its first occurrence.
    pub when: When,
    /// How it comes again, as [`super::recurrence::Recurrence::rule`] says it.
    pub rule: Option<String>,
    /// The local starts of occurrences that are left out.
    pub except: Vec<NaiveDateTime>,
    /// The local start that this occurrence of a series had by the rule.
    pub original: Option<NaiveDateTime>,
    /// The zone of the series that `original` is of; none when the series is of whole days.
    pub series_zone: Option<Tz>,
    /// The title.
    pub subject: String,
    /// More about it.
    pub description: Option<String>,
    /// Where it is.
    pub location: Option<String>,
    /// Whether it takes place; with [`Method::Cancel`] it never does.
    pub status: Status,
    /// The name and the address of whoever invites.
    pub organizer: Option<(String, String)>,
    /// Who is invited.
    pub attendees: Vec<Attendee>,
    /// When this state of it came to be.
    pub stamp: DateTime<Utc>,
    /// How long before the start the reader's program reminds of it, in seconds; negative is after it.
    pub alarms_before_s: Vec<i32>,
}

/// The text of a calendar, which may have a name, with all of `entries` in their order.
#[must_use]
pub fn calendar(name: Option<&str>, method: Method, entries: &[Entry]) -> String {
    let mut lines = Lines::default();
    lines.add("BEGIN:VCALENDAR");
    lines.add("VERSION:2.0");
    lines.add("PRODID:-//Rapport//EN");
    lines.add("CALSCALE:GREGORIAN");
    lines.add(match method {
        Method::Publish => "METHOD:PUBLISH",
        Method::Request => "METHOD:REQUEST",
        Method::Cancel => "METHOD:CANCEL",
    });
    if let Some(name) = name {
        lines.text("NAME", name);
        lines.text("X-WR-CALNAME", name);
    }
    for described in zones(entries).values() {
        let body = described.lines().skip_while(|line| *line != "BEGIN:VTIMEZONE");
        let body = body.take_while(|line| *line != "END:VCALENDAR");
        let known = body.filter(|line| !NEWER.iter().any(|newer| line.starts_with(newer)));
        known.for_each(|line| lines.add(line));
    }
    for entry in entries {
        entry.write(method, &mut lines);
    }
    lines.add("END:VCALENDAR");
    lines.finish()
}

/// The descriptions of the zones that are named, by their names.
fn zones(entries: &[Entry]) -> BTreeMap<&'static str, &'static str> {
    let zones = entries.iter().flat_map(|entry| {
        let of_series = entry.series_zone.filter(|_| entry.original.is_some());
        [entry.named_zone(), of_series]
    });
    let names = zones.flatten().map(Tz::name);
    names.filter_map(|name| VTIMEZONES.get(name).map(|described| (name, *described))).collect()
}

impl Entry {
    /// The zone by whose clocks it comes again.
    fn named_zone(&self) -> Option<Tz> {
        match self.when {
            When::Timed { zone, .. } if self.rule.is_some() => Some(zone),
            When::Timed { .. } | When::Days { .. } => None,
        }
    }

    fn write(&self, method: Method, lines: &mut Lines) {
        lines.add("BEGIN:VEVENT");
        lines.text("UID", &self.uid);
        lines.add(&format!("DTSTAMP:{}", utc(self.stamp)));
        lines.add(&format!("SEQUENCE:{}", self.sequence.max(0)));
        self.write_when(lines);
        lines.text("SUMMARY", &self.subject);
        if let Some(description) = &self.description {
            lines.text("DESCRIPTION", description);
        }
        if let Some(location) = &self.location {
            lines.text("LOCATION", location);
        }
        let cancelled = method == Method::Cancel || self.status == Status::Cancelled;
        lines.add(match self.status {
            _ if cancelled => "STATUS:CANCELLED",
            Status::Tentative => "STATUS:TENTATIVE",
            Status::Confirmed | Status::Cancelled => "STATUS:CONFIRMED",
        });
        if let Some((name, email)) = &self.organizer {
            lines.person("ORGANIZER", name, email);
        }
        if method != Method::Publish {
            self.attendees.iter().for_each(|attendee| attendee.write(lines));
        }
        if !cancelled {
            self.alarms_before_s.iter().for_each(|before| self.write_alarm(*before, lines));
        }
        lines.add("END:VEVENT");
    }

    fn write_when(&self, lines: &mut Lines) {
        match self.when {
            When::Timed { start, minutes, zone } if self.rule.is_some() => {
                lines.add(&at("DTSTART", start, Some(zone)));
                // An end on the clocks would make it longer or shorter where they are changed.
                lines.add(&format!("DURATION:PT{}M", minutes.max(0)));
            }
            When::Timed { start, minutes, zone } => {
                let start = moment::instant(start.date(), start.time(), zone);
                let end = TimeDelta::try_minutes(minutes.max(0))
                    .and_then(|long| start.checked_add_signed(long));
                lines.add(&format!("DTSTART:{}", utc(start)));
                lines.add(&format!("DTEND:{}", utc(end.unwrap_or(start))));
            }
            When::Days { first, days } => {
                let days = Days::new(days.max(1).unsigned_abs());
                let end = first.checked_add_days(days).unwrap_or(first);
                lines.add(&at("DTSTART", first.into(), None));
                lines.add(&at("DTEND", end.into(), None));
            }
        }
        if let Some(rule) = &self.rule {
            let zone = self.named_zone();
            lines.add(&format!("RRULE:{}", sent(rule, zone)));
            self.except.iter().for_each(|start| lines.add(&at("EXDATE", *start, zone)));
        }
        if let Some(original) = self.original {
            lines.add(&at("RECURRENCE-ID", original, self.series_zone));
        }
    }

    fn write_alarm(&self, before_s: i32, lines: &mut Lines) {
        let sign = if before_s > 0 { "-" } else { "" };
        lines.add("BEGIN:VALARM");
        lines.add("ACTION:DISPLAY");
        lines.text("DESCRIPTION", &self.subject);
        lines.add(&format!("TRIGGER:{sign}PT{}S", before_s.unsigned_abs()));
        lines.add("END:VALARM");
    }
}

impl Attendee {
    fn write(&self, lines: &mut Lines) {
        let role = if self.optional { "OPT-PARTICIPANT" } else { "REQ-PARTICIPANT" };
        let status = match self.status {
            Answer::NeedsAction => "NEEDS-ACTION;RSVP=TRUE",
            Answer::Accepted => "ACCEPTED",
            Answer::Declined => "DECLINED",
            Answer::Tentative => "TENTATIVE",
        };
        let property = format!("ATTENDEE;ROLE={role};PARTSTAT={status}");
        lines.person(&property, &self.name, &self.email);
    }
}

fn utc(instant: DateTime<Utc>) -> String {
    instant.format("%Y%m%dT%H%M%SZ").to_string()
}

/// A property with a local time, or, without a zone, with its day.
fn at(property: &str, local: NaiveDateTime, zone: Option<Tz>) -> String {
    match zone {
        Some(zone) => {
            format!("{property};TZID={}:{}", zone.name(), local.format("%Y%m%dT%H%M%S"))
        }
        None => format!("{property};VALUE=DATE:{}", local.format("%Y%m%d")),
    }
}

/// A rule with its end in UTC, as the standard wants it beside a start in a zone, or by the day beside a day.
fn sent(rule: &str, zone: Option<Tz>) -> String {
    let parts = rule.split(';').map(|part| {
        let until = part
            .strip_prefix("UNTIL=")
            .and_then(|until| NaiveDateTime::parse_from_str(until, "%Y%m%dT%H%M%S").ok());
        match (until, zone) {
            (Some(until), Some(zone)) => {
                format!("UNTIL={}", utc(moment::instant(until.date(), until.time(), zone)))
            }
            (Some(until), None) => format!("UNTIL={}", until.format("%Y%m%d")),
            (None, _) => part.to_owned(),
        }
    });
    let known = |letter: &char| letter.is_ascii_alphanumeric() || "=;,+-".contains(*letter);
    parts.collect::<Vec<_>>().join(";").chars().filter(known).collect()
}
