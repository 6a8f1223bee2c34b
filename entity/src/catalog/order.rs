//! Orders of lists, and the places in them.

use sea_orm::sea_query::{Expr, ExprTrait, Order as Way};
use sea_orm::{Condition, DbErr, QueryResult};
use serde_json::Value as Json;

use super::{CatalogError, Cursor, Key, Record, Scalar, Scope, cell, custom};

/// By how many fields a list is ordered at most.
const MOST: usize = 4;

/// What an order by a custom field calls its field.
pub const CUSTOM_FIELD: &str = "CUSTOM_FIELD";

/// One field of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordering {
    /// The column.
    pub column: &'static str,
    /// What it holds.
    pub scalar: Scalar,
    /// Whether it can be missing.
    pub nullable: bool,
    /// Whether the largest come first.
    pub descending: bool,
    /// Whether rows without a value come first.
    pub nulls_first: bool,
}

impl Ordering {
    /// Whether the term that goes the column's way is “has no value” rather than “has one”.
    fn is_null_key(&self) -> bool {
        self.descending == self.nulls_first
    }

    /// The term that decides where rows without a value stand; `None` where all have one.
    fn presence(&self, record: &Record) -> Option<Expr> {
        let column = record.column(self.column);
        self.nullable.then(|| match self.is_null_key() {
            true => column.is_null(),
            false => column.is_not_null(),
        })
    }
}

/// In which order a list is. The id decides among equals, and goes the way of the last field, so that
/// “newest first” is so among equals too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order(pub Vec<Ordering>);

impl Order {
    /// The order that `given` means: a list of `{ field, direction, nulls }`, or nothing.
    ///
    /// # Errors
    /// [`CatalogError::Invalid`].
    pub fn parse(
        record: &Record,
        given: &Json,
        scope: Scope<'_>,
        at: &str,
    ) -> Result<Self, CatalogError> {
        let invalid = |message: String| CatalogError::Invalid { at: at.to_owned(), message };
        let one = std::slice::from_ref(given);
        let given = match given {
            Json::Null => &[],
            Json::Array(entries) => entries.as_slice(),
            _ => one,
        };
        if given.len() > MOST {
            return Err(invalid(format!("a list is ordered by at most {MOST} fields")));
        }
        let entry = |entry: &Json| {
            let name = entry["field"].as_str().unwrap_or_default();
            if name == CUSTOM_FIELD && record.has_custom_fields() {
                return custom::ordering(scope, entry, at);
            }
            let mut fields = record.fields.iter().filter(|field| field.ordered);
            let field = fields.find(|field| field.constant == name);
            let (field, (column, scalar)) = field
                .and_then(|field| Some((field, field.column()?)))
                .ok_or_else(|| invalid(format!("{} is not ordered by {name}", record.name)))?;
            if !scope.sees(field) {
                return Err(CatalogError::Forbidden(at.to_owned()));
            }
            Ok(Ordering {
                column,
                scalar: scalar.clone(),
                nullable: field.nullable,
                descending: entry["direction"] == "DESC",
                nulls_first: entry["nulls"] == "FIRST",
            })
        };
        given.iter().map(entry).collect::<Result<_, _>>().map(Self)
    }

    /// What tells two orders apart.
    #[must_use]
    pub fn signature(&self) -> String {
        let part = |order: &Ordering| {
            let way = if order.descending { "desc" } else { "asc" };
            let nulls = if order.nulls_first { "first" } else { "last" };
            format!("{} {way} {nulls}", order.column)
        };
        self.0.iter().map(part).collect::<Vec<_>>().join(", ")
    }

    /// The place in a list in this order that `text`, which stands at `at`, means.
    ///
    /// # Errors
    /// [`CatalogError::Invalid`].
    pub fn cursor(&self, text: &str, at: &str) -> Result<Cursor, CatalogError> {
        let scalars = self.0.iter().map(|order| (&order.scalar, order.nullable));
        Cursor::decode(text, &self.signature(), scalars, at)
    }

    fn is_descending(&self) -> bool {
        self.0.last().is_some_and(|order| order.descending)
    }

