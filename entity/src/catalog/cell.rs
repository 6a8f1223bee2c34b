//! Cells of rows as JSON, straight from what the database sent.
//!
//! Invariant: a cell that has not the type of its declaration is an error, never a silent null.

use std::io::Write;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sea_orm::sqlx::{self, Row};
use sea_orm::{DbErr, QueryResult};
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

use super::{Cell, Key, Scalar, undecodable};
use crate::money::{Currency, Money};

/// The value at `index` of a row, on either database.
macro_rules! cell {
    ($row:expr, $index:expr, $kind:ty) => {
        match ($row.try_as_pg_row(), $row.try_as_sqlite_row()) {
            (Some(row), _) => row.try_get::<Option<$kind>, _>($index).map_err(undecodable),
            (_, Some(row)) => row.try_get::<Option<$kind>, _>($index).map_err(undecodable),
            _ => Err(undecodable("neither PostgreSQL nor SQLite")),
        }
    };
}

/// The id at `index`, such as a reference to another record.
///
/// # Errors
/// [`DbErr::Type`] for a cell that is none.
pub fn read_id(row: &QueryResult, index: usize) -> Result<Option<Uuid>, DbErr> {
    cell!(row, index, Uuid)
}

/// Writes the cell at `index` as JSON; gives whether it has a value.
///
/// # Errors
/// [`DbErr::Type`] for a cell that is no `scalar`.
pub fn write_cell(
    row: &QueryResult,
    index: usize,
    scalar: &Scalar,
    out: &mut Vec<u8>,
) -> Result<bool, DbErr> {
    match scalar {
        Scalar::Id(prefix) => {
            let Some(id) = read_id(row, index)? else { return Ok(false) };
            write_id(prefix, id, out);
        }
        Scalar::Text | Scalar::Currency | Scalar::Choice(..) => {
            let Some(text) = cell!(row, index, &str)? else { return Ok(false) };
            write_text(text, out);
        }
        Scalar::Whole => {
            let Some(number) = cell!(row, index, i32)? else { return Ok(false) };
            put(out, format_args!("{number}"))?;
        }
        Scalar::Long => {
            let Some(number) = cell!(row, index, i64)? else { return Ok(false) };
            put(out, format_args!("{number}"))?;
        }
        Scalar::Scaled(scale) => {
            let Some(number) = number(row, index)? else { return Ok(false) };
            put(out, format_args!("\"{}\"", Decimal::new(number, *scale).normalize()))?;
        }
        Scalar::Truth => {
            let Some(truth) = cell!(row, index, bool)? else { return Ok(false) };
            put(out, format_args!("{truth}"))?;
        }
        Scalar::Instant => {
            let Some(instant) = cell!(row, index, DateTime<Utc>)? else { return Ok(false) };
            put(out, format_args!("\"{}\"", instant.to_rfc3339()))?;
        }
        Scalar::Day => {
            let Some(day) = cell!(row, index, NaiveDate)? else { return Ok(false) };
            put(out, format_args!("\"{day}\""))?;
        }
        Scalar::Json => {
            let Some(json) = cell!(row, index, sqlx::types::JsonValue)? else { return Ok(false) };
            serde_json::to_writer(&mut *out, &json).map_err(undecodable)?;
        }
    }
    Ok(true)
}

/// Writes the outward form of an id as JSON: 26 letters of five bits each behind the prefix, which is
/// one that the catalogue declares.
fn write_id(prefix: &str, id: Uuid, out: &mut Vec<u8>) {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let (bits, mut text) = (id.as_u128(), [0; 26]);
    for (place, letter) in text.iter_mut().rev().enumerate() {
        *letter = LETTERS[(bits >> (5 * place)) as usize & 31];
    }
    out.push(b'"');
    out.extend_from_slice(prefix.as_bytes());
    out.push(b'_');
    out.extend_from_slice(&text);
    out.push(b'"');
}

/// The outward form of an id: an empty text for a prefix that there cannot be.
#[must_use]
pub fn global(prefix: &str, id: Uuid) -> String {
    let prefix = DynamicType::new(prefix);
    prefix.map_or_else(
        |_| String::new(),
        |prefix| TypeSafeId::from_type_and_uuid(prefix, id).to_string(),
    )
}

/// The cell at `index` as a value of a table.
///
/// # Errors
/// [`DbErr::Type`] for a cell that is no `scalar`.
pub(super) fn read(row: &QueryResult, index: usize, scalar: &Scalar) -> Result<Cell, DbErr> {
    let cell = match scalar {
        Scalar::Id(prefix) => read_id(row, index)?.map(|id| Cell::Text(global(prefix, id))),
        Scalar::Text | Scalar::Currency | Scalar::Choice(..) => {
            cell!(row, index, &str)?.map(|text| Cell::Text(text.to_owned()))
        }
        Scalar::Whole | Scalar::Long => {
            number(row, index)?.map(|number| Cell::Number(number.into()))
        }
        Scalar::Scaled(scale) => {
            let decimal = |number| Decimal::new(number, *scale).normalize();
            number(row, index)?.map(|number| Cell::Number(decimal(number)))
        }
        Scalar::Truth => cell!(row, index, bool)?.map(Cell::Truth),
        Scalar::Instant => cell!(row, index, DateTime<Utc>)?.map(Cell::Instant),
        Scalar::Day => cell!(row, index, NaiveDate)?.map(Cell::Day),
        Scalar::Json => {
            let json = cell!(row, index, sqlx::types::JsonValue)?;
            json.map(|json| Cell::Text(json.to_string()))
        }
    };
    Ok(cell.unwrap_or(Cell::Empty))
}

