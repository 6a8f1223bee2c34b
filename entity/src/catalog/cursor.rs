//! Cursors: the values of a list's order and the id, so that a page starts where the last one ended.
//!
//! Invariant: a cursor of another order is refused, for it would silently give the wrong page, and so is one
//! whose keys are no values of the order's columns: cursors are opaque, but anybody can write one.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use sea_orm::Value;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{CatalogError, Scalar};

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

impl Key {
    /// Whether a column of the kind could have it, on either database.
    fn is(&self, scalar: &Scalar) -> bool {
        match (self, scalar) {
            (Self::Text(text), Scalar::Text | Scalar::Currency | Scalar::Choice(..)) => {
                !text.contains('\0')
            }
            (Self::Number(_), Scalar::Whole | Scalar::Long | Scalar::Scaled(_))
            | (Self::Truth(_), Scalar::Truth)
            | (Self::Id(_), Scalar::Id(_)) => true,
            (Self::Instant(instant), Scalar::Instant) => (0..=9_999).contains(&instant.year()),
            (Self::Day(day), Scalar::Day) => (0..=9_999).contains(&day.year()),
            _ => false,
        }
    }
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

    /// The place that `text`, which stands at `at`, means in a list in `order`, whose columns hold `scalars`,
    /// and nothing only where that may be.
    ///
    /// # Errors
    /// When it is no cursor, or one of another order.
    pub(crate) fn decode<'a>(
        text: &str,
        order: &str,
        scalars: impl ExactSizeIterator<Item = (&'a Scalar, bool)>,
        at: &str,
    ) -> Result<Self, CatalogError> {
        let pairs = text.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let cursor = pairs
            .map(byte)
            .collect::<Option<Vec<_>>>()
            .and_then(|json| serde_json::from_slice::<Self>(&json).ok());
        let refused = |message: &str| {
            Err(CatalogError::Invalid { at: at.to_owned(), message: message.to_owned() })
        };
        let fits = |(key, (scalar, nullable)): (&Option<Key>, (&Scalar, bool))| match key {
            Some(key) => key.is(scalar),
            None => nullable,
        };
        match cursor {
            Some(cursor)
                if cursor.order == order
                    && cursor.keys.len() == scalars.len()
                    && cursor.keys.iter().zip(scalars).all(fits) =>
            {
                Ok(cursor)
            }
            Some(_) => refused("the cursor belongs to another orderBy; start again without it"),
            None => refused("this is no cursor; take it from pageInfo or an edge"),
        }
    }
}
