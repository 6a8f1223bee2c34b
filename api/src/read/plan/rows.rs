//! What is made of rows of one kind.

use async_graphql::Name;
use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::SelectionSet;
use entity::access::{self, Permission};
use entity::catalog::{Batched, Record, Scalar, Shape};
use serde_json::Value as Json;

use super::collect::inner;
use super::{Ask, Connection, Planner, argument};
use crate::error::Fault;
use crate::read::custom::CustomPlan;
use crate::read::timeline;

/// The rows of one kind that are read together, and what is made of each.
pub(in crate::read) struct Rows<'a> {
    /// Their kind.
    pub record: &'static Record,
    /// What is read of each row; the id first.
    pub cells: Vec<&'static str>,
    /// What is made of a row: more than once where a connection's `nodes` and `edges` are both asked.
    pub selections: Vec<Vec<Selected<'a>>>,
}

/// A field that is asked for.
pub(in crate::read) struct Selected<'a> {
    /// Its key in the answer.
    pub key: &'a Name,
    /// Where it is asked for, for errors.
    pub ask: Ask<'a>,
    /// Whether null is an answer.
    pub nullable: bool,
    /// What it takes to see it, where that depends on the row.
    pub guard: Option<Permission>,
    /// What it is.
    pub what: What<'a>,
}

