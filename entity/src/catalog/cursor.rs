//! Cursors: the values of a list's order and the id, so that a page starts where the last one ended.
//!
//! Invariant: a cursor of another order is refused, for it would silently give the wrong page.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::Value;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::CatalogError;

/// A place in a list.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cursor {
    /// Which order it belongs to.
    pub order: String,
    /// The values of the order's columns, `None` for a missing one.
    pub keys: Vec<Option<Key>>,
    /// The row.
    pub id: Uuid,
}

/// A value that rows are ordered by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Key {
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
    /// Yes or no.
    Truth(bool),
    /// An instant.
    Instant(DateTime<Utc>),
    /// A calendar day.
    Day(NaiveDate),
    /// An id.
    Id(Uuid),
}

impl From<Key> for Value {
    fn from(key: Key) -> Self {
        match key {
            Key::Text(text) => text.into(),
            Key::Number(number) => number.into(),
            Key::Truth(truth) => truth.into(),
            Key::Instant(instant) => instant.into(),
            Key::Day(day) => day.into(),
            Key::Id(id) => id.into(),
        }
    }
}

impl Cursor {
    /// Its opaque form: lower-case hexadecimal JSON.
    #[must_use]
    pub fn encode(&self) -> String {
        crate::text::hex(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// The place that `text`, which stands at `at`, means in a list in `order` of `keys` columns.
    ///
    /// # Errors
    /// When it is no cursor, or one of another order.
    pub fn decode(text: &str, order: &str, keys: usize, at: &str) -> Result<Self, CatalogError> {
        let pairs = text.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let cursor = pairs
            .map(byte)
            .collect::<Option<Vec<_>>>()
            .and_then(|json| serde_json::from_slice::<Self>(&json).ok());
        let refused = |message: &str| {
            Err(CatalogError::Invalid { at: at.to_owned(), message: message.to_owned() })
        };
        match cursor {
            Some(cursor) if cursor.order == order && cursor.keys.len() == keys => Ok(cursor),
            Some(_) => refused("the cursor belongs to another orderBy; start again without it"),
            None => refused("this is no cursor; take it from pageInfo or an edge"),
        }
    }
}
