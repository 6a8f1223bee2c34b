//! Filters: the one query language of lists, views, exports and workflows, as JSON in the form that
//! the API's filter types have, compiled to SQL.
//!
//! Invariant: what the viewer may not see cannot be compared either, neither a field nor a related
//! record: a filter would otherwise tell what a list hides. `not` is the complement: a record that has
//! no value is in it.

use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use sea_orm::{Condition, ConnectionTrait, DbBackend, Value};
use serde_json::{Map, Value as Json};
use type_safe_id::{DynamicType, TypeSafeId};

use super::{CatalogError, Field, Record, Scalar, Shape, Target, breadth, custom};
use crate::access::Viewer;
use crate::customers::custom::CustomFields;
use crate::money::Currency;
use crate::search::{containing, matches, refusal, starting};

/// How deep filters may lie within one another.
const DEEPEST: usize = 12;

/// How many characters a part of a text may have. SQLite takes patterns of 50,000 bytes.
const LONGEST_PART: usize = 1_000;

/// For whom and for which database a filter is compiled.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Who asks.
    pub viewer: &'a Viewer,
    /// The database that runs it.
    pub backend: DbBackend,
    /// The custom fields, loaded or not.
    pub custom: &'a CustomFields,
}

impl<'a> Scope<'a> {
    /// For `viewer`, and the database that `db` is, with its custom fields.
    #[must_use]
    pub fn of(db: &impl ConnectionTrait, viewer: &'a Viewer, custom: &'a CustomFields) -> Self {
        Self { viewer, backend: db.get_database_backend(), custom }
    }

    /// Whether who asks may compare and group by the field at all, and see what it refers to.
    #[must_use]
    pub fn sees(self, field: &Field) -> bool {
        let target = match &field.shape {
            Shape::One { target, .. } => target().read,
            _ => None,
        };
        [field.guard, target].into_iter().flatten().all(|needed| self.viewer.may(needed))
    }
}

/// What `filter`, a JSON object in the form of the record's filter type, means in `scope`.
///
/// # Errors
/// [`CatalogError`] with the place in the filter.
pub fn condition(
    record: &Record,
    filter: &Json,
    scope: Scope<'_>,
    at: &str,
) -> Result<Condition, CatalogError> {
    breadth::check(filter, at)?;
    Compiler { scope, depth: 0 }.object(record, filter, at)
}

#[derive(Clone, Copy)]
struct Compiler<'a> {
    scope: Scope<'a>,
    depth: usize,
}

fn invalid<T>(at: &str, message: impl Into<String>) -> Result<T, CatalogError> {
    Err(CatalogError::Invalid { at: at.to_owned(), message: message.into() })
}

fn entries<'a>(given: &'a Json, at: &str) -> Result<Option<&'a Map<String, Json>>, CatalogError> {
    match given {
        Json::Null => Ok(None),
        Json::Object(entries) => Ok(Some(entries)),
        _ => invalid(at, "this is an object of comparisons"),
    }
}

/// A list, or one value in its place, as GraphQL allows.
pub(super) fn elements(given: &Json) -> &[Json] {
    match given {
        Json::Array(elements) => elements,
        Json::Null => &[],
        one => std::slice::from_ref(one),
    }
}

/// The complement of `condition`, with rows for which it is unknown.
fn complement(condition: Condition) -> Condition {
    if condition.is_empty() {
        return Condition::all().add(Expr::val(false));
    }
    let known = Func::coalesce([Expr::from(condition), Expr::val(false)]);
    Condition::all().add(Expr::from(known).not())
}

