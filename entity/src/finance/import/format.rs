//! How a file writes days and amounts. Both are decided once per file, by all of its values, because
//! a single one rarely says: `1/2/2013` is two days, and `1.234` is two amounts.
//!
//! Invariant: a value that does not have the file's form is no value; nothing is guessed per row.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// In which order a day's parts stand. Whatever the order, a leading year is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DateOrder {
    /// `12/31/2026`
    Mdy,
    /// `31/12/2026`
    Dmy,
    /// `2026-12-31`
    Ymd,
}

/// What separates an amount's decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecimalMark {
    /// `1234.56`, `1,234.56`
    Point,
    /// `1234,56`, `1.234,56`
    Comma,
}

/// Why a file is read the way it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Somebody said so.
    Given,
    /// The file's values leave no other way.
    Found,
    /// The file's values allow more than one way.
    Assumed,
}

/// The name of a format is none of the known ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{given}” is not known; write {allowed}")]
pub struct UnknownFormat {
    given: String,
    allowed: &'static str,
}

impl FromStr for DateOrder {
    type Err = UnknownFormat;

    fn from_str(given: &str) -> Result<Self, UnknownFormat> {
        match given.to_ascii_lowercase().as_str() {
            "mdy" => Ok(Self::Mdy),
            "dmy" => Ok(Self::Dmy),
            "ymd" => Ok(Self::Ymd),
            _ => Err(UnknownFormat { given: given.to_owned(), allowed: "mdy, dmy or ymd" }),
        }
    }
}

impl FromStr for DecimalMark {
    type Err = UnknownFormat;

    fn from_str(given: &str) -> Result<Self, UnknownFormat> {
        match given.to_ascii_lowercase().as_str() {
            "point" | "." => Ok(Self::Point),
            "comma" | "," => Ok(Self::Comma),
            _ => Err(UnknownFormat { given: given.to_owned(), allowed: "point or comma" }),
        }
    }
}

impl fmt::Display for DateOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mdy => "MM/dd/yyyy",
            Self::Dmy => "dd/MM/yyyy",
            Self::Ymd => "yyyy-MM-dd",
        })
    }
}

impl fmt::Display for DecimalMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Point => "point",
            Self::Comma => "comma",
        })
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given => "as told",
            Self::Found => "found in the file",
            Self::Assumed => "assumed: the file does not decide it",
        })
    }
}

/// The day that `value` means, between the years 1900 and 2200. A time of day is left out.
#[must_use]
pub fn date(value: &str, order: DateOrder) -> Option<NaiveDate> {
    let [first, second, third] = parts(value)?;
    let number = |part: &str| part.parse::<u32>().ok();
    let (year, month, day) = match (first.len(), third.len(), order) {
        (4, ..) => (first, second, third),
        (_, 4, DateOrder::Mdy) => (third, first, second),
        (_, 4, DateOrder::Dmy) => (third, second, first),
        _ => return None,
    };
    NaiveDate::from_ymd_opt(year.parse().ok()?, number(month)?, number(day)?)
        .filter(|day| (1900..=2200).contains(&day.year()))
}

