//! The catalogue: every kind of record that can be read, declared once: its fields, its relations, what it
//! is filtered and ordered by, and who sees which rows.
//!
//! From a declaration come the API's types, filters, orders, lists and the statements that read them; stored
//! filters of views, exports and workflows are compiled by the same code. Nothing that is not declared here
//! can be read, filtered or ordered by.
//!
//! ```text
//! catalog! {
//!     /// A customer: an organisation or a person, from the first contact on.
//!     Customer (customer, customers) of Entity, read by Permission::ReadCustomers, owned by Column::OwnerId;
//!     /// The number that people know it by; null when it has none.
//!     number: text(Column::Number).filtered().ordered(),
//!     /// Who looks after it; null when nobody does.
//!     owner: one::<user::Entity>(Column::OwnerId),
//!     /// The people to talk to there.
//!     contacts: many::<contact::Entity>(contact::Column::CustomerId),
//! }
//! ```
//!
//! A new kind of record is, with `sales/product` as the example to copy:
//!
//! 1. a migration with its table, as `up` and `down`, and its name twice in `lib.rs`; `created` and `updated` of
//!    `migration/src/column.rs` bring the columns that say who changed it, from which its audit log follows, and
//!    `search::index` those of its search;
//! 2. an id in [`crate::id`], the permissions that it takes in [`Permission`] (with their mirror in the API) and the
//!    roles that come with them, its events in [`crate::automation::event`];
//! 3. a file in `entity` with its columns, its `catalog!`, its `edited!` and the `check` that brings each field into
//!    its stored form; a line in `all.rs`. A field that is `unique()` has a constraint in the table that is called
//!    after both, by `column::unique`;
//! 4. a file in `api` with its `form!` and its `records!` (or `parts!`, for what belongs to a customer); a line in
//!    `schema.rs`;
//! 5. a line in the tests' `access` for each of its root fields, one in `reading/rows.rs`, and sentences about it.
//!
//! From that come its type, filter, order, lists, groups and `node(id)`, adding, changing, deleting and restoring it,
//! what is refused when there is none or its value is not unique, its export and its audit log, on both stacks.
//!
//! All in all that is less than 150 lines of code over `entity`, `migration` and `api`, which a test sees to: 145 for
//! products, counted without blank lines and comments by
//!
//! ```sh
//! (cat {entity,api}/src/sales/product.rs migration/src/*_products.rs; grep -rhE --include='*.rs' \
//!     --exclude='*product*' '[Pp]roducts?([^a-z]|$)' {entity,api,worker,migration}/src) | grep -cvE '^\s*(//|$)'
//! ```
//!
//! Invariant: each select that is made here carries its record's [`Record::visible`], also within filters.

mod access;
mod all;
mod breadth;
mod cell;
mod compare;
mod cursor;
pub(crate) mod custom;
mod declare;
mod field;
mod filter;
mod group;
mod order;
mod period;
mod select;
mod table;
mod timeline;
mod value;
mod within;

use std::borrow::Cow;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{Condition, DbErr};
use serde_json::Value as Json;

use crate::access::{Permission, Viewer};

pub use access::{Attended, Belongs};
pub use all::{by_name, by_prefix, by_table, named, records};
pub use cell::{
    global, read_id, read_json, read_key, read_money, write_amount, write_cell, write_key,
    write_text,
};
pub(crate) use compare::elements;
pub use compare::{AMOUNT_OPERATORS, operators};
pub use cursor::{Cursor, Key};
pub(crate) use declare::{catalog, identified};
pub use field::{
    Batch, BatchArgument, Batched, Datum, Field, Scalar, Shape, batch, batch_json, choice,
    computed, currency, custom_values, date, day, decimal, id, instant, json, list, long, many,
    money, one, reach, search, single, text, truth, uuid, whole,
};
pub use filter::{Scope, condition};
pub use group::{Group, GroupKey, MOST_GROUPS, Summary, groups, read_groups};
pub use order::{CUSTOM_FIELD, Order, Ordering};
pub use select::{Page, by_keys, count, counts, found, page, pages};
pub(crate) use select::{among, keys};
pub use table::{Cell, Table, TableColumn, columns};
pub use timeline::{Branch, Timeline, merged, place, placed, timeline};
pub use value::{Value, sayable, values};

/// Why a filter, an order or a cursor cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// It is not what the declaration takes.
    #[error("{at}: {message}")]
    Invalid {
        /// Where in the input, such as `filter.dueOn.gte`.
        at: String,
        /// What is wrong and what to write instead.
        message: String,
    },
    /// It compares what the viewer may not see.
    #[error("{0}: your role does not allow this; an administrator can change it")]
    Forbidden(String),
}