impl Compiler<'_> {
    fn object(self, record: &Record, given: &Json, at: &str) -> Result<Condition, CatalogError> {
        let deeper = Self { depth: self.depth + 1, ..self };
        if self.depth > DEEPEST {
            return invalid(at, format!("filters lie at most {DEEPEST} deep"));
        }
        let mut all = Condition::all();
        for (name, value) in entries(given, at)?.into_iter().flatten() {
            let at = format!("{at}.{name}");
            if value.is_null() {
                continue;
            }
            match name.as_str() {
                "and" => {
                    for one in elements(value) {
                        all = all.add(deeper.object(record, one, &at)?);
                    }
                }
                "or" => {
                    let mut any = Condition::any();
                    for one in elements(value) {
                        let one = deeper.object(record, one, &at)?;
                        any = any.add(match one.is_empty() {
                            true => Condition::all().add(Expr::val(true)),
                            false => one,
                        });
                    }
                    all = all.add(match any.is_empty() {
                        true => Condition::all().add(Expr::val(false)),
                        false => any,
                    });
                }
                "not" => all = all.add(complement(deeper.object(record, value, &at)?)),
                _ => match record.field(name).filter(|field| field.filtered) {
                    Some(field) => all = all.add(deeper.field(record, field, value, &at)?),
                    None => return invalid(&at, format!("{} has no such filter", record.name)),
                },
            }
        }
        Ok(all)
    }

    fn field(
        self,
        record: &Record,
        field: &Field,
        given: &Json,
        at: &str,
    ) -> Result<Condition, CatalogError> {
        if !self.scope.sees(field) {
            return Err(CatalogError::Forbidden(at.to_owned()));
        }
        let condition = match &field.shape {
            Shape::Scalar { column, scalar } => {
                scalar_condition(&record.column(column), scalar, given, at)
            }
            Shape::Money { amount, currency } => {
                amount_condition(&record.column(amount), &record.column(currency), given, at)
            }
            Shape::Search => {
                let Some(words) = given.as_str() else { return invalid(at, "this is text") };
                if let Some(message) = refusal(words) {
                    return invalid(at, message);
                }
                Ok(matches(self.scope.backend, record.table, words))
            }
            Shape::Custom { .. } => custom::condition(record, self.scope, given, at),
            Shape::One { column, target } => {
                let filter = self.related(*target, given, at)?;
                Ok(Condition::all().add(record.column(column).in_subquery(filter.ids("id"))))
            }
            Shape::Many { column, target } | Shape::List { column, target, .. } => {
                self.several(record, *target, column, given, at)
            }
            Shape::Single { .. } | Shape::Timeline(_) | Shape::Batch(_) | Shape::Reach(_) => {
                invalid(at, "this cannot be compared")
            }
        }?;
        // What is guarded is compared in the rows alone in which it is seen.
        let guarded = field.guard.map(|needed| record.reached(self.scope.viewer, needed, false));
        Ok(condition.add_option(guarded.filter(|guarded| !guarded.is_empty())))
    }

    /// `some`, `none` and `every` of the records that refer to this one.
    fn several(
        self,
        record: &Record,
        target: Target,
        column: &'static str,
        given: &Json,
        at: &str,
    ) -> Result<Condition, CatalogError> {
        let mut all = Condition::all();
        for (quantifier, filter) in entries(given, at)?.into_iter().flatten() {
            if filter.is_null() {
                continue;
            }
            let related = self.related(target, filter, &format!("{at}.{quantifier}"))?;
            let id = record.column("id");
            all = all.add(match quantifier.as_str() {
                "some" => id.in_subquery(related.ids(column)),
                "none" => id.not_in_subquery(related.ids(column)),
                "every" => {
                    let others = Related { filter: complement(related.filter), ..related };
                    id.not_in_subquery(others.ids(column))
                }
                _ => return invalid(at, "compare with `some`, `none` or `every`"),
            });
        }
        Ok(all)
    }

    fn related(self, target: Target, given: &Json, at: &str) -> Result<Related, CatalogError> {
        let target = target();
        if target.read.is_some_and(|needed| !self.scope.viewer.may(needed)) {
            return Err(CatalogError::Forbidden(at.to_owned()));
        }
        let visible = target.visible(self.scope.viewer);
        Ok(Related { target, visible, filter: self.object(target, given, at)? })
    }
}