/// A day's three parts, all of digits.
fn parts(value: &str) -> Option<[&str; 3]> {
    let (day, time) = value.split_once(['T', ' ']).unwrap_or((value, ""));
    if !time.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b':' | b'.')) {
        return None;
    }
    let mut parts = day.split(['/', '-', '.']);
    let three = [parts.next()?, parts.next()?, parts.next()?];
    let digits = |part: &&str| {
        (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    (parts.next().is_none() && three.iter().all(digits)).then_some(three)
}

/// What a file's days say about their order.
#[derive(Clone, Debug, Default)]
pub struct DateBallot {
    mdy: u64,
    dmy: u64,
    ymd: u64,
    either: u64,
}

impl DateBallot {
    /// Hears one day.
    pub fn hear(&mut self, value: &str) {
        let Some([first, second, third]) = parts(value) else {
            return;
        };
        let above_twelve = |part: &str| part.parse::<u32>().is_ok_and(|number| number > 12);
        let vote = match (first.len(), third.len()) {
            (4, _) => &mut self.ymd,
            (_, 4) if above_twelve(first) && !above_twelve(second) => &mut self.dmy,
            (_, 4) if above_twelve(second) && !above_twelve(first) => &mut self.mdy,
            (_, 4) => &mut self.either,
            _ => return,
        };
        *vote += 1;
    }

    /// The order of most of them, or `otherwise` when none says.
    #[must_use]
    pub fn decide(&self, otherwise: DateOrder) -> (DateOrder, Basis) {
        if self.mdy + self.dmy > 0 {
            let order = if self.mdy > self.dmy { DateOrder::Mdy } else { DateOrder::Dmy };
            return (order, Basis::Found);
        }
        if self.either == 0 && self.ymd > 0 {
            return (DateOrder::Ymd, Basis::Found);
        }
        (otherwise, Basis::Assumed)
    }
}

/// The exact amount that `value` means. Thousands may be grouped by the other mark, by a space or by
/// an apostrophe, but then all of them.
#[must_use]
pub fn amount(value: &str, mark: DecimalMark) -> Option<Decimal> {
    let (decimal, group) = match mark {
        DecimalMark::Point => ('.', ','),
        DecimalMark::Comma => (',', '.'),
    };
    let (sign, unsigned) = match value.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", value),
    };
    let (whole, decimals) = unsigned.split_once(decimal).unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_group = |c: char| c == group || matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\'' | '’');
    let separator = whole.chars().find(|c| is_group(*c));
    let grouped = separator.is_none_or(|separator| {
        let mut groups = whole.split(separator);
        groups.next().is_some_and(|group| (1..=3).contains(&group.len()))
            && groups.all(|group| group.len() == 3)
    });
    let whole: String = whole.chars().filter(|c| Some(*c) != separator).collect();
    if !(grouped && digits(&whole) && digits(decimals)) {
        return None;
    }
    Decimal::from_str_exact(&format!("{sign}{whole}.{decimals}")).ok()
}

/// What a file's amounts say about their decimal mark.
#[derive(Clone, Debug, Default)]
pub struct AmountBallot {
    point: u64,
    comma: u64,
    /// Amounts such as `1.234`, where the point may separate either.
    point_and_three: u64,
    /// Amounts such as `1,234`.
    comma_and_three: u64,
}

