//! Which rows pass a filter.

use std::cmp::Ordering;

use chrono::{Datelike, NaiveDate};
use entity::access::Calendar;
use entity::catalog::{Field as Declared, Record, Scalar, Shape};
use entity::text::fold;
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use super::Naive;
use crate::reading::rows::{Cell, Row, shown};

impl Naive<'_> {
    /// Whether a row passes a filter.
    pub(super) fn passes(&self, record: &'static Record, row: &Row, filter: &Json) -> bool {
        let Some(entries) = filter.as_object() else { return true };
        entries.iter().all(|(name, given)| {
            let mut each = given.as_array().into_iter().flatten();
            match name.as_str() {
                "and" => each.all(|one| self.passes(record, row, one)),
                "or" => each.any(|one| self.passes(record, row, one)),
                "not" => !self.passes(record, row, given),
                _ => self.holds(record, row, record.field(name).expect("a field"), given),
            }
        })
    }

    fn holds(&self, record: &'static Record, row: &Row, field: &Declared, given: &Json) -> bool {
        match &field.shape {
            Shape::Scalar { column, scalar } => {
                let cell = self.rows.cell(record, row, column);
                let operations = given.as_object().into_iter().flatten();
                operations.into_iter().all(|(name, operand)| match name.as_str() {
                    "within" => lies_within(self.viewer.calendar(), &cell, operand),
                    name => compares(scalar, &cell, name, operand),
                })
            }
            Shape::Money { amount, currency } => {
                let Some(money) = self.rows.money(record, row, amount, currency) else {
                    return false;
                };
                let mut operations = given.as_object().into_iter().flatten();
                operations.all(|(name, operand)| match name.as_str() {
                    "currency" => operand == money.currency.code(),
                    name => amounts(money.to_decimal(), name, operand),
                })
            }
            Shape::Search => {
                let Cell::Text(text) = self.rows.cell(record, row, "search_text") else {
                    return false;
                };
                let words = fold(given.as_str().unwrap_or_default());
                words.split(' ').all(|word| text.contains(word))
            }
            Shape::One { column, target } => {
                let mut others = self.rows.of(target().table).iter();
                let other = others.find(|other| other["id"] == row[column]);
                other.is_some_and(|other| {
                    self.sees_row(target(), other) && self.passes(target(), other, given)
                })
            }
            Shape::Many { column, target } | Shape::List { column, target, .. } => {
                let mut others = self.rows.referring(*target, column, &row["id"]);
                others.retain(|other| self.sees_row(target(), other));
                let passes = |other: &&Row, filter: &Json| self.passes(target(), other, filter);
                given.as_object().into_iter().flatten().all(|(quantifier, filter)| {
                    let mut others = others.iter();
                    match quantifier.as_str() {
                        "some" => others.any(|other| passes(other, filter)),
                        "none" => !others.any(|other| passes(other, filter)),
                        _ => others.all(|other| passes(other, filter)),
                    }
                })
            }
            Shape::Single { .. }
            | Shape::Timeline(_)
            | Shape::Batch(_)
            | Shape::Reach(_)
            | Shape::Custom { .. } => {
                panic!("{} is not compared", field.name)
            }
        }
    }
}

/// Whether a comparison holds; nothing but `isNull` holds of no value.
fn compares(scalar: &Scalar, cell: &Cell, operator: &str, operand: &Json) -> bool {
    if operator == "isNull" {
        return (*cell == Cell::Nothing) == (*operand == json!(true));
    }
    if *cell == Cell::Nothing {
        return false;
    }
    let is = |operand: &Json| order(scalar, cell, operand) == Some(Ordering::Equal);
    let each = || operand.as_array().into_iter().flatten();
    let text = operand.as_str().unwrap_or_default();
    let found = order(scalar, cell, operand);
    match (operator, cell) {
        ("eq", _) => is(operand),
        ("ne", _) => !is(operand),
        ("in", _) => each().any(is),
        ("notIn", _) => !each().any(is),
        ("contains", Cell::Text(cell)) => cell.contains(text),
        ("startsWith", Cell::Text(cell)) => cell.starts_with(text),
        ("gte", _) => found.is_some_and(Ordering::is_ge),
        ("gt", _) => found.is_some_and(Ordering::is_gt),
        ("lte", _) => found.is_some_and(Ordering::is_le),
        ("lt", _) => found.is_some_and(Ordering::is_lt),
        _ => panic!("{operator} of {cell:?}"),
    }
}

/// Whether a comparison of an amount holds.
fn amounts(amount: Decimal, operator: &str, operand: &Json) -> bool {
    let number = |given: &Json| given.as_str().expect("text").parse::<Decimal>().expect("a number");
    let among =
        |given: &Json| given.as_array().expect("a list").iter().any(|one| number(one) == amount);
    match operator {
        "eq" => amount == number(operand),
        "ne" => amount != number(operand),
        "in" => among(operand),
        "notIn" => !among(operand),
        "gte" => amount >= number(operand),
        "gt" => amount > number(operand),
        "lte" => amount <= number(operand),
        "lt" => amount < number(operand),
        _ => panic!("{operator} of an amount"),
    }
}

/// Whether a value lies within a stretch of the calendar, by counting the units up to its day and up to today.
fn lies_within(calendar: Calendar, cell: &Cell, stretch: &Json) -> bool {
    let day = match cell {
        Cell::Day(day) => *day,
        Cell::Instant(instant) => instant.with_timezone(&calendar.zone).date_naive(),
        _ => return false,
    };
    let count = |day: NaiveDate| match stretch["unit"].as_str() {
        Some("DAY") => day.num_days_from_ce(),
        // The first day of all was a Monday.
        Some("WEEK") => (day.num_days_from_ce() - 1).div_euclid(7),
        Some("MONTH") => day.year() * 12 + day.month0().cast_signed(),
        Some("QUARTER") => day.year() * 4 + (day.month0() / 3).cast_signed(),
        _ => day.year(),
    };
    let away = i64::from(count(day) - count(calendar.today));
    stretch["from"].as_i64().is_none_or(|from| away >= from)
        && stretch["to"].as_i64().is_none_or(|to| away <= to)
}

fn order(scalar: &Scalar, cell: &Cell, operand: &Json) -> Option<Ordering> {
    let text = operand.as_str().unwrap_or_default();
    let operand = match cell {
        Cell::Id(_) => return (shown(scalar, cell) == *operand).then_some(Ordering::Equal),
        Cell::Number(number) => {
            let Scalar::Scaled(digits) = scalar else {
                return number.partial_cmp(&operand.as_i64()?);
            };
            return Decimal::new(*number, *digits).partial_cmp(&text.parse().ok()?);
        }
        Cell::Truth(_) => Cell::Truth(operand.as_bool()?),
        Cell::Text(_) => Cell::Text(text.to_owned()),
        Cell::Instant(_) => Cell::Instant(text.parse().ok()?),
        Cell::Day(_) => Cell::Day(text.parse().ok()?),
        Cell::Nothing => return None,
    };
    cell.partial_cmp(&operand)
}
