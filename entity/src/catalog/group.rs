//! Groups of a list: how many records share what, and what their amounts come to.
//!
//! Invariant: the groups of a list are made of the very rows of the list, and amounts of different
//! currencies are never added up.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use sea_orm::sea_query::{Asterisk, Expr, ExprTrait, SelectStatement};
use sea_orm::{Condition, DbErr, QueryResult};
use serde_json::Value as Json;

use super::period::{self, Unit};
use super::select::base;
use super::{CatalogError, Field, Key, Record, Scalar, Scope, Shape, cell, undecodable};
use crate::money::{Currency, Money};

/// By how many fields records are grouped at most.
const MOST_KEYS: usize = 4;

/// How many groups there are at most, those of one key in several currencies counted one by one.
pub const MOST_GROUPS: usize = 1_000;

/// What records in a group share.
#[derive(Clone)]
pub struct GroupKey {
    /// The field.
    pub field: &'static Field,
    /// What is shared of it.
    pub scalar: Scalar,
    column: &'static str,
    period: Option<(Unit, Option<Tz>)>,
}

impl GroupKey {
    /// The keys that `given` means: a list of `{ field, unit, timeZone }`.
    ///
    /// # Errors
    /// [`CatalogError`].
    pub fn parse(
        record: &'static Record,
        given: &Json,
        scope: Scope<'_>,
        at: &str,
    ) -> Result<Vec<Self>, CatalogError> {
        let one = std::slice::from_ref(given);
        let given = match given {
            Json::Null => &[],
            Json::Array(entries) => entries.as_slice(),
            _ => one,
        };
        let mut keys: Vec<Self> = Vec::with_capacity(given.len());
        for (position, given) in given.iter().enumerate() {
            let at = format!("{at}.{position}");
            let key = Self::one(record, given, scope, &at)?;
            if keys.iter().any(|earlier| earlier.field.name == key.field.name) {
                return invalid(&at, "group by each field once");
            }
            keys.push(key);
        }
        if keys.len() > MOST_KEYS {
            return invalid(at, format!("records are grouped by at most {MOST_KEYS} fields"));
        }
        Ok(keys)
    }

    fn one(
        record: &'static Record,
        given: &Json,
        scope: Scope<'_>,
        at: &str,
    ) -> Result<Self, CatalogError> {
        let name = given["field"].as_str().unwrap_or_default();
        let mut fields = record.fields.iter().filter(|field| field.grouped);
        let Some(field) = fields.find(|field| field.constant == name) else {
            return invalid(at, format!("{} is not grouped by {name}", record.name));
        };
        if !scope.sees(field) {
            return Err(CatalogError::Forbidden(at.to_owned()));
        }
        let (column, scalar) = match &field.shape {
            Shape::Scalar { column, scalar } => (*column, scalar.clone()),
            Shape::One { column, target } => (*column, Scalar::Id(target().prefix)),
            _ => return invalid(at, "this is not shared by records"),
        };
        let unit = given["unit"].as_str().and_then(Unit::parse);
        let zone = given["timeZone"].as_str();
        let Ok(zone) = zone.map(str::parse::<Tz>).transpose() else {
            let message = "this is no IANA time zone; write one such as Asia/Ho_Chi_Minh";
            return invalid(&format!("{at}.timeZone"), message);
        };
        let period = match scalar {
            Scalar::Day => Some((unit.unwrap_or(Unit::Day), Some(Tz::UTC))),
            Scalar::Instant => Some((unit.unwrap_or(Unit::Day), zone)),
            _ if unit.is_some() => {
                return invalid(&format!("{at}.unit"), "only days and instants have a unit");
            }
            _ => None,
        };
        let scalar = if period.is_some() { Scalar::Day } else { scalar };
        Ok(Self { field, scalar, column, period })
    }

    /// Whether it depends on a time zone that was not given.
    #[must_use]
    pub fn lacks_zone(&self) -> bool {
        matches!(self.period, Some((_, None)))
    }

    /// The same with instants seen by a clock in `zone` where none was given.
    #[must_use]
    pub fn in_zone(self, zone: Tz) -> Self {
        let period = self.period.map(|(unit, own)| (unit, own.or(Some(zone))));
        Self { period, ..self }
    }

    fn expression(&self, record: &Record, scope: Scope<'_>) -> Expr {
        let column = record.column(self.column);
        let Some((unit, zone)) = self.period else { return column };
        let Some((_, scalar)) = self.field.column() else { return column };
        period::first_day(scope.backend, column, scalar, (unit, zone.unwrap_or(Tz::UTC)))
    }
}

fn invalid<T>(at: &str, message: impl Into<String>) -> Result<T, CatalogError> {
    Err(CatalogError::Invalid { at: at.to_owned(), message: message.into() })
}