/// The amount whose minor units and currency are at two indexes.
///
/// # Errors
/// [`DbErr::Type`] for a currency that there is none of.
pub fn read_money(
    row: &QueryResult,
    (amount, currency): (usize, usize),
) -> Result<Option<Money>, DbErr> {
    let Some(minor) = number(row, amount)? else { return Ok(None) };
    let Some(code) = cell!(row, currency, &str)? else { return Ok(None) };
    let currency: Currency = code.parse().map_err(undecodable)?;
    Ok(Some(Money::new(minor, currency)))
}

/// Writes an amount as JSON: a text with exactly the currency's number of decimals.
pub fn write_amount(amount: Money, out: &mut Vec<u8>) {
    let sign = if amount.minor < 0 { "-" } else { "" };
    let (minor, places) = (amount.minor.unsigned_abs(), amount.currency.exponent());
    let unit = 10_u64.pow(places);
    let (whole, part, width) = (minor / unit, minor % unit, places as usize);
    let _ = match places {
        0 => write!(out, "\"{sign}{whole}\""),
        _ => write!(out, "\"{sign}{whole}.{part:0width$}\""),
    };
}

/// The JSON at `index`; null when there is none.
///
/// # Errors
/// [`DbErr::Type`] for anything else.
pub fn read_json(row: &QueryResult, index: usize) -> Result<serde_json::Value, DbErr> {
    Ok(cell!(row, index, sqlx::types::JsonValue)?.unwrap_or_default())
}

/// A whole number, whatever its width.
fn number(row: &QueryResult, index: usize) -> Result<Option<i64>, DbErr> {
    match cell!(row, index, i64) {
        Ok(number) => Ok(number),
        Err(_) => Ok(cell!(row, index, i32)?.map(i64::from)),
    }
}

/// The cell at `index` as a part of a cursor; none for one that has no value, or has no order.
///
/// # Errors
/// [`DbErr::Type`] for a cell that is no `scalar`.
pub fn read_key(row: &QueryResult, index: usize, scalar: &Scalar) -> Result<Option<Key>, DbErr> {
    Ok(match scalar {
        Scalar::Id(_) => read_id(row, index)?.map(Key::Id),
        Scalar::Text | Scalar::Currency | Scalar::Choice(..) => {
            cell!(row, index, &str)?.map(|text| Key::Text(text.to_owned()))
        }
        Scalar::Whole | Scalar::Long | Scalar::Scaled(_) => number(row, index)?.map(Key::Number),
        Scalar::Truth => cell!(row, index, bool)?.map(Key::Truth),
        Scalar::Instant => cell!(row, index, DateTime<Utc>)?.map(Key::Instant),
        Scalar::Day => cell!(row, index, NaiveDate)?.map(Key::Day),
        Scalar::Json => None,
    })
}

/// Writes a key that holds a `scalar` as JSON.
pub fn write_key(key: &Key, scalar: &Scalar, out: &mut Vec<u8>) {
    match (key, scalar) {
        (Key::Text(text), _) => write_text(text, out),
        (Key::Number(number), Scalar::Scaled(scale)) => {
            write_text(&Decimal::new(*number, *scale).normalize().to_string(), out);
        }
        (Key::Number(number), _) => out.extend_from_slice(number.to_string().as_bytes()),
        (Key::Truth(truth), _) => out.extend_from_slice(truth.to_string().as_bytes()),
        (Key::Instant(instant), _) => write_text(&instant.to_rfc3339(), out),
        (Key::Day(day), _) => write_text(&day.to_string(), out),
        (Key::Id(id), Scalar::Id(prefix)) => write_id(prefix, *id, out),
        (Key::Id(id), _) => write_text(&id.to_string(), out),
    }
}

/// Writes `text` as a JSON string.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else if let Ok(escaped) = serde_json::to_vec(text) {
        out.extend_from_slice(&escaped);
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) -> Result<(), DbErr> {
    out.write_fmt(text).map_err(undecodable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_written_as_its_decimal() {
        for code in ["VND", "EUR", "KWD", "CLF"] {
            let currency = code.parse().unwrap();
            for minor in [0, 1, -1, 9, -10, 99, 100, -1_005, 123_456, i64::MAX, i64::MIN] {
                let (amount, mut out) = (Money::new(minor, currency), Vec::new());
                write_amount(amount, &mut out);
                let decimal = format!("\"{}\"", amount.to_decimal());
                assert_eq!(String::from_utf8(out).unwrap(), decimal);
            }
        }
    }

    #[test]
    fn an_id_is_written_in_its_outward_form() {
        let drawn = 0x0123_4567_89ab_cdef_1122_3344_5566_7788;
        for bits in [0, 1, drawn, u128::MAX - 1, u128::MAX, 1 << 127, 31 << 120] {
            let (id, mut out) = (Uuid::from_u128(bits), Vec::new());
            write_id("cus", id, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("\"{}\"", global("cus", id)));
        }
    }
}