impl AmountBallot {
    /// Hears one amount.
    pub fn hear(&mut self, value: &str) {
        let value = value.trim_start_matches('-');
        let marks: Vec<char> = value.chars().filter(|c| matches!(c, '.' | ',')).collect();
        let (Some(first), Some(last)) = (marks.first(), marks.last()) else {
            return;
        };
        let is_point = *last == '.';
        if first != last {
            // `1.234,56`: the last one.
            self.vote(is_point);
        } else if marks.len() > 1 {
            // `1.234.567`: the other one.
            self.vote(!is_point);
        } else if let Some((whole, rest)) = value.split_once(*last) {
            if rest.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0') {
                let vote =
                    if is_point { &mut self.point_and_three } else { &mut self.comma_and_three };
                *vote += 1;
            } else {
                self.vote(is_point);
            }
        }
    }

    fn vote(&mut self, point: bool) {
        let vote = if point { &mut self.point } else { &mut self.comma };
        *vote += 1;
    }

    /// The mark of most of them, for a currency with `exponent` decimals: where it has fewer than
    /// three, three digits after a lone mark are thousands.
    #[must_use]
    pub fn decide(&self, exponent: u32) -> (DecimalMark, Basis) {
        let of = |point: bool| if point { DecimalMark::Point } else { DecimalMark::Comma };
        if self.point + self.comma > 0 {
            return (of(self.point >= self.comma), Basis::Found);
        }
        if self.point_and_three + self.comma_and_three == 0 {
            return (DecimalMark::Point, Basis::Assumed);
        }
        let mostly_points = self.point_and_three > self.comma_and_three;
        if exponent < 3 {
            (of(!mostly_points), Basis::Found)
        } else {
            (of(mostly_points), Basis::Assumed)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order_of(values: &[&str]) -> (DateOrder, Basis) {
        let mut ballot = DateBallot::default();
        for value in values {
            ballot.hear(value);
        }
        ballot.decide(DateOrder::Dmy)
    }

    fn mark_of(values: &[&str], exponent: u32) -> (DecimalMark, Basis) {
        let mut ballot = AmountBallot::default();
        for value in values {
            ballot.hear(value);
        }
        ballot.decide(exponent)
    }

    #[test]
    fn a_number_above_twelve_decides_the_order_of_days() {
        assert_eq!(order_of(&["1/2/2013", "1/13/2013"]), (DateOrder::Mdy, Basis::Found));
        assert_eq!(order_of(&["01/02/2013", "13.01.2013"]), (DateOrder::Dmy, Basis::Found));
        assert_eq!(order_of(&["2013-01-02"]), (DateOrder::Ymd, Basis::Found));
        assert_eq!(order_of(&["1/2/2013", "2013-01-13"]), (DateOrder::Dmy, Basis::Assumed));
        assert_eq!(order_of(&[]), (DateOrder::Dmy, Basis::Assumed));
    }

    #[test]
    fn amounts_decide_their_decimal_mark_together() {
        assert_eq!(mark_of(&["12.5"], 2), (DecimalMark::Point, Basis::Found));
        assert_eq!(mark_of(&["1.234", "1.234,5"], 2), (DecimalMark::Comma, Basis::Found));
        assert_eq!(mark_of(&["1.234.567"], 0), (DecimalMark::Comma, Basis::Found));
        assert_eq!(mark_of(&["1,234"], 2), (DecimalMark::Point, Basis::Found));
        assert_eq!(mark_of(&["1.234"], 0), (DecimalMark::Comma, Basis::Found));
        assert_eq!(mark_of(&["1.234"], 3), (DecimalMark::Point, Basis::Assumed));
        assert_eq!(mark_of(&["0.234"], 2), (DecimalMark::Point, Basis::Found));
        assert_eq!(mark_of(&["1234"], 2), (DecimalMark::Point, Basis::Assumed));
    }

    #[test]
    fn what_has_not_the_form_is_no_value() {
        for value in [
            "",
            "1/2",
            "1/2/13",
            "31/2/2013",
            "a/b/cccc",
            "2013-13-01",
            "1/2/2013 noon",
            "1/2/0013",
        ] {
            assert_eq!(date(value, DateOrder::Dmy), None, "{value}");
        }
        for value in [
            "",
            "-",
            ".",
            "1.",
            "1,23.4",
            "12,34",
            "1,2345",
            "1.2.3",
            "1e3",
            "½",
            "1,234 567",
            "99999999999999999999999999999999",
        ] {
            assert_eq!(amount(value, DecimalMark::Point), None, "{value}");
        }
        assert_eq!(date("1/2/2013", DateOrder::Ymd), None);
        assert_eq!(
            date("2013-01-02T10:20:30", DateOrder::Mdy),
            NaiveDate::from_ymd_opt(2013, 1, 2)
        );
        assert_eq!(amount("-1 234 567,5", DecimalMark::Comma), Some(Decimal::new(-12_345_675, 1)));
    }

    proptest! {
        #[test]
        fn a_day_is_read_back_in_every_order(days in 0_i64..100_000, padded: bool) {
            let day = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap() + chrono::TimeDelta::days(days);
            let (mdy, dmy) = if padded { ("%m/%d/%Y", "%d/%m/%Y") } else { ("%-m/%-d/%Y", "%-d.%-m.%Y") };
            prop_assert_eq!(date(&day.format(mdy).to_string(), DateOrder::Mdy), Some(day));
            prop_assert_eq!(date(&day.format(dmy).to_string(), DateOrder::Dmy), Some(day));
            prop_assert_eq!(date(&day.to_string(), DateOrder::Mdy), Some(day));
        }

        #[test]
        fn an_amount_is_read_back_exactly(minor in -1_000_000_000_000_i64..1_000_000_000_000, grouped: bool, comma: bool) {
            let exact = Decimal::new(minor, 2);
            let (whole, decimals) = (minor.unsigned_abs() / 100, minor.unsigned_abs() % 100);
            let (mark, group, form) = if comma { (',', ".", DecimalMark::Comma) } else { ('.', ",", DecimalMark::Point) };
            let mut digits = whole.to_string();
            if grouped {
                let bytes = digits.as_bytes().rchunks(3).rev();
                let groups: Vec<_> = bytes.map(|group| std::str::from_utf8(group).unwrap()).collect();
                digits = groups.join(group);
            }
            let sign = if minor < 0 { "-" } else { "" };
            let text = format!("{sign}{digits}{mark}{decimals:02}");
            prop_assert_eq!(amount(&text, form), Some(exact));
            prop_assert_eq!(mark_of(&[&text], 2), (form, Basis::Found));
        }

        #[test]
        fn nothing_that_is_typed_breaks_the_reading(text in ".{0,20}") {
            let _ = date(&text, DateOrder::Mdy);
            let _ = amount(&text, DecimalMark::Comma);
            order_of(&[&text]);
            mark_of(&[&text], 2);
        }
    }
}
