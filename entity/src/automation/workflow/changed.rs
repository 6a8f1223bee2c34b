//! Which events are changes that a workflow is started by: what a field held before, and what it holds since, as the
//! audit log says that is written in the transaction of each change.
//!
//! Invariant: one statement for a batch of events. Of several events about one change one counts.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use serde_json::Value as Json;

use super::day::CUSTOM;
use crate::access::audit;
use crate::automation::event;
use crate::catalog::{Record, Shape, named};
use crate::error::Error;

/// Where a record keeps a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    column: &'static str,
    /// The key of a custom field.
    key: Option<String>,
}

/// Where records keep the field; `None` for one that is no column of theirs.
pub(super) fn place(record: &Record, field: &str) -> Option<Place> {
    if let Some(key) = field.strip_prefix(CUSTOM) {
        let custom = record.fields.iter().find_map(|field| match &field.shape {
            Shape::Custom { column } => Some(*column),
            _ => None,
        });
        return Some(Place { column: custom?, key: Some(key.to_owned()) });
    }
    let found = record.field(field)?;
    let column = match &found.shape {
        Shape::Scalar { column, .. }
        | Shape::One { column, .. }
        | Shape::Money { amount: column, .. } => *column,
        _ => return None,
    };
    Some(Place { column, key: None })
}

/// The value as the audit log keeps it: ids without their prefixes.
pub(super) fn stored(value: &Json) -> Json {
    match value.as_str().and_then(named) {
        Some((_, id)) => id.to_string().into(),
        None => value.clone(),
    }
}

impl Place {
    fn of(&self, side: Option<&Json>) -> Json {
        let value = side.and_then(|side| side.get(self.column)).cloned().unwrap_or_default();
        match &self.key {
            Some(key) => value.get(key).cloned().unwrap_or_default(),
            None => value,
        }
    }

    /// Whether an entry says that it was changed from one of the values to another one of the others; any will do where
    /// none are named.
    fn is_changed(&self, entry: &audit::Model, from: Option<&[Json]>, to: Option<&[Json]>) -> bool {
        let (before, after) = (self.of(entry.before.as_ref()), self.of(entry.after.as_ref()));
        let among = |values: Option<&[Json]>, value: &Json| {
            values.is_none_or(|values| values.iter().any(|one| stored(one) == *value))
        };
        before != after && among(from, &before) && among(to, &after)
    }
}

/// The ids of those events that are such a change of a record of the kind.
pub(super) async fn changes(
    txn: &impl ConnectionTrait,
    record: &Record,
    place: &Place,
    (from, to): (Option<&[Json]>, Option<&[Json]>),
    events: &[&event::Model],
) -> Result<Vec<Uuid>, Error> {
    let about = |event: &event::Model| event.kind.record().is_some_and(|r| r.table == record.table);
    let events = events.iter().filter(|event| about(event)).collect::<Vec<_>>();
    let Some(first) = events.iter().map(|event| event.occurred_at).min() else {
        return Ok(Vec::new());
    };
    let records = events.iter().map(|event| event.subject_id).collect::<HashSet<_>>();
    // Ids of entries sort by time, to the millisecond.
    let millis = u128::try_from(first.timestamp_millis() - 1).unwrap_or_default();
    let entries = audit::Entity::find()
        .filter(audit::Column::RecordId.is_in(records))
        .filter(audit::Column::Id.gte(Uuid::from_u128(millis << 80)))
        .filter(audit::Column::RecordTable.eq(record.table))
        .filter(audit::Column::Action.eq(audit::Action::Updated));
    let mut changed = HashSet::<(Uuid, DateTime<Utc>)>::new();
    for entry in entries.all(txn).await? {
        if place.is_changed(&entry, from, to) {
            changed.insert((entry.record_id, entry.at));
        }
    }
    let mut is_change =
        |event: &&event::Model| changed.remove(&(event.subject_id, event.occurred_at));
    Ok(events
        .into_iter()
        .copied()
        .filter(|event| is_change(event))
        .map(|event| event.id.0)
        .collect())
}
