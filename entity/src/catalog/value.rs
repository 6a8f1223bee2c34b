//! Fields of records as values, for what is written about them: mails, letters.
//!
//! Invariant: only what everybody may see who sees the record has values here.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbErr};
use uuid::Uuid;

use super::{Cell, Field, Record, Scalar, Shape, by_keys, cell, read_money};
use crate::access::Viewer;
use crate::money::Money;

/// What a field of a record holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// What a cell of a table holds.
    Cell(Cell),
    /// An amount.
    Money(Money),
}

/// The names of the fields that have values.
pub fn sayable(record: &Record) -> impl Iterator<Item = &str> {
    let plain = |field: &&Field| match &field.shape {
        Shape::Scalar { scalar, .. } => *scalar != Scalar::Json,
        Shape::Money { .. } => true,
        _ => false,
    };
    let fields = record.fields.iter().filter(|field| !field.hidden && field.guard.is_none());
    fields.filter(plain).map(|field| field.name.as_str())
}

/// The values of some fields of records, by their ids; an empty one where the record has none. What is no field that
/// has values is left out.
///
/// # Errors
/// The database.
pub async fn values(
    db: &impl ConnectionTrait,
    record: &'static Record,
    viewer: &Viewer,
    names: &[String],
    ids: &[Uuid],
) -> Result<HashMap<Uuid, HashMap<String, Value>>, DbErr> {
    let known: Vec<_> =
        sayable(record).filter(|name| names.iter().any(|one| one == name)).collect();
    let fields: Vec<_> = known.into_iter().filter_map(|name| record.field(name)).collect();
    let mut cells = vec!["id"];
    for field in &fields {
        match &field.shape {
            Shape::Scalar { column, .. } => cells.push(column),
            Shape::Money { amount, currency } => cells.extend([amount, currency]),
            _ => {}
        }
    }
    let query = by_keys(db.get_database_backend(), record, viewer, &cells, ("id", ids), None);
    let mut values = HashMap::with_capacity(ids.len());
    for row in db.query_all(&query).await? {
        let Some(id) = cell::read_id(&row, 0)? else { continue };
        let mut place = 1;
        let mut own = HashMap::with_capacity(fields.len());
        for field in &fields {
            let value = match &field.shape {
                Shape::Money { .. } => {
                    let money = read_money(&row, (place, place + 1))?;
                    place += 2;
                    money.map_or(Value::Cell(Cell::Empty), Value::Money)
                }
                Shape::Scalar { scalar, .. } => {
                    place += 1;
                    Value::Cell(cell::read(&row, place - 1, scalar)?)
                }
                _ => continue,
            };
            own.insert(field.name.clone(), value);
        }
        values.insert(id, own);
    }
    Ok(values)
}
