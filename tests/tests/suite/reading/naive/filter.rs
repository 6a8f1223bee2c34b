//! Which rows pass a filter.

use std::cmp::Ordering;

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
                operations.into_iter().all(|(name, operand)| compares(scalar, &cell, name, operand))
            }
            Shape::Money { amount, currency } => {
                let Some(money) = self.rows.money(record, row, amount, currency) else {
                    return false;
                };
                let bound = |name: &str| {
                    given[name].as_str().map(|text| text.parse::<Decimal>().expect("a number"))
                };
                given["currency"] == money.currency.code()
                    && bound("gte").is_none_or(|bound| money.to_decimal() >= bound)
                    && bound("lte").is_none_or(|bound| money.to_decimal() <= bound)
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
