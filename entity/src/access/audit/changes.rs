//! Entries as the API shows them: columns by their fields' names, references as ids.

use std::collections::HashMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::entity::prelude::*;
use serde_json::{Value, json};

use super::{Column, Entity, Model};
use crate::catalog::{Datum, Record, Scalar, Shape, by_table, camel, global};

/// For each entry, the id of its record.
pub(super) fn record_id<'a>(
    db: &'a DatabaseConnection,
    ids: &'a [Uuid],
    _: &'a Value,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    each(db, ids, |entry| {
        let record = by_table(&entry.record_table);
        record.map_or(Datum::Null, |record| {
            Datum::Json(global(record.prefix, entry.record_id).into())
        })
    })
}

/// For each entry, what was changed.
pub(super) fn changes<'a>(
    db: &'a DatabaseConnection,
    ids: &'a [Uuid],
    _: &'a Value,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    each(db, ids, |entry| Datum::Json(shown(entry)))
}

fn each<'a>(
    db: &'a DatabaseConnection,
    ids: &'a [Uuid],
    datum: fn(&Model) -> Datum,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    async move {
        let found = Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(db).await?;
        let found: HashMap<Uuid, Datum> =
            found.iter().map(|entry| (entry.id.0, datum(entry))).collect();
        Ok(ids.iter().map(|id| found.get(id).cloned().unwrap_or(Datum::Null)).collect())
    }
    .boxed()
}

fn shown(entry: &Model) -> Value {
    let record = by_table(&entry.record_table);
    let side = |side: &Option<Value>, column: &str| {
        side.as_ref().and_then(|side| side.get(column)).cloned().unwrap_or_default()
    };
    let columns = entry.after.as_ref().or(entry.before.as_ref()).and_then(Value::as_object);
    let columns = columns.into_iter().flat_map(|columns| columns.keys());
    let changes = columns.map(|column| {
        let (name, prefix) = field(record, column);
        let shown = |value: Value| match (prefix, value.as_str().and_then(|id| id.parse().ok())) {
            (Some(prefix), Some(id)) => global(prefix, id).into(),
            _ => value,
        };
        json!({
            "field": name,
            "before": shown(side(&entry.before, column)),
            "after": shown(side(&entry.after, column)),
        })
    });
    changes.collect()
}

/// The name of a column's field, and the prefix of what it refers to.
fn field(record: Option<&Record>, column: &str) -> (String, Option<&'static str>) {
    let fields = record.into_iter().flat_map(|record| &record.fields);
    let mut reference = None;
    for field in fields {
        match &field.shape {
            Shape::Scalar { column: source, scalar } if *source == column => {
                let prefix = if let Scalar::Id(prefix) = scalar { Some(*prefix) } else { None };
                return (field.name.clone(), prefix);
            }
            Shape::Money { amount, .. } if *amount == column => return (field.name.clone(), None),
            Shape::One { column: source, target } if *source == column => {
                reference = Some(target().prefix);
            }
            _ => {}
        }
    }
    (camel(column), reference)
}
