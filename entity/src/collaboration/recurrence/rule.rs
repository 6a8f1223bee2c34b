//! The parts of an RRULE: read strictly, written in one form.
//!
//! Invariant: what is written is read again as the same parts. Everything is refused that says something about
//! the time of day, as an occurrence is at the time of its start, and everything that readers disagree about.

use std::fmt::{self, Display, Formatter};
use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::{Datelike, Month, NaiveDate, NaiveDateTime, NaiveTime, Weekday};
use rrule::{Frequency, NWeekday, RRule, Tz, Unvalidated};

/// The longest text that is read, in characters.
const LONGEST: usize = 500;

/// The most occurrences, and the most days, weeks, months or years from one to the next.
const MOST: u16 = 1_000;

/// The last second of a day, with which an UNTIL that names only a day ends.
const END_OF_DAY: (u32, u32, u32) = (23, 59, 59);

/// A rule, part by part; the lists are in order and without repetition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    frequency: Frequency,
    interval: u16,
    pub(super) count: Option<u32>,
    pub(super) until: Option<NaiveDateTime>,
    week_start: Weekday,
    months: Vec<u8>,
    weeks: Vec<i8>,
    year_days: Vec<i16>,
    month_days: Vec<i8>,
    weekdays: Vec<NWeekday>,
    positions: Vec<i32>,
}

impl Rule {
    /// Reads a rule, with or without `RRULE:` before it, in large or small letters.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub(super) fn parse(given: &str) -> Result<Self, String> {
        if given.chars().count() > LONGEST {
            return Err(format!(
                "a recurrence has at most {LONGEST} characters; give a shorter one"
            ));
        }
        let upper = given.trim().to_ascii_uppercase();
        let text = upper.strip_prefix("RRULE:").unwrap_or(&upper);
        let mut rule = Self {
            frequency: frequency(text)?,
            interval: 1,
            count: None,
            until: None,
            week_start: Weekday::Mon,
            months: Vec::new(),
            weeks: Vec::new(),
            year_days: Vec::new(),
            month_days: Vec::new(),
            weekdays: Vec::new(),
            positions: Vec::new(),
        };
        let mut seen = Vec::new();
        for part in text.split(';') {
            let (key, value) = part.split_once('=').ok_or_else(|| {
                format!("\"{part}\" is no part of a recurrence; write parts such as INTERVAL=2")
            })?;
            if seen.contains(&key) {
                return Err(format!("{key} is there twice; give it once"));
            }
            seen.push(key);
            rule.take(key, value)?;
        }
        rule.check()?;
        Ok(rule)
    }

    fn take(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "FREQ" => {}
            "INTERVAL" => self.interval = number(key, value, &(1..=MOST))?,
            "COUNT" => self.count = Some(number(key, value, &(1..=MOST.into()))?),
            "UNTIL" => self.until = Some(until(value)?),
            "WKST" => self.week_start = weekday(value)?,
            "BYMONTH" => self.months = numbers(key, value, &(1..=12))?,
            "BYWEEKNO" => self.weeks = signed(key, value, &(-53..=53))?,
            "BYYEARDAY" => self.year_days = signed(key, value, &(-366..=366))?,
            "BYMONTHDAY" => self.month_days = signed(key, value, &(-31..=31))?,
            "BYDAY" => self.weekdays = weekdays(value)?,
            "BYSETPOS" => self.positions = signed(key, value, &(-366..=366))?,
            "BYHOUR" | "BYMINUTE" | "BYSECOND" | "BYEASTER" => {
                return Err(format!("an occurrence is at the time of its start; leave {key} out"));
            }
            _ => return Err(format!("{key} is no part of a recurrence; leave it out")),
        }
        Ok(())
    }

    /// Refuses parts that do not go together.
    fn check(&self) -> Result<(), String> {
        let yearly = self.frequency == Frequency::Yearly;
        let numbered = self.weekdays.iter().filter(|day| matches!(day, NWeekday::Nth(..))).count();
        let within = yearly || self.frequency == Frequency::Monthly;
        let wrong = if self.count.is_some() && self.until.is_some() {
            "a recurrence ends by COUNT or by UNTIL; give one of them"
        } else if !yearly && (!self.weeks.is_empty() || !self.year_days.is_empty()) {
            "BYWEEKNO and BYYEARDAY go with FREQ=YEARLY; leave them out"
        } else if self.frequency == Frequency::Weekly && !self.month_days.is_empty() {
            "BYMONTHDAY does not go with FREQ=WEEKLY; use FREQ=MONTHLY or BYDAY"
        } else if numbered > 0 && (!within || !self.weeks.is_empty()) {
            "numbered days such as 2MO go with months and years; write them without the number"
        } else if numbered > 0 && numbered < self.weekdays.len() {
            "BYDAY has days with a number and days without; use one kind"
        } else if !self.positions.is_empty() && self.is_plain() {
            "BYSETPOS chooses among days; say among which, as by BYDAY=MO,TU"
        } else {
            return Ok(());
        };
        Err(wrong.to_owned())
    }

    fn is_plain(&self) -> bool {
        self.has_no_days() && self.months.is_empty() && self.weeks.is_empty()
    }

    fn has_no_days(&self) -> bool {
        self.weekdays.is_empty() && self.month_days.is_empty() && self.year_days.is_empty()
    }

    /// The same with another end.
    pub(super) fn ending(&self, count: Option<u32>, until: Option<NaiveDateTime>) -> Self {
        Self { count, until, ..self.clone() }
    }

    /// Names the weekday that a rule of weeks of the year takes from its start.
    pub(super) fn complete(&mut self, start: NaiveDateTime) {
        if !self.weeks.is_empty() && self.has_no_days() {
            self.weekdays.push(NWeekday::Every(start.weekday()));
        }
    }

    /// The rule as the crate takes it, where times that have no zone are in UTC.
    pub(super) fn build(&self) -> RRule<Unvalidated> {
        let months = self.months.iter().filter_map(|month| Month::try_from(*month).ok());
        let mut rule = RRule::new(self.frequency)
            .interval(self.interval)
            .week_start(self.week_start)
            .by_month(&months.collect::<Vec<_>>())
            .by_week_no(self.weeks.clone())
            .by_year_day(self.year_days.clone())
            .by_month_day(self.month_days.clone())
            .by_weekday(self.weekdays.clone())
            .by_set_pos(self.positions.clone());
        if let Some(count) = self.count {
            rule = rule.count(count);
        }
        if let Some(until) = self.until {
            rule = rule.until(until.and_utc().with_timezone(&Tz::UTC));
        }
        rule
    }
}

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "FREQ={}", self.frequency)?;
        if let Some(until) = self.until {
            write!(f, ";UNTIL={}", until.format("%Y%m%dT%H%M%S"))?;
        }
        if let Some(count) = self.count {
            write!(f, ";COUNT={count}")?;
        }
        if self.interval != 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        if self.week_start != Weekday::Mon {
            write!(f, ";WKST={}", NWeekday::Every(self.week_start))?;
        }
        list(f, "BYMONTH", &self.months)?;
        list(f, "BYWEEKNO", &self.weeks)?;
        list(f, "BYYEARDAY", &self.year_days)?;
        list(f, "BYMONTHDAY", &self.month_days)?;
        list(f, "BYDAY", &self.weekdays.iter().copied().map(named).collect::<Vec<_>>())?;
        list(f, "BYSETPOS", &self.positions)
    }
}

