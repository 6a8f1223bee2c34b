//! The days that workflows go by: a field of the record that is a day or an instant, or a custom field that is.

use sea_orm::sea_query::Expr;

use crate::catalog::{CatalogError, Field, Record, Scalar, Scope, custom};

/// What comes before the key of a custom field.
pub(super) const CUSTOM: &str = "customFields.";

/// Where records have a day, and whether it is a day or an instant.
///
/// # Errors
/// Why it is none, for whoever wrote the workflow.
pub(super) fn day(
    record: &Record,
    field: &str,
    scope: Scope<'_>,
) -> Result<(Expr, Scalar), CatalogError> {
    let found = match field.strip_prefix(CUSTOM) {
        Some(key) if record.has_custom_fields() => Some(custom::column(scope, key, field)?),
        _ => record.field(field).and_then(Field::column).map(|(at, scalar)| (at, scalar.clone())),
    };
    match found {
        Some((source, scalar @ (Scalar::Day | Scalar::Instant))) => {
            Ok((record.column(source), scalar))
        }
        _ => Err(CatalogError::Invalid {
            at: field.to_owned(),
            message: format!("{} has no such day or instant", record.name),
        }),
    }
}
