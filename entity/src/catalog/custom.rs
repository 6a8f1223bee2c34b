//! Custom fields as columns of customers: where a value is in SQL, and how it is compared.
//!
//! Invariant: of a definition nothing gets into SQL but its key, which has only letters, digits and
//! underscores; values are bound.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use sea_orm::sea_query::extension::postgres::PgExpr;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use sea_orm::{Condition, DbBackend};
use serde_json::{Map, Value as Json, json};

use super::compare::{amount_condition, elements, invalid, scalar_condition};
use super::{CatalogError, Ordering, Record, Scalar, Scope};
use crate::customers::custom::{Kind, Model, SCALE};

/// The column that holds all values of a row.
pub(super) const VALUES: &str = "custom";

/// What a field's values are as a column.
fn scalar(field: &Model) -> Scalar {
    match field.kind {
        Kind::Text | Kind::Link => Scalar::Text,
        Kind::Number | Kind::Money => Scalar::Long,
        Kind::Decimal => Scalar::Scaled(SCALE),
        Kind::Date => Scalar::Day,
        Kind::Instant => Scalar::Instant,
        Kind::Boolean => Scalar::Truth,
        Kind::Choice => Scalar::Choice("CustomFieldChoice", field.allowed()),
        Kind::MultiChoice => Scalar::Json,
    }
}

/// The expression that gives a field's value, or for an amount one of its parts.
fn source(backend: DbBackend, field: &Model, part: Option<&str>) -> &'static str {
    let key = &field.key;
    if backend != DbBackend::Postgres {
        let part = part.map(|part| format!(".{part}")).unwrap_or_default();
        return interned(format!("(json_extract({VALUES}, '$.{key}{part}'))"));
    }
    let text = match part {
        Some(part) => format!("{VALUES} -> '{key}' ->> '{part}'"),
        None => format!("{VALUES} ->> '{key}'"),
    };
    let kind = match (field.kind, part) {
        (Kind::Number | Kind::Decimal, _) | (Kind::Money, Some("minor")) => "bigint",
        (Kind::Date, _) => "date",
        (Kind::Instant, _) => "timestamptz",
        (Kind::Boolean, _) => "boolean",
        _ => return interned(format!("({text})")),
    };
    interned(format!("(CAST({text} AS {kind}))"))
}

/// The one copy of `text` that lives as long as the process. There are no more of them than custom
/// fields have been defined, times their types.
fn interned(text: String) -> &'static str {
    static TEXTS: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = texts.get(text.as_str()) {
        return known;
    }
    let text: &'static str = text.leak();
    texts.insert(text);
    text
}

/// The field with a key, if who asks may see it.
fn find<'a>(scope: Scope<'a>, key: &Json, at: &str) -> Result<&'a Model, CatalogError> {
    let key = key.as_str().unwrap_or_default();
    let fields = scope.custom.get().unwrap_or_default();
    let Some(field) = fields.iter().find(|field| field.key == key) else {
        return invalid(at, format!("there is no custom field {key}"));
    };
    match field.is_visible_to(scope.viewer) {
        true => Ok(field),
        false => Err(CatalogError::Forbidden(at.to_owned())),
    }
}

/// Where the values of the field with a key are, and what they are, if who asks may see it.
///
/// # Errors
/// [`CatalogError`] when there is no such field, when it is an amount or a list of choices, and when they may not.
pub(crate) fn column(
    scope: Scope<'_>,
    key: &str,
    at: &str,
) -> Result<(&'static str, Scalar), CatalogError> {
    let field = find(scope, &key.into(), at)?;
    match field.kind {
        Kind::Money | Kind::MultiChoice => invalid(at, "this field has several values"),
        _ => Ok((source(scope.backend, field, None), scalar(field))),
    }
}

/// What a list of comparisons of custom fields means.
pub(super) fn condition(
    record: &Record,
    scope: Scope<'_>,
    given: &Json,
    at: &str,
) -> Result<Condition, CatalogError> {
    let mut all = Condition::all();
    for (position, entry) in elements(given).iter().enumerate() {
        let at = format!("{at}.{position}");
        let field = find(scope, &entry["field"], &at)?;
        let mut operators = entry.as_object().cloned().unwrap_or_else(Map::new);
        operators.remove("field");
        match operators.remove("isNull") {
            Some(Json::Bool(true)) => all = all.add(has_value(scope.backend, field).not()),
            Some(Json::Bool(false)) => all = all.add(has_value(scope.backend, field)),
            _ => {}
        }
        operators.retain(|_, operand| *operand != Json::Null);
        if !operators.is_empty() {
            all = all.add(comparison(record, scope, field, operators, &at)?);
        }
    }
    Ok(all)
}

