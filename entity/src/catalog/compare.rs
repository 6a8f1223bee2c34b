//! How a value is compared: the operators of each scalar, in the form of the API's filter types.
//!
//! Invariant: nothing but `isNull` holds of no value, so neither `ne` nor `notIn` does. What lies between two
//! values that can be stored equals none of them, and as a bound means the nearest one that still holds.

use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{Condition, Value};
use serde_json::{Map, Value as Json};
use type_safe_id::{DynamicType, TypeSafeId};

use super::within::within;
use super::{CatalogError, Scalar};
use crate::access::Calendar;
use crate::money::Currency;
use crate::search::{containing, starting};

/// The operators of amounts, beside the currency within which they are compared.
pub const AMOUNT_OPERATORS: &[&str] = &["eq", "ne", "in", "notIn", "gte", "gt", "lte", "lt"];

/// How many characters a part of a text may have. SQLite takes patterns of 50,000 bytes.
const LONGEST_PART: usize = 1_000;

pub(super) fn invalid<T>(at: &str, message: impl Into<String>) -> Result<T, CatalogError> {
    Err(CatalogError::Invalid { at: at.to_owned(), message: message.into() })
}

/// The entries of an object; nothing for null.
pub(super) fn entries<'a>(
    given: &'a Json,
    at: &str,
) -> Result<Option<&'a Map<String, Json>>, CatalogError> {
    match given {
        Json::Null => Ok(None),
        Json::Object(entries) => Ok(Some(entries)),
        _ => invalid(at, "this is an object of comparisons"),
    }
}

/// A list, or one value in its place, as GraphQL allows.
pub(crate) fn elements(given: &Json) -> &[Json] {
    match given {
        Json::Array(elements) => elements,
        Json::Null => &[],
        one => std::slice::from_ref(one),
    }
}

/// The operators that a scalar has, as the API's filter types name them. Instants are as fine as the
/// microsecond, so that being equal to one says nothing.
#[must_use]
pub fn operators(scalar: &Scalar) -> &'static [&'static str] {
    match scalar {
        Scalar::Text => &["eq", "ne", "in", "notIn", "contains", "startsWith", "isNull"],
        Scalar::Id(_) | Scalar::Choice(..) | Scalar::Currency => {
            &["eq", "ne", "in", "notIn", "isNull"]
        }
        Scalar::Truth => &["eq", "ne", "isNull"],
        Scalar::Instant => &["gte", "gt", "lte", "lt", "within", "isNull"],
        Scalar::Day => &["eq", "ne", "in", "notIn", "gte", "gt", "lte", "lt", "within", "isNull"],
        Scalar::Whole | Scalar::Long | Scalar::Scaled(_) => {
            &["eq", "ne", "in", "notIn", "gte", "gt", "lte", "lt", "isNull"]
        }
        Scalar::Json => &["isNull"],
    }
}

/// What comparisons of a column mean, seen from `calendar`.
pub(super) fn scalar_condition(
    column: &Expr,
    scalar: &Scalar,
    calendar: Calendar,
    given: &Json,
    at: &str,
) -> Result<Condition, CatalogError> {
    let mut all = Condition::all();
    for (operator, operand) in entries(given, at)?.into_iter().flatten() {
        let at = format!("{at}.{operator}");
        if operand.is_null() {
            continue;
        }
        if !operators(scalar).contains(&operator.as_str()) {
            let known = operators(scalar).join(", ");
            return invalid(&at, format!("compare with one of {known}"));
        }
        let column = column.clone();
        let part = || match operand.as_str() {
            Some(part) if part.chars().nth(LONGEST_PART).is_some() => {
                invalid(&at, format!("compare with at most {LONGEST_PART} characters"))
            }
            Some(part) => Ok(part),
            None => invalid(&at, "this is text"),
        };
        let stored = |operand: &Json| value(scalar, operand, &at);
        let holds = match operator.as_str() {
            "contains" => column.like(containing(part()?)),
            "startsWith" => column.like(starting(part()?)),
            "within" => {
                all = all.add(within(&column, scalar, calendar, operand, &at)?);
                continue;
            }
            "isNull" if operand == &Json::Bool(true) => column.is_null(),
            "isNull" => column.is_not_null(),
            operator => match (scalar, operator) {
                (Scalar::Scaled(scale), _) => exactly(column, operator, *scale, operand, &at)?,
                (_, "eq" | "ne" | "in" | "notIn") => among(column, operator, operand, stored)?,
                _ => match stored(operand)? {
                    Some(bound) => bounded(column, operator, bound),
                    None => return invalid(&at, "this has no order"),
                },
            },
        };
        all = all.add(holds);
    }
    Ok(all)
}

