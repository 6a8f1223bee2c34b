//! Lists as tables, for files: which columns a kind of record has, and their cells row by row.
//!
//! Invariant: what the viewer may not see has no column and no row, as in a list.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sea_orm::{Condition, ConnectionTrait, DatabaseConnection, DbErr, QueryResult};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::custom::VALUES;
use super::{
    Batched, CatalogError, Cursor, Datum, Order, Page, Record, Scalar, Scope, Shape, Target,
    by_keys, cell, page, read_json, read_money, screaming,
};
use crate::access::{self, Permission, Viewer};
use crate::customers::custom::{self, shown};
use crate::money::Money;

/// A value in a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// Text; never a formula, whatever it begins with.
    Text(String),
    /// A number.
    Number(Decimal),
    /// Yes or no.
    Truth(bool),
    /// A calendar day.
    Day(NaiveDate),
    /// An instant.
    Instant(DateTime<Utc>),
}

/// A column that a table can have.
pub struct TableColumn {
    /// What a request calls it, such as `CUSTOMER_DISPLAY_NAME`.
    pub name: String,
    /// Its heading, such as `customer.displayName`.
    pub heading: String,
    /// What it is.
    pub about: String,
    guard: Option<Permission>,
    source: Source,
}

enum Source {
    Scalar(&'static str, &'static Scalar),
    Money(&'static str, &'static str),
    /// The column that refers, to what, and the column there.
    Related(&'static str, Target, &'static str, &'static Scalar),
    Batch(Batched),
    Custom(Box<custom::Model>),
}

/// All columns that a table of `record` can have. An amount has a second one for its currency in the
/// file; a related record has what it is called by.
#[must_use]
pub fn columns(record: &'static Record) -> Vec<TableColumn> {
    let mut columns = Vec::new();
    for field in record.fields.iter().filter(|field| !field.hidden) {
        let mut add = |name: &str, heading: String, about: &str, source| {
            let (name, about) = (screaming(name), about.to_owned());
            columns.push(TableColumn { name, heading, about, guard: field.guard, source });
        };
        let name = &field.name;
        match &field.shape {
            Shape::Scalar { scalar: Scalar::Json, .. } => {}
            Shape::Scalar { column, scalar } => {
                add(name, name.clone(), &field.about, Source::Scalar(column, scalar));
            }
            Shape::Money { amount, currency } => {
                add(name, name.clone(), &field.about, Source::Money(amount, currency));
            }
            Shape::Batch(batch) if batch.ty == "Money" => {
                add(name, name.clone(), &field.about, Source::Batch(batch.run));
            }
            Shape::One { column, target } => {
                let called = target().fields.iter().filter(|one| one.ordered && !one.hidden);
                for one in called {
                    if let Shape::Scalar { column: there, scalar: scalar @ Scalar::Text } =
                        &one.shape
                    {
                        let heading = format!("{name}.{}", one.name);
                        let full = format!("{name}{}", capital(&one.name));
                        let source = Source::Related(column, *target, there, scalar);
                        add(&full, heading, &one.about, source);
                    }
                }
            }
            _ => {}
        }
    }
    columns
}

/// The columns that the values of custom fields have, headed by what people call them.
fn custom_columns(record: &Record, scope: Scope<'_>) -> Vec<TableColumn> {
    let fields = match record.has_custom_fields() {
        true => scope.custom.get().unwrap_or_default(),
        false => &[],
    };
    let visible = fields.iter().filter(|field| field.is_visible_to(scope.viewer));
    let column = |field: &custom::Model| TableColumn {
        name: field.key.clone(),
        heading: field.label.clone(),
        about: field.purpose.clone().unwrap_or_default(),
        guard: None,
        source: Source::Custom(Box::new(field.clone())),
    };
    visible.map(column).collect()
}

fn capital(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

impl TableColumn {
    fn is_custom(&self) -> bool {
        matches!(self.source, Source::Custom(_))
    }
}

impl Source {
    /// Whether it takes a second column, for the currency.
    fn is_amount(&self) -> bool {
        match self {
            Self::Money(..) | Self::Batch(_) => true,
            Self::Custom(field) => field.kind == custom::Kind::Money,
            Self::Scalar(..) | Self::Related(..) => false,
        }
    }
}

/// Those of the `known` columns that `names` asks for.
fn take(
    record: &Record,
    mut known: Vec<TableColumn>,
    names: &[String],
    at: &str,
) -> Result<Vec<TableColumn>, CatalogError> {
    let take = |name: &String| {
        let place = known.iter().position(|column| column.name == *name);
        place.map(|place| known.swap_remove(place)).ok_or_else(|| {
            let message = format!("{} has no column {name}, or it is asked for twice", record.name);
            CatalogError::Invalid { at: at.to_owned(), message }
        })
    };
    names.iter().map(take).collect()
}

/// A table of a list: its columns, and where their cells are in the rows that are read.
pub struct Table {
    record: &'static Record,
    columns: Vec<TableColumn>,
    cells: Vec<&'static str>,
}

impl Table {
    /// The table of `record` with the columns that `names` asks for and after them the custom fields with the
    /// `keys`; with all columns when neither is given. Those that the viewer may not see are left out.
    ///
    /// # Errors
    /// [`CatalogError::Invalid`] for a column that there is not.
    pub fn of(
        record: &'static Record,
        (names, keys): (Option<&[String]>, Option<&[String]>),
        scope: Scope<'_>,
    ) -> Result<Self, CatalogError> {
        let viewer = scope.viewer;
        let custom = custom_columns(record, scope);
        let (mut chosen, custom) = match (names, keys) {
            (None, None) => (columns(record), custom),
            (names, keys) => (
                take(record, columns(record), names.unwrap_or_default(), "fields")?,
                take(record, custom, keys.unwrap_or_default(), "customFields")?,
            ),
        };
        chosen.extend(custom);
        chosen.retain(|column| {
            let related = match &column.source {
                Source::Related(_, target, ..) => target().is_readable(viewer),
                _ => true,
            };
            // What is seen of some rows only is in none of a table's.
            let read = record.read.map_or(access::Scope::All, |needed| viewer.scope(needed));
            related && column.guard.is_none_or(|needed| viewer.scope(needed) >= read)
        });
        let mut table = Self { record, columns: chosen, cells: vec!["id"] };
        let sources = table.columns.iter().flat_map(|column| match column.source {
            Source::Scalar(column, _) | Source::Related(column, ..) => [Some(column), None],
            Source::Money(amount, currency) => [Some(amount), Some(currency)],
            Source::Custom(_) => [Some(VALUES), None],
            Source::Batch(_) => [None, None],
        });
        for source in sources.collect::<Vec<_>>().into_iter().flatten() {
            table.cell(source);
        }
        Ok(table)
    }

    fn cell(&mut self, source: &'static str) -> usize {
        let known = self.cells.iter().position(|cell| *cell == source);
        known.unwrap_or_else(|| {
            self.cells.push(source);
            self.cells.len() - 1
        })
    }

    fn index(&self, source: &str) -> usize {
        self.cells.iter().position(|cell| *cell == source).unwrap_or_default()
    }

    /// The names of its columns, apart from custom fields.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let own = self.columns.iter().filter(|column| !column.is_custom());
        own.map(|column| column.name.clone()).collect()
    }

    /// The keys of its custom fields.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let custom = self.columns.iter().filter(|column| column.is_custom());
        custom.map(|column| column.name.clone()).collect()
    }