fn comparison(
    record: &Record,
    scope: Scope<'_>,
    field: &Model,
    operators: Map<String, Json>,
    at: &str,
) -> Result<Condition, CatalogError> {
    let backend = scope.backend;
    match field.kind {
        Kind::Money => {
            let amount = record.column(source(backend, field, Some("minor")));
            let currency = record.column(source(backend, field, Some("currency")));
            amount_condition(&amount, &currency, &operators.into(), at)
        }
        Kind::MultiChoice => {
            let mut all = Condition::all();
            for (operator, operand) in operators {
                let chosen = elements(&operand).iter().filter_map(Json::as_str);
                let chosen: Vec<_> = chosen.map(str::to_owned).collect();
                let any = has_any(backend, field, &chosen);
                all = match operator.as_str() {
                    "in" => all.add(any),
                    "notIn" => all.add(has_value(backend, field)).add(any.not()),
                    _ => return invalid(at, "compare with `in`, `notIn` or `isNull`"),
                };
            }
            Ok(all)
        }
        _ => {
            let column = record.column(source(backend, field, None));
            let exactly = operators.get("eq").filter(|_| backend == DbBackend::Postgres);
            let indexed = exactly.and_then(|value| stored(field, value));
            let calendar = scope.viewer.calendar();
            let exact = scalar_condition(&column, &scalar(field), calendar, &operators.into(), at)?;
            // The index on all values finds a text or a truth; the comparison is the same.
            Ok(exact.add_option(indexed.map(|value| has(field, &value))))
        }
    }
}

/// The stored form of a value whose given form is the same.
fn stored(field: &Model, given: &Json) -> Option<Json> {
    let same = matches!(field.kind, Kind::Text | Kind::Link | Kind::Choice | Kind::Boolean);
    same.then(|| given.clone())
}

/// Whether a row has this very value, on PostgreSQL.
fn has(field: &Model, value: &Json) -> Expr {
    let key = field.key.clone();
    Expr::col(VALUES).contains(Expr::val(json!({ key: value })))
}

/// Which rows have a value.
pub(crate) fn has_value(backend: DbBackend, field: &Model) -> Condition {
    let source = match backend {
        DbBackend::Postgres => interned(format!("({VALUES} -> '{}')", field.key)),
        _ => interned(format!("(json_extract({VALUES}, '$.{}'))", field.key)),
    };
    Condition::all().add(Expr::cust(source).is_not_null())
}

/// Which rows have at least one of the `choices`.
pub(crate) fn has_any(backend: DbBackend, field: &Model, choices: &[String]) -> Condition {
    if choices.is_empty() {
        return Condition::all().add(Expr::val(false));
    }
    match (backend, field.kind) {
        (DbBackend::Postgres, kind) => choices.iter().fold(Condition::any(), |any, choice| {
            let value = match kind {
                Kind::MultiChoice => json!([choice]),
                _ => json!(choice),
            };
            any.add(has(field, &value))
        }),
        (_, Kind::MultiChoice) => {
            let path = Expr::val(format!("$.{}", field.key));
            let mut query = Query::select();
            query
                .expr(Expr::val(1))
                .from_function(Func::cust("json_each").args([Expr::col(VALUES), path]), "chosen")
                .and_where(Expr::col(("chosen", "value")).is_in(choices));
            Condition::all().add(Expr::exists(query))
        }
        _ => {
            let column = Expr::cust(source(backend, field, None));
            Condition::all().add(column.is_in(choices))
        }
    }
}

/// How a list is ordered by a custom field.
pub(super) fn ordering(scope: Scope<'_>, given: &Json, at: &str) -> Result<Ordering, CatalogError> {
    let field = find(scope, &given["customField"], at)?;
    let part = match field.kind {
        Kind::MultiChoice => return invalid(at, "a field of several choices has no order"),
        Kind::Money => Some("minor"),
        _ => None,
    };
    Ok(Ordering {
        column: source(scope.backend, field, part),
        scalar: scalar(field),
        nullable: true,
        descending: given["direction"] == "DESC",
        nulls_first: given["nulls"] == "FIRST",
    })
}