fn list<T: Display>(f: &mut Formatter<'_>, key: &str, items: &[T]) -> fmt::Result {
    for (place, item) in items.iter().enumerate() {
        match place {
            0 => write!(f, ";{key}={item}")?,
            _ => write!(f, ",{item}")?,
        }
    }
    Ok(())
}

/// The crate writes the first Monday as any Monday.
fn named(day: NWeekday) -> String {
    match day {
        NWeekday::Every(_) => day.to_string(),
        NWeekday::Nth(number, weekday) => format!("{number}{}", NWeekday::Every(weekday)),
    }
}

fn frequency(text: &str) -> Result<Frequency, String> {
    match text.split(';').find_map(|part| part.strip_prefix("FREQ=")) {
        Some("DAILY") => Ok(Frequency::Daily),
        Some("WEEKLY") => Ok(Frequency::Weekly),
        Some("MONTHLY") => Ok(Frequency::Monthly),
        Some("YEARLY") => Ok(Frequency::Yearly),
        _ => Err("say how often, by FREQ=DAILY, WEEKLY, MONTHLY or YEARLY".to_owned()),
    }
}

fn number<T>(key: &str, value: &str, range: &RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("{key} goes from {} to {}", range.start(), range.end()))
}

fn numbers<T>(key: &str, value: &str, range: &RangeInclusive<T>) -> Result<Vec<T>, String>
where
    T: FromStr + Ord + Display,
{
    let numbers: Result<Vec<T>, String> =
        value.split(',').map(|item| number(key, item, range)).collect();
    let mut numbers = numbers?;
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// Numbers that count from the end when they are negative, and so are never 0.
fn signed<T>(key: &str, value: &str, range: &RangeInclusive<T>) -> Result<Vec<T>, String>
where
    T: FromStr + Ord + Display + Default,
{
    let numbers = numbers(key, value, range)?;
    if numbers.contains(&T::default()) {
        return Err(format!("{key} counts from 1, or from -1 backwards; leave 0 out"));
    }
    Ok(numbers)
}

fn weekday(value: &str) -> Result<Weekday, String> {
    Ok(match value {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => return Err("days are MO, TU, WE, TH, FR, SA and SU, such as BYDAY=MO,WE".to_owned()),
    })
}

fn weekdays(value: &str) -> Result<Vec<NWeekday>, String> {
    let days = value.split(',').map(|item| {
        let named = item.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(0);
        let (place, name) = item.split_at(named);
        let place = match place {
            "" => None,
            _ => signed("the number of a day", place, &(-53..=53_i16))?.pop(),
        };
        Ok(NWeekday::new(place, weekday(name)?))
    });
    let mut days = days.collect::<Result<Vec<_>, String>>()?;
    days.sort_unstable();
    days.dedup();
    Ok(days)
}

/// The last moment that still belongs to a recurrence, on the clocks of its zone even where it is said in UTC.
fn until(value: &str) -> Result<NaiveDateTime, String> {
    let wrong = || "write UNTIL as a day, 20261231, or with a time, 20261231T235959".to_owned();
    let (day, time) = match value.strip_suffix('Z').unwrap_or(value).split_once('T') {
        Some((day, time)) => (day, Some(time)),
        None => (value, None),
    };
    let digits = |text: &str, long| text.len() == long && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(day, 8) || time.is_some_and(|time| !digits(time, 6)) {
        return Err(wrong());
    }
    let day = NaiveDate::parse_from_str(day, "%Y%m%d").map_err(|_| wrong())?;
    let (hour, minute, second) = match time.map(str::parse::<u32>) {
        Some(time) => time.map_or((99, 0, 0), |time| (time / 10_000, time / 100 % 100, time % 100)),
        None => END_OF_DAY,
    };
    let time = NaiveTime::from_hms_opt(hour, minute, second).ok_or_else(wrong)?;
    Ok(day.and_time(time))
}