    /// The headings of its columns.
    #[must_use]
    pub fn headings(&self) -> Vec<String> {
        let headings = self.columns.iter().flat_map(|column| match &column.source {
            source if source.is_amount() => {
                [Some(column.heading.clone()), Some(format!("{}.currency", column.heading))]
            }
            _ => [Some(column.heading.clone()), None],
        });
        headings.flatten().collect()
    }

    /// The next `limit` rows of a list after a place in it, and the place of the last one; no place when
    /// no rows follow.
    ///
    /// # Errors
    /// The database.
    pub async fn rows(
        &mut self,
        db: &DatabaseConnection,
        viewer: &Viewer,
        (filter, order): (&Condition, &Order),
        after: Option<Cursor>,
        limit: u64,
    ) -> Result<(Vec<Vec<Cell>>, Option<Cursor>), DbErr> {
        let order_cells: Vec<_> =
            order.0.iter().map(|ordering| self.cell(ordering.column)).collect();
        let mut filter = filter.clone();
        if let Some(cursor) = after {
            filter = filter.add(order.beyond(self.record, cursor, true));
        }
        let wanted = Page { order: order.clone(), filter, limit, backwards: false };
        let found = db.query_all(&page(self.record, viewer, &self.cells, &wanted)).await?;
        let cursor = match found.last() {
            Some(last) if found.len() as u64 == limit => {
                Some(order.place(last, &order_cells, 0)?)
            }
            _ => None,
        };
        let mut rows: Vec<Vec<Cell>> = found.iter().map(|_| Vec::new()).collect();
        for column in &self.columns {
            self.fill(db, viewer, &column.source, &found, &mut rows).await?;
        }
        Ok((rows, cursor))
    }