    /// The place of a row whose order's columns are at `indexes`, and its id at `id`.
    ///
    /// # Errors
    /// A cell that cannot be decoded.
    pub fn place(&self, row: &QueryResult, indexes: &[usize], id: usize) -> Result<Cursor, DbErr> {
        let keys = self.0.iter().zip(indexes);
        let keys = keys.map(|(order, index)| cell::read_key(row, *index, &order.scalar));
        let id = cell::read_id(row, id)?.unwrap_or_default();
        Ok(Cursor { order: self.signature(), keys: keys.collect::<Result<_, _>>()?, id })
    }

    /// What rows are ordered by. Where a value can be missing, whether it is decides first, by a term of
    /// its own that goes the same way: `NULLS LAST` is in no index that serves both directions.
    pub(super) fn terms(&self, record: &Record, backwards: bool) -> Vec<(Expr, Way)> {
        let way = |descending: bool| if descending == backwards { Way::Asc } else { Way::Desc };
        let mut terms = Vec::with_capacity(self.0.len() + 2);
        for order in &self.0 {
            let way = way(order.descending);
            terms.extend(order.presence(record).map(|presence| (presence, way.clone())));
            terms.push((record.column(order.column), way));
        }
        terms.push((record.column("id"), way(self.is_descending())));
        terms
    }

    /// The rows that come after `cursor`, or before it.
    #[must_use]
    pub fn beyond(&self, record: &Record, cursor: Cursor, after: bool) -> Condition {
        let upwards = self.is_descending() != after;
        let same_way = self.0.iter().all(|order| order.descending == self.is_descending());
        if same_way && cursor.keys.iter().all(Option::is_some) {
            // A comparison of rows is a range of an index; the disjunction below is not.
            let mut columns = Vec::with_capacity(self.0.len() + 2);
            let mut values = Vec::with_capacity(columns.capacity());
            for (order, key) in self.0.iter().zip(cursor.keys.into_iter().flatten()) {
                if let Some(presence) = order.presence(record) {
                    columns.push(presence);
                    values.push(Expr::val(!order.is_null_key()));
                }
                columns.push(record.column(order.column));
                values.push(Expr::val(key));
            }
            columns.push(record.column("id"));
            values.push(Expr::val(cursor.id));
            let (columns, values) = (Expr::tuple(columns), Expr::tuple(values));
            let past = if upwards { columns.gt(values) } else { columns.lt(values) };
            return Condition::all().add(past);
        }
        let bound = self.0.first().zip(cursor.keys.first()).and_then(|(order, key)| {
            // Where no value is missing, a bound of the first column is a range of its index.
            let key = key.clone().filter(|_| !order.nullable)?;
            let column = record.column(order.column);
            Some(if order.descending == after { column.lte(key) } else { column.gte(key) })
        });
        let mut any = Condition::any();
        let mut equal = Condition::all();
        for (order, key) in self.0.iter().zip(cursor.keys) {
            let column = record.column(order.column);
            let nulls_ahead = order.nulls_first != after;
            if let Some(further) = further(order, key.as_ref(), after, nulls_ahead, &column) {
                any = any.add(equal.clone().add(further));
            }
            equal = equal.add(match key {
                None => column.is_null(),
                Some(key) => column.eq(key),
            });
        }
        let id = record.column("id");
        let any = any.add(equal.add(if upwards { id.gt(cursor.id) } else { id.lt(cursor.id) }));
        Condition::all().add_option(bound).add(any)
    }
}

/// The rows that come further on in one column; `None` when there are none.
fn further(
    order: &Ordering,
    key: Option<&Key>,
    after: bool,
    nulls_ahead: bool,
    column: &Expr,
) -> Option<Expr> {
    let Some(key) = key else {
        return (!nulls_ahead).then(|| column.clone().is_not_null());
    };
    let past = match order.descending != after {
        true => column.clone().gt(key.clone()),
        false => column.clone().lt(key.clone()),
    };
    Some(if nulls_ahead { past.or(column.clone().is_null()) } else { past })
}