/// Records that are compared on the way to others.
struct Related {
    target: &'static Record,
    visible: Condition,
    filter: Condition,
}

impl Related {
    /// The values of a column of those that are visible and pass.
    fn ids(self, column: &'static str) -> sea_orm::sea_query::SelectStatement {
        let mut query = Query::select();
        query
            .from(self.target.table)
            .expr(self.target.column(column))
            // `NOT IN` a list with a missing value holds of nothing.
            .and_where(self.target.column(column).is_not_null())
            .cond_where(self.visible)
            .cond_where(self.filter);
        query
    }
}

/// The operators that a scalar has, as the API's filter types name them.
#[must_use]
pub fn operators(scalar: &Scalar) -> &'static [&'static str] {
    match scalar {
        Scalar::Text => &["eq", "ne", "in", "contains", "startsWith", "isNull"],
        Scalar::Id(_) => &["eq", "in", "isNull"],
        Scalar::Truth => &["eq"],
        Scalar::Choice(..) | Scalar::Currency => &["eq", "in", "notIn", "isNull"],
        Scalar::Instant => &["gte", "gt", "lte", "lt", "isNull"],
        Scalar::Day | Scalar::Whole | Scalar::Long | Scalar::Scaled(_) => {
            &["eq", "gte", "gt", "lte", "lt", "isNull"]
        }
        Scalar::Json => &["isNull"],
    }
}

/// What comparisons of a column mean.
pub(super) fn scalar_condition(
    column: &Expr,
    scalar: &Scalar,
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
        let one = || value(scalar, operand, &at);
        let some = || {
            let values = elements(operand).iter().map(|operand| value(scalar, operand, &at));
            // An id that names nothing matches nothing.
            Ok(values.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect::<Vec<_>>())
        };
        let column = column.clone();
        let part = || match operand.as_str() {
            Some(part) if part.chars().nth(LONGEST_PART).is_some() => {
                invalid(&at, format!("compare with at most {LONGEST_PART} characters"))
            }
            Some(part) => Ok(part),
            None => invalid(&at, "this is text"),
        };
        all = all.add(match operator.as_str() {
            "eq" => column.is_in(one()?),
            "ne" => column.is_not_in(one()?),
            "in" => column.is_in(some()?),
            "notIn" => column.is_not_in(some()?),
            "contains" => column.like(containing(part()?)),
            "startsWith" => column.like(starting(part()?)),
            "isNull" if operand == &Json::Bool(true) => column.is_null(),
            "isNull" => column.is_not_null(),
            comparison => {
                let Some(bound) = one()? else { return invalid(&at, "this has no order") };
                match comparison {
                    "gte" => column.gte(bound),
                    "gt" => column.gt(bound),
                    "lte" => column.lte(bound),
                    _ => column.lt(bound),
                }
            }
        });
    }
    Ok(all)
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
        Scalar::Scaled(scale) => match exact(given).and_then(|exact| scaled(exact, *scale)) {
            Some(exact) => exact.trunc().to_i64().unwrap_or(i64::MAX).into(),
            None => return wrong("decimal number"),
        },
        Scalar::Json => return wrong("comparable value"),
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
        let Some(bound) = exact(operand) else {
            return invalid(&format!("{at}.{operator}"), "this is no decimal number");
        };
        // Rounded inwards: a bound between two minor units means the nearest one that still holds.
        let bound = scaled(bound, currency.exponent()).unwrap_or(Decimal::MAX);
        all = all.add(match operator.as_str() {
            "gte" => amount.clone().gte(bound.ceil().to_i64().unwrap_or(i64::MAX)),
            "lte" => amount.clone().lte(bound.floor().to_i64().unwrap_or(i64::MIN)),
            _ => return invalid(at, "compare with `gte` and `lte`"),
        });
    }
    Ok(all)
}