/// Amounts are compared within one currency.
pub(super) fn amount_condition(
    amount: &Expr,
    currency_column: &Expr,
    given: &Json,
    at: &str,
) -> Result<Condition, CatalogError> {
    let Some(entries) = entries(given, at)? else { return Ok(Condition::all()) };
    let code = entries.get("currency").and_then(Json::as_str);
    let Some(currency) = code.and_then(|code| Currency::from_str(code).ok()) else {
        return invalid(at, "amounts are compared within one `currency`, an ISO 4217 code");
    };
    let mut all = Condition::all().add(currency_column.clone().eq(currency));
    for (operator, operand) in entries {
        if operator == "currency" || operand.is_null() {
            continue;
        }
        if !AMOUNT_OPERATORS.contains(&operator.as_str()) {
            return invalid(at, format!("compare with one of {}", AMOUNT_OPERATORS.join(", ")));
        }
        let at = format!("{at}.{operator}");
        all = all.add(exactly(amount.clone(), operator, currency.exponent(), operand, &at)?);
    }
    Ok(all)
}

/// Whether a value is among those given, or is not. One that stands for nothing there can be, such as an id that
/// names nothing, is among none.
fn among(
    column: Expr,
    operator: &str,
    given: &Json,
    value: impl Fn(&Json) -> Result<Option<Value>, CatalogError>,
) -> Result<Expr, CatalogError> {
    let values = elements(given).iter().map(value).collect::<Result<Vec<_>, _>>()?;
    let values: Vec<_> = values.into_iter().flatten().collect();
    Ok(match (operator, values.is_empty()) {
        ("eq" | "in", _) => column.is_in(values),
        (_, true) => column.is_not_null(),
        (_, false) => column.is_not_in(values),
    })
}

fn bounded(column: Expr, operator: &str, bound: Value) -> Expr {
    match operator {
        "gte" => column.gte(bound),
        "gt" => column.gt(bound),
        "lte" => column.lte(bound),
        _ => column.lt(bound),
    }
}

/// Compares a column of whole numbers of the last of `scale` digits with exact numbers.
fn exactly(
    column: Expr,
    operator: &str,
    scale: u32,
    given: &Json,
    at: &str,
) -> Result<Expr, CatalogError> {
    let number = |given: &Json| match exact(given) {
        Some(number) => Ok(scaled(number, scale)),
        None => invalid(at, "this is no decimal number"),
    };
    match operator {
        "eq" | "ne" | "in" | "notIn" => among(column, operator, given, |given| {
            let stored = number(given)?.filter(Decimal::is_integer);
            Ok(stored.and_then(|number| number.to_i64()).map(Into::into))
        }),
        _ => {
            let beyond = exact(given).is_some_and(|number| number.is_sign_negative());
            let beyond = if beyond { i64::MIN } else { i64::MAX };
            let nearest = match number(given)? {
                // Upwards where the bound is the least or the first too much.
                Some(number) if matches!(operator, "gte" | "lt") => number.ceil().to_i64(),
                Some(number) => number.floor().to_i64(),
                None => None,
            };
            Ok(bounded(column, operator, nearest.unwrap_or(beyond).into()))
        }
    }
}

/// The value to compare with; `None` for an id that names nothing.
fn value(scalar: &Scalar, given: &Json, at: &str) -> Result<Option<Value>, CatalogError> {
    let text = given.as_str();
    let wrong = |expected: &str| invalid(at, format!("this is no {expected}"));
    let number = || given.as_i64().or_else(|| text?.parse().ok());
    Ok(Some(match scalar {
        Scalar::Text => match text {
            Some(text) => text.into(),
            None => return wrong("text"),
        },
        Scalar::Id(_) => {
            let id = text.and_then(|text| text.parse::<TypeSafeId<DynamicType>>().ok());
            return Ok(id.map(|id| id.uuid().into()));
        }
        Scalar::Truth => match given.as_bool() {
            Some(truth) => truth.into(),
            None => return wrong("true or false"),
        },
        Scalar::Choice(_, values) => match text.filter(|text| values.iter().any(|one| one == text))
        {
            Some(name) => name.into(),
            None => return wrong(&format!("one of {}", values.join(", "))),
        },
        Scalar::Currency => match text.and_then(|code| Currency::from_str(code).ok()) {
            Some(currency) => currency.code().into(),
            None => return wrong("ISO 4217 code"),
        },
        Scalar::Instant => match text.and_then(|text| DateTime::parse_from_rfc3339(text).ok()) {
            Some(instant) => instant.with_timezone(&Utc).into(),
            None => return wrong("instant; write one such as 2026-11-22T09:00:00Z"),
        },
        Scalar::Day => match text.and_then(|text| text.parse::<NaiveDate>().ok()) {
            // PostgreSQL knows fewer years than there can be.
            Some(day) if (0..=9_999).contains(&day.year()) => day.into(),
            _ => return wrong("day; write one such as 2026-11-22"),
        },
        Scalar::Whole | Scalar::Long => match number() {
            Some(number) => number.into(),
            None => return wrong("whole number"),
        },
        Scalar::Scaled(_) | Scalar::Json => return wrong("comparable value"),
    }))
}

fn exact(given: &Json) -> Option<Decimal> {
    match given {
        Json::String(text) => Decimal::from_str_exact(text).ok(),
        Json::Number(number) => Decimal::from_str_exact(&number.to_string()).ok(),
        _ => None,
    }
}

fn scaled(exact: Decimal, scale: u32) -> Option<Decimal> {
    exact.checked_mul(Decimal::from(10_i64.checked_pow(scale)?))
}