/// How many of the records that pass `filter` share each value of the `keys`, and what the amounts of
/// `sums` come to; at most one row more than [`MOST_GROUPS`], in no order.
#[must_use]
pub fn groups(
    record: &Record,
    scope: Scope<'_>,
    keys: &[GroupKey],
    sums: &[&'static Field],
    filter: &Condition,
) -> SelectStatement {
    let mut query = base(record, scope.viewer, &[]);
    let amounts = sums.iter().filter_map(|field| match &field.shape {
        Shape::Money { amount, currency } => Some((*amount, *currency)),
        _ => None,
    });
    let amounts: Vec<_> = amounts.collect();
    for key in keys {
        query.expr(key.expression(record, scope));
    }
    let currency = amounts.first().map(|(_, currency)| record.column(currency));
    let shared = keys.len() + usize::from(currency.is_some());
    query.exprs(currency);
    query.expr(Expr::col(Asterisk).count());
    for (amount, _) in amounts {
        let amount = record.column(amount);
        query.expr(amount.clone().count());
        query.expr(amount.clone().sum().cast_as("bigint"));
        query.expr(amount.clone().min());
        query.expr(amount.max());
    }
    // By their places: an expression with parameters is another one each time it is written.
    query.add_group_by((1..=shared).map(|place| Expr::cust(place.to_string())));
    query.cond_where(filter.clone()).limit(MOST_GROUPS as u64 + 1);
    query
}

/// Records that share something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What they share; `None` for what they have no value of.
    pub keys: Vec<Option<Key>>,
    /// How many there are.
    pub count: i64,
    /// What each summed field comes to, one entry per currency.
    pub sums: Vec<Vec<Summary>>,
}

/// What amounts in one currency come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many there are.
    pub count: i64,
    /// All together.
    pub sum: Money,
    /// The smallest.
    pub min: Money,
    /// The largest.
    pub max: Money,
}

impl Summary {
    /// The mean, rounded half-even to the currency's minor unit.
    #[must_use]
    pub fn average(&self) -> Money {
        let exact =
            Decimal::from(self.sum.minor) / Decimal::from(std::cmp::Ord::max(self.count, 1));
        Money { minor: exact.round().to_i64().unwrap_or(self.sum.minor), ..self.sum }
    }
}

/// The groups in `rows` of a statement of [`groups`], in the order of their keys, missing ones last.
///
/// # Errors
/// A cell that cannot be decoded.
pub fn read_groups(
    rows: &[QueryResult],
    keys: &[GroupKey],
    sums: usize,
) -> Result<Vec<Group>, DbErr> {
    // What is missing comes last, and so do currencies within a group by their codes.
    type Place = Vec<(bool, Option<Key>)>;
    let mut found: BTreeMap<Place, Group> = BTreeMap::new();
    let mut rows: Vec<_> = rows.iter().collect();
    let currency = keys.len();
    if sums > 0 {
        let mut coded = Vec::with_capacity(rows.len());
        for row in rows {
            coded.push((cell::read_key(row, currency, &Scalar::Currency)?, row));
        }
        coded.sort_by(|one, other| one.0.cmp(&other.0));
        rows = coded.into_iter().map(|(_, row)| row).collect();
    }
    for row in rows {
        let shared =
            keys.iter().enumerate().map(|(index, key)| cell::read_key(row, index, &key.scalar));
        let shared: Vec<_> = shared.collect::<Result<_, _>>()?;
        let place = shared.iter().map(|key| (key.is_none(), key.clone())).collect();
        let group = found.entry(place).or_insert_with(|| Group {
            keys: shared,
            count: 0,
            sums: vec![Vec::new(); sums],
        });
        let count = keys.len() + usize::from(sums > 0);
        group.count += row.try_get_by_index::<i64>(count)?;
        for (index, summaries) in group.sums.iter_mut().enumerate() {
            summaries.extend(summary(row, currency, count + 1 + 4 * index)?);
        }
    }
    if keys.is_empty() && found.is_empty() {
        return Ok(vec![Group { keys: Vec::new(), count: 0, sums: vec![Vec::new(); sums] }]);
    }
    Ok(found.into_values().collect())
}

/// The summary whose four numbers start at `first`; `None` when there is no amount.
fn summary(row: &QueryResult, currency: usize, first: usize) -> Result<Option<Summary>, DbErr> {
    let count: i64 = row.try_get_by_index(first)?;
    let numbers: [Option<i64>; 3] = [
        row.try_get_by_index(first + 1)?,
        row.try_get_by_index(first + 2)?,
        row.try_get_by_index(first + 3)?,
    ];
    let code: Option<String> = row.try_get_by_index(currency)?;
    let ([Some(sum), Some(min), Some(max)], Some(code)) = (numbers, code) else { return Ok(None) };
    let currency: Currency = code.parse().map_err(undecodable)?;
    let amount = |minor| Money::new(minor, currency);
    Ok(Some(Summary { count, sum: amount(sum), min: amount(min), max: amount(max) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::records;

    #[test]
    fn the_summed_amounts_of_a_record_are_in_one_currency() {
        for record in records() {
            let summed = record.fields.iter().filter(|field| field.summed);
            let mut currencies: Vec<_> = summed
                .map(|field| match &field.shape {
                    Shape::Money { currency, .. } => *currency,
                    _ => panic!("{}.{} is no amount", record.name, field.name),
                })
                .collect();
            currencies.dedup();
            assert!(currencies.len() <= 1, "{}", record.name);
        }
    }

    #[test]
    fn an_average_is_rounded_half_even() {
        let average = |sum, count| {
            let sum = Money::new(sum, Currency::VND);
            Summary { count, sum, min: sum, max: sum }.average().minor
        };
        assert_eq!((average(5, 2), average(7, 2), average(-1, 3)), (2, 4, 0));
    }
}