    /// Adds the cells of one column to the rows.
    async fn fill(
        &self,
        db: &DatabaseConnection,
        viewer: &Viewer,
        source: &Source,
        found: &[QueryResult],
        rows: &mut [Vec<Cell>],
    ) -> Result<(), DbErr> {
        let rows = rows.iter_mut().zip(found);
        match source {
            Source::Scalar(column, scalar) => {
                let index = self.index(column);
                for (cells, row) in rows {
                    cells.push(cell::read(row, index, scalar)?);
                }
            }
            Source::Money(amount, currency) => {
                let at = (self.index(amount), self.index(currency));
                for (cells, row) in rows {
                    cells.extend(amount_cells(read_money(row, at)?));
                }
            }
            Source::Related(column, target, there, scalar) => {
                let index = self.index(column);
                let related =
                    related(db, viewer, (*target)(), (index, found), (there, scalar)).await?;
                for (cells, row) in rows {
                    let there = cell::read_id(row, index)?.and_then(|id| related.get(&id).cloned());
                    cells.push(there.unwrap_or(Cell::Empty));
                }
            }
            Source::Custom(field) => {
                let index = self.index(VALUES);
                for (cells, row) in rows {
                    let stored = read_json(row, index).unwrap_or_default();
                    cells.extend(value_cells(field, &shown(field, &stored)));
                }
            }
            Source::Batch(run) => {
                let ids = found.iter().map(|row| Ok(cell::read_id(row, 0)?.unwrap_or_default()));
                let ids = ids.collect::<Result<Vec<Uuid>, DbErr>>()?;
                let data = run(db, viewer, &ids, &json!({})).await?;
                for ((cells, _), datum) in rows.zip(data) {
                    cells.extend(amount_cells(match datum {
                        Datum::Money(money) => Some(money),
                        _ => None,
                    }));
                }
            }
        }
        Ok(())
    }
}

/// A custom field's value as cells.
fn value_cells(field: &custom::Model, shown: &Json) -> Vec<Cell> {
    let text = || shown.as_str().unwrap_or_default();
    let number = |value: &Json| match value {
        Json::String(text) => text.parse().ok(),
        other => other.as_i64().map(Decimal::from),
    };
    let cell = match field.kind {
        custom::Kind::Money => {
            let parts = [&shown["amount"], &shown["currency"]];
            let currency = parts[1].as_str().map(|code| Cell::Text(code.to_owned()));
            return vec![
                number(parts[0]).map_or(Cell::Empty, Cell::Number),
                currency.unwrap_or(Cell::Empty),
            ];
        }
        _ if shown.is_null() => None,
        custom::Kind::Number | custom::Kind::Decimal => number(shown).map(Cell::Number),
        custom::Kind::Boolean => shown.as_bool().map(Cell::Truth),
        custom::Kind::Date => text().parse().ok().map(Cell::Day),
        custom::Kind::Instant => text().parse().ok().map(Cell::Instant),
        custom::Kind::MultiChoice => {
            let chosen = shown.as_array().into_iter().flatten().filter_map(Json::as_str);
            Some(Cell::Text(chosen.collect::<Vec<_>>().join("; ")))
        }
        custom::Kind::Text | custom::Kind::Link | custom::Kind::Choice => {
            Some(Cell::Text(text().to_owned()))
        }
    };
    vec![cell.unwrap_or(Cell::Empty)]
}

fn amount_cells(amount: Option<Money>) -> [Cell; 2] {
    match amount {
        Some(money) => {
            [Cell::Number(money.to_decimal()), Cell::Text(money.currency.code().to_owned())]
        }
        None => [Cell::Empty, Cell::Empty],
    }
}

/// A column of the records that rows refer to, by their ids.
async fn related(
    db: &DatabaseConnection,
    viewer: &Viewer,
    target: &'static Record,
    (index, found): (usize, &[QueryResult]),
    (column, scalar): (&'static str, &Scalar),
) -> Result<HashMap<Uuid, Cell>, DbErr> {
    let mut ids = Vec::with_capacity(found.len());
    for row in found {
        ids.extend(cell::read_id(row, index)?);
    }
    ids.sort_unstable();
    ids.dedup();
    let mut related = HashMap::with_capacity(ids.len());
    if ids.is_empty() {
        return Ok(related);
    }
    let backend = db.get_database_backend();
    let query = by_keys(backend, target, viewer, &["id", column], ("id", &ids), None);
    for row in db.query_all(&query).await? {
        if let Some(id) = cell::read_id(&row, 0)? {
            related.insert(id, cell::read(&row, 1, scalar)?);
        }
    }
    Ok(related)
}
