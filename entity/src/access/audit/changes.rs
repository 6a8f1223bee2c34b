//! Entries as the API shows them: columns by their fields' names, references as ids.
//!
//! Invariant: a value that a viewer may not see in the record is not shown to them here either.

use std::collections::{BTreeSet, HashMap};

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::entity::prelude::*;
use serde_json::{Value, json};

use super::{Column, Entity, Model};
use crate::access::Viewer;
use crate::catalog::{Datum, Record, Scalar, Shape, by_table, camel, global};
use crate::customers::custom;

/// What stands for a value that is not shown. Triggers write the same for secrets.
const HIDDEN: &str = "(hidden)";

/// For each entry, the id of its record.
pub(super) fn record_id<'a>(
    db: &'a DatabaseConnection,
    _: &'a Viewer,
    ids: &'a [Uuid],
    _: &'a Value,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    async move {
        let found = found(db, ids).await?;
        Ok(each(ids, &found, |entry| match by_table(&entry.record_table) {
            Some(record) => Datum::Json(global(record.prefix, entry.record_id).into()),
            None => Datum::Null,
        }))
    }
    .boxed()
}

/// For each entry, what was changed.
pub(super) fn changes<'a>(
    db: &'a DatabaseConnection,
    viewer: &'a Viewer,
    ids: &'a [Uuid],
    _: &'a Value,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    async move {
        let found = found(db, ids).await?;
        let mut fields = Vec::new();
        if found.iter().any(|entry| custom_column(entry).is_some()) {
            fields = custom::definition::in_use(db).await?;
            fields.retain(|field| field.is_visible_to(viewer));
        }
        Ok(each(ids, &found, |entry| Datum::Json(shown(entry, &fields))))
    }
    .boxed()
}

async fn found(db: &DatabaseConnection, ids: &[Uuid]) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(db).await
}

/// The datum of each entry, in the order of `ids`.
fn each(ids: &[Uuid], found: &[Model], datum: impl Fn(&Model) -> Datum) -> Vec<Datum> {
    let found: HashMap<Uuid, &Model> = found.iter().map(|entry| (entry.id.0, entry)).collect();
    ids.iter().map(|id| found.get(id).map_or(Datum::Null, |entry| datum(entry))).collect()
}

/// What an entry says was changed, to who sees the custom `fields`.
fn shown(entry: &Model, fields: &[custom::Model]) -> Value {
    let record = by_table(&entry.record_table);
    let values = custom_column(entry);
    let columns = entry.after.as_ref().or(entry.before.as_ref()).and_then(Value::as_object);
    let columns = columns.into_iter().flat_map(|columns| columns.keys());
    let changes = columns.flat_map(|column| {
        let (before, after) =
            (side(entry.before.as_ref(), column), side(entry.after.as_ref(), column));
        if values.is_some_and(|values| values == column) {
            return custom_changes(&before, &after, fields);
        }
        let (name, prefix) = field(record, column);
        let shown = |value: Value| match (prefix, value.as_str().and_then(|id| id.parse().ok())) {
            (Some(prefix), Some(id)) => global(prefix, id).into(),
            _ => value,
        };
        vec![change(&name, &shown(before), &shown(after))]
    });
    changes.collect()
}

fn side(side: Option<&Value>, column: &str) -> Value {
    side.and_then(|side| side.get(column)).cloned().unwrap_or_default()
}

fn change(field: &str, before: &Value, after: &Value) -> Value {
    json!({ "field": field, "before": before, "after": after })
}

/// The column of an entry that holds the values of custom fields, if it has one.
fn custom_column(entry: &Model) -> Option<&'static str> {
    let fields = &by_table(&entry.record_table)?.fields;
    let column = fields.iter().find_map(|field| match &field.shape {
        Shape::Custom { column } => Some(*column),
        _ => None,
    })?;
    let sides = [&entry.before, &entry.after];
    sides.into_iter().flatten().any(|side| side.get(column).is_some()).then_some(column)
}

/// What was changed of custom fields: values of those that are not among `fields` are hidden.
fn custom_changes(before: &Value, after: &Value, fields: &[custom::Model]) -> Vec<Value> {
    let sides = [before, after];
    let keys = sides.into_iter().filter_map(Value::as_object).flat_map(|values| values.keys());
    let keys: BTreeSet<&String> = keys.filter(|key| before.get(key) != after.get(key)).collect();
    let changes = keys.into_iter().map(|key| {
        let field = fields.iter().find(|field| field.key == *key);
        let value = |side: &Value| match (side.get(key), field) {
            (None | Some(Value::Null), _) => Value::Null,
            (Some(_), Some(field)) => custom::shown(field, side),
            (Some(_), None) => HIDDEN.into(),
        };
        change(&format!("customFields.{key}"), &value(before), &value(after))
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