/// What is made of a row.
pub(in crate::read) enum What<'a> {
    /// The name of its type.
    Typename,
    /// What the viewer may not see.
    Forbidden,
    /// Whether the viewer may change the row, which all rows have in common.
    Truth(bool),
    /// Whether the row is not deleted, which a cell says.
    Kept(usize),
    /// Whether the viewer may change the row.
    Reach(Permission),
    /// A cell.
    Scalar(usize, &'static Scalar),
    /// Two cells.
    Money((usize, usize), Vec<(&'a Name, Part)>),
    /// The record whose id is in a cell.
    One(usize, Rows<'a>),
    /// The record that refers to this one: the column, the value of another one.
    Single(&'static str, (&'static str, &'static str), Rows<'a>),
    /// The records that refer to this one: the column, by what they are ordered.
    List(&'static str, &'static str, Rows<'a>),
    /// A page of the records that refer to this one.
    Many(&'static str, Connection<'a>),
    /// The values of custom fields: the cell that holds them.
    Custom(usize, CustomPlan<'a>),
    /// Records of several kinds that refer to this one.
    Timeline(timeline::Asked<'a>),
    /// What code makes of all rows.
    Batch(Batched, Json, Vec<(&'a Name, Part)>),
}

/// A part of an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::read) enum Part {
    /// The name of its type.
    Typename,
    /// The number.
    Amount,
    /// The currency.
    Currency,
}

impl Rows<'_> {
    /// Where in a row `source` is.
    pub fn cell(&mut self, source: &'static str) -> usize {
        let known = self.cells.iter().position(|cell| *cell == source);
        known.unwrap_or_else(|| {
            self.cells.push(source);
            self.cells.len() - 1
        })
    }

    /// Whether anything has to be loaded that is not in the rows themselves.
    pub fn has_children(&self) -> bool {
        self.selections.iter().flatten().any(|field| !field.is_cells())
    }

    /// Where in a row a cell is that was planned.
    pub fn index(&self, source: &str) -> usize {
        self.cells.iter().position(|cell| *cell == source).unwrap_or_default()
    }
}

impl Selected<'_> {
    /// Whether it is made of the row's own cells, if of any.
    pub fn is_cells(&self) -> bool {
        let is_cells = matches!(
            self.what,
            What::Typename
                | What::Forbidden
                | What::Truth(_)
                | What::Kept(_)
                | What::Scalar(..)
                | What::Money(..)
        );
        is_cells && self.guard.is_none()
    }
}

impl<'a> Planner<'a> {
    /// The rows of `record` with what the selection sets ask of each.
    pub fn rows(
        self,
        record: &'static Record,
        sets: &[&'a SelectionSet],
    ) -> Result<Rows<'a>, Fault> {
        let mut rows = Rows { record, cells: vec!["id"], selections: Vec::new() };
        self.select(&mut rows, sets)?;
        Ok(rows)
    }

    /// Adds what the selection sets ask of each row; gives which selection it is.
    pub(in crate::read) fn select(
        self,
        rows: &mut Rows<'a>,
        sets: &[&'a SelectionSet],
    ) -> Result<usize, Fault> {
        let record = rows.record;
        let mut fields = IndexMap::new();
        self.collect(
            sets,
            &|on| on == record.name || on == "Node" || timeline::is_item(on),
            &mut fields,
        );
        let mut selection = Vec::with_capacity(fields.len());
        for (key, asks) in fields {
            let ask = asks[0];
            let name = ask.node.name.node.as_str();
            let Some(field) = record.field(name).filter(|field| !field.hidden) else {
                let what = What::Typename;
                selection.push(Selected { key, ask, nullable: false, guard: None, what });
                continue;
            };
            let what = match field.guard {
                Some(needed) if !self.scope.viewer.may(needed) => What::Forbidden,
                _ => self.what(rows, &field.shape, ask, &inner(&asks))?,
            };
            let scope = |needed: Permission| self.scope.viewer.scope(needed);
            let is_narrow = |needed: &Permission| {
                matches!(scope(*needed), access::Scope::Own | access::Scope::Team)
            };
            let guard = field.guard.filter(is_narrow);
            selection.push(Selected { key, ask, nullable: field.nullable, guard, what });
        }
        rows.selections.push(selection);
        Ok(rows.selections.len() - 1)
    }

    fn what(
        self,
        rows: &mut Rows<'a>,
        shape: &'static Shape,
        ask: Ask<'a>,
        sets: &[&'a SelectionSet],
    ) -> Result<What<'a>, Fault> {
        Ok(match shape {
            Shape::Scalar { column, scalar } => What::Scalar(rows.cell(column), scalar),
            Shape::Money { amount, currency } => {
                What::Money((rows.cell(amount), rows.cell(currency)), self.money(sets)?)
            }
            Shape::One { column, target } => {
                What::One(rows.cell(column), self.rows(target(), sets)?)
            }
            Shape::Single { column, target, only } => {
                let mut inner = self.rows(target(), sets)?;
                inner.cell(column);
                What::Single(column, *only, inner)
            }
            Shape::List { column, target, order, .. } => {
                let mut inner = self.rows(target(), sets)?;
                inner.cell(column);
                What::List(column, order, inner)
            }
            Shape::Many { column, target } => {
                let mut connection = self.connection(target(), ask, sets, None)?;
                connection.rows.cell(column);
                What::Many(column, connection)
            }
            Shape::Timeline(timeline) => What::Timeline(self.timeline(timeline, ask, sets)?),
            Shape::Batch(batch) => {
                let arguments = batch.arguments.iter();
                let arguments = arguments
                    .map(|one| (one.name.to_owned(), argument(self.query, ask, one.name)))
                    .collect::<serde_json::Map<_, _>>();
                What::Batch(batch.run, arguments.into(), self.money(sets)?)
            }
            Shape::Custom { column } => What::Custom(rows.cell(column), self.custom(sets)?),
            Shape::Reach(needed) => match self.scope.viewer.scope(*needed) {
                access::Scope::None => What::Truth(false),
                access::Scope::All => match rows.record.deleted {
                    Some(column) => What::Kept(rows.cell(column)),
                    None => What::Truth(true),
                },
                _ => What::Reach(*needed),
            },
            Shape::Search => What::Typename,
        })
    }

    pub(in crate::read) fn money(
        self,
        sets: &[&'a SelectionSet],
    ) -> Result<Vec<(&'a Name, Part)>, Fault> {
        self.parts(sets, "Money", |ask, _| {
            Ok(Some(match ask.node.name.node.as_str() {
                "amount" => Part::Amount,
                "currency" => Part::Currency,
                _ => Part::Typename,
            }))
        })
    }
}
