//! What is sent: an event, with its record as it is when that is planned.
//!
//! Invariant: a record has its public names, and no field that needs a permission of its own.

use std::collections::HashMap;

use sea_orm::ActiveEnum;
use sea_orm::prelude::*;
use sea_orm::sea_query::{ExprTrait, Query};
use serde_json::{Value, json};

use crate::automation::event;
use crate::catalog::{Record, Scalar, Shape, global, read_money, write_cell};
use crate::error::Error;
use crate::id::Id;

/// The bodies of events, in their order.
///
/// # Errors
/// The database.
pub(super) async fn bodies(
    db: &impl ConnectionTrait,
    events: &[&event::Model],
) -> Result<Vec<String>, Error> {
    let mut subjects: HashMap<&'static str, (&'static Record, Vec<Uuid>)> = HashMap::new();
    for event in events {
        if let Some(record) = event.kind.record() {
            subjects
                .entry(record.table)
                .or_insert_with(|| (record, Vec::new()))
                .1
                .push(event.subject_id);
        }
    }
    let mut known = HashMap::new();
    for (record, ids) in subjects.into_values() {
        known.extend(snapshots(db, record, ids).await?);
    }
    let body = |event: &&event::Model| {
        let prefix = event.kind.record().map(|record| record.prefix);
        json!({
            "type": event.kind.to_value(),
            "timestamp": event.occurred_at.to_rfc3339(),
            "data": {
                "eventId": event.id.global(),
                "userId": event.actor_id.map(Id::global),
                "customerId": event.customer_id.map(Id::global),
                "recordId": prefix.map(|prefix| global(prefix, event.subject_id)),
                "record": known.get(&event.subject_id),
            },
        })
        .to_string()
    };
    Ok(events.iter().map(body).collect())
}

/// Records as JSON, by their ids; those that are gone are left out.
pub(super) async fn snapshots(
    db: &impl ConnectionTrait,
    record: &'static Record,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, Value>, DbErr> {
    let fields = record.fields.iter().filter(|field| field.guard.is_none() && !field.hidden);
    let mut query = Query::select();
    query.from(record.table).and_where(record.column("id").is_in(ids)).expr(record.column("id"));
    let mut shown = Vec::new();
    for field in fields {
        let columns = match &field.shape {
            Shape::Scalar { column, .. } | Shape::One { column, .. } => vec![*column],
            Shape::Money { amount, currency } => vec![*amount, *currency],
            _ => continue,
        };
        shown.push(field);
        for column in columns {
            query.expr(record.column(column));
        }
    }
    let mut found = HashMap::new();
    for row in db.query_all(&query).await? {
        let (id, mut cell) = (row.try_get_by_index(0)?, 1);
        let mut object = serde_json::Map::new();
        for field in &shown {
            let (name, value) = match &field.shape {
                Shape::Money { .. } => {
                    let money = read_money(&row, (cell, cell + 1))?;
                    cell += 2;
                    let money = money.map(|money| {
                        json!({ "amount": money.to_decimal().to_string(), "currency": money.currency.code() })
                    });
                    (field.name.clone(), money.unwrap_or_default())
                }
                shape => {
                    let (name, scalar) = match shape {
                        Shape::One { target, .. } => {
                            (format!("{}Id", field.name), Scalar::Id(target().prefix))
                        }
                        Shape::Scalar { scalar, .. } => (field.name.clone(), scalar.clone()),
                        _ => continue,
                    };
                    let mut text = Vec::new();
                    write_cell(&row, cell, &scalar, &mut text)?;
                    cell += 1;
                    (name, serde_json::from_slice(&text).unwrap_or_default())
                }
            };
            object.insert(name, value);
        }
        found.insert(id, Value::Object(object));
    }
    Ok(found)
}
