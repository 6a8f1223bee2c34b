//! Cursors: the values of a list's order and the id, so that a page starts where the last one ended.
//!
//! Invariant: a cursor of another order is refused, for it would silently give the wrong page.

use sea_orm::Value;
use sea_orm::entity::prelude::DateTimeUtc;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Fault;

/// A place in a list.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cursor {
    /// Which order it belongs to.
    order: String,
    /// The values of the order's columns.
    keys: Vec<Option<Key>>,
    /// The row.
    pub id: Uuid,
}

/// A value that rows are ordered by.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Key {
    Text(String),
    Number(i64),
    Truth(bool),
    Instant(DateTimeUtc),
    Day(chrono::NaiveDate),
    Id(Uuid),
}

impl Cursor {
    /// The place of a row with these `keys` in a list in `order`.
    pub fn new(order: &str, keys: Vec<Value>, id: Uuid) -> Self {
        Self { order: order.to_owned(), keys: keys.into_iter().map(key).collect(), id }
    }

    /// Its opaque form: lower-case hexadecimal JSON.
    pub fn encode(&self) -> String {
        entity::text::hex(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// The place that `text` means in a list in `order`.
    ///
    /// # Errors
    /// When it is no cursor, or one of another order.
    pub fn decode(text: &str, order: &str) -> Result<Self, Fault> {
        let pairs = text.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let cursor = pairs
            .map(byte)
            .collect::<Option<Vec<_>>>()
            .and_then(|json| serde_json::from_slice::<Self>(&json).ok());
        match cursor {
            Some(cursor) if cursor.order == order => Ok(cursor),
            Some(_) => Err(Fault::bad_request(
                "the cursor belongs to another orderBy; start again without it",
            )),
            None => Err(Fault::bad_request("this is no cursor; take it from pageInfo or an edge")),
        }
    }

    /// The values to compare with, `None` for a missing one.
    pub fn keys(&self) -> impl Iterator<Item = Option<Value>> + '_ {
        self.keys.iter().map(|key| key.clone().map(value))
    }
}

fn key(value: Value) -> Option<Key> {
    match value {
        Value::String(text) => text.map(Key::Text),
        Value::BigInt(number) => number.map(Key::Number),
        Value::Int(number) => number.map(|number| Key::Number(number.into())),
        Value::Bool(truth) => truth.map(Key::Truth),
        Value::ChronoDateTimeUtc(instant) => instant.map(Key::Instant),
        Value::ChronoDate(day) => day.map(Key::Day),
        Value::Uuid(id) => id.map(Key::Id),
        _ => None,
    }
}

fn value(key: Key) -> Value {
    match key {
        Key::Text(text) => text.into(),
        Key::Number(number) => number.into(),
        Key::Truth(truth) => truth.into(),
        Key::Instant(instant) => instant.into(),
        Key::Day(day) => day.into(),
        Key::Id(id) => id.into(),
    }
}