/// A kind of record.
pub struct Record {
    /// Its name as a type, such as `Customer`.
    pub name: &'static str,
    /// What it is.
    pub about: String,
    /// Its name as a field, such as `customer`; empty when it is only reached through others.
    pub one: &'static str,
    /// The name of its list, such as `customers`; empty when it has none.
    pub many: &'static str,
    /// Its table.
    pub table: &'static str,
    /// The prefix of its ids.
    pub prefix: &'static str,
    /// What a viewer needs for reading any of it; none is needed beyond logging in when absent.
    pub read: Option<Permission>,
    /// The column that says who a row belongs to: they see it without the permission.
    pub own: Option<&'static str>,
    /// Who takes part in it, which is in another table: they see it without the permission.
    pub attended: Option<Attended>,
    /// The column that says within which limits a row was asked for: by an API key one sees those with its
    /// own limits only.
    pub limits: Option<&'static str>,
    /// To whom its rows belong.
    pub belongs: Belongs,
    /// The column that says since when a row is deleted, where rows can be.
    pub deleted: Option<&'static str>,
    /// The column that says which row this one became part of, where rows can.
    pub merged: Option<&'static str>,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// An entity of the ORM that is in the catalogue.
pub trait Cataloged {
    /// Its declaration.
    fn record() -> &'static Record;
}

/// Where a declaration is found: a function, since declarations refer to one another in circles.
pub type Target = fn() -> &'static Record;

impl Record {
    /// The field with the name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Whether the viewer may read any of it; otherwise there is nothing to ask for.
    #[must_use]
    pub fn is_readable(&self, viewer: &Viewer) -> bool {
        let is_for_anybody = self.own.is_some() || self.attended_by(viewer).is_some();
        is_for_anybody || self.read.is_none_or(|needed| viewer.may(needed))
    }

    /// Whether its rows are found by words.
    #[must_use]
    pub fn is_searched(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.shape, Shape::Search))
    }

    /// Whether its rows have values of custom fields.
    #[must_use]
    pub fn has_custom_fields(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.shape, Shape::Custom { .. }))
    }

    /// Which rows are in a list with the `filter`: those that are not deleted, unless it says itself
    /// since when they may be.
    #[must_use]
    pub fn listed(&self, filter: &Json) -> Condition {
        match self.deleted {
            Some(column) if !self.compares(filter, column) => {
                Condition::all().add(self.column(column).is_null())
            }
            _ => Condition::all(),
        }
    }

    /// Whether a filter compares a column of the record itself.
    fn compares(&self, filter: &Json, column: &str) -> bool {
        let is_column = |name: &str| {
            let field = self.field(name);
            field.and_then(Field::column).is_some_and(|(known, _)| known == column)
        };
        match filter {
            Json::Object(entries) => entries.iter().any(|(name, value)| match name.as_str() {
                "and" | "or" | "not" => self.compares(value, column),
                name => !value.is_null() && is_column(name),
            }),
            Json::Array(filters) => filters.iter().any(|filter| self.compares(filter, column)),
            _ => false,
        }
    }

    /// One of its columns, or an SQL expression over them when it has parentheses.
    #[must_use]
    pub fn column(&self, source: &'static str) -> Expr {
        if source.contains('(') {
            return Expr::cust(source);
        }
        Expr::col((self.table, source))
    }
}

/// A name in the API's style: `display_name` becomes `displayName`.
#[must_use]
pub fn camel(name: &str) -> String {
    let mut upper = false;
    name.chars().fold(String::with_capacity(name.len()), |mut camel, c| {
        match (c, upper) {
            ('_', _) => upper = true,
            (c, true) => {
                camel.extend(c.to_uppercase());
                upper = false;
            }
            (c, false) => camel.push(c),
        }
        camel
    })
}

/// A name in the style of enums: `displayName` becomes `DISPLAY_NAME`.
#[must_use]
pub fn screaming(name: &str) -> String {
    name.chars().fold(String::with_capacity(name.len() + 4), |mut shouted, c| {
        if c.is_uppercase() {
            shouted.push('_');
        }
        shouted.extend(c.to_uppercase());
        shouted
    })
}

/// A name in words: `displayName` becomes `display name`.
#[must_use]
pub fn words(name: &str) -> String {
    name.chars().fold(String::with_capacity(name.len() + 4), |mut words, c| {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
        words
    })
}

/// The lines of a doc comment as a text.
#[must_use]
pub fn prose(lines: &[&'static str]) -> String {
    let trimmed = lines.iter().map(|line| Cow::from(line.strip_prefix(' ').unwrap_or(line)));
    trimmed.collect::<Vec<_>>().join("\n")
}

/// A cell that has not the type of its declaration.
fn undecodable(error: impl std::fmt::Display) -> DbErr {
    DbErr::Type(error.to_string())
}
