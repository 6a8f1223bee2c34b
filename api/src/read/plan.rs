//! Plans: what a selection set asks of a kind of record, as the cells of its rows and what is made of
//! them.
//!
//! Invariant: who may see a field is decided here, before anything is loaded.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field as Asked, Selection, SelectionSet};
use async_graphql::{ContextSelectionSet, Name, Positioned, QueryEnv, QueryPathSegment, Value};
use entity::access::{self, Permission, Viewer};
use entity::catalog::{
    Batched, CatalogError, Cursor, Order, Page, Record, Scalar, Scope, Shape, condition,
};
use entity::collaboration::saved_view;
use sea_orm::Condition;
use serde_json::Value as Json;

use super::custom::CustomPlan;
use super::timeline;
use crate::context::{Ask as _, Session};
use crate::error::Fault;
use crate::http::errors::Code;

/// The default and the most that a page holds.
pub(super) const DEFAULT: usize = 25;
/// See [`DEFAULT`].
pub(super) const MOST: usize = 100;

pub(super) type Ask<'a> = &'a Positioned<Asked>;
type Sets<'a> = Vec<&'a SelectionSet>;

/// The rows of one kind that are read together, and what is made of each.
pub(super) struct Rows<'a> {
    /// Their kind.
    pub record: &'static Record,
    /// What is read of each row; the id first.
    pub cells: Vec<&'static str>,
    /// What is made of a row: more than once where a connection's `nodes` and `edges` are both asked.
    pub selections: Vec<Vec<Selected<'a>>>,
}

/// A field that is asked for.
pub(super) struct Selected<'a> {
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
pub(super) enum What<'a> {
    /// The name of its type.
    Typename,
    /// What the viewer may not see.
    Forbidden,
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
pub(super) enum Part {
    /// The name of its type.
    Typename,
    /// The number.
    Amount,
    /// The currency.
    Currency,
}

/// A connection that is asked for.
pub(super) struct Connection<'a> {
    /// Its rows.
    pub rows: Rows<'a>,
    /// What is asked of it.
    pub parts: Vec<(&'a Name, ConnectionPart<'a>)>,
    /// Which page.
    pub paging: Paging,
    /// Where in a row the order's columns are.
    pub order_cells: Vec<usize>,
}

/// A part of a connection.
pub(super) enum ConnectionPart<'a> {
    /// The name of its type.
    Typename,
    /// Records with their cursors.
    Edges(Vec<(&'a Name, EdgePart)>),
    /// Records: which selection.
    Nodes(usize),
    /// Where the page lies.
    PageInfo(Vec<(&'a Name, InfoPart)>),
    /// How many records there are.
    TotalCount,
}

/// A part of an edge.
pub(super) enum EdgePart {
    /// The name of its type.
    Typename,
    /// The place in the list.
    Cursor,
    /// The record: which selection.
    Node(usize),
}

/// A part of a page's place.
#[derive(Clone, Copy)]
pub(super) enum InfoPart {
    /// The name of its type.
    Typename,
    /// Whether records follow.
    HasNext,
    /// Whether records precede.
    HasPrevious,
    /// The first cursor.
    Start,
    /// The last cursor.
    End,
}

/// Which page of a list, and how many there are in all.
pub(super) struct Paging {
    /// What is read.
    pub page: Page,
    /// What is counted.
    pub counted: Condition,
    /// How many records the page holds.
    pub size: usize,
    /// Whether `after` was given.
    pub after: bool,
    /// Whether `before` was given.
    pub before: bool,
}

/// Makes plans for one request.
#[derive(Clone, Copy)]
pub(super) struct Planner<'a> {
    /// The request.
    pub query: &'a QueryEnv,
    /// Who asks, of which database.
    pub scope: Scope<'a>,
}

/// What a field is asked with; null when it is absent.
pub(super) fn argument(query: &QueryEnv, ask: Ask<'_>, name: &str) -> Json {
    let Some(given) = ask.node.get_argument(name) else { return Json::Null };
    let variable = |name: Name| {
        let mut known = query.operation.node.variable_definitions.iter();
        let known = known.find(|definition| definition.node.name.node == name);
        let value = query.variables.get(&name).cloned();
        let default = || known?.node.default_value().cloned();
        Ok::<_, std::convert::Infallible>(value.or_else(default).unwrap_or(Value::Null))
    };
    let value = given.node.clone().into_const_with(variable);
    value.ok().and_then(|value| value.into_json().ok()).unwrap_or_default()
}

pub(super) fn invalid(error: &CatalogError) -> Fault {
    match error {
        CatalogError::Invalid { .. } => Fault::coded(Code::BadRequest, error.to_string()),
        CatalogError::Forbidden(_) => Fault::coded(Code::Forbidden, error.to_string()),
    }
}

/// What is asked of the field that is being resolved: the selection sets of all fields with its path, since
/// a key may stand in several fragments.
pub(super) fn asked<'a>(ctx: &ContextSelectionSet<'a>) -> Sets<'a> {
    let query: &'a QueryEnv = ctx.query_env;
    let mut sets = vec![&query.operation.node.selection_set.node];
    let path = ctx.path_node.iter().flat_map(|node| std::iter::once(node).chain(node.parents()));
    let keys = path.filter_map(|node| match node.segment {
        QueryPathSegment::Name(name) => Some(name),
        QueryPathSegment::Index(_) => None,
    });
    for key in keys.collect::<Vec<_>>().into_iter().rev() {
        let mut found = Vec::new();
        descend(query, &sets, key, &mut found);
        sets = found;
    }
    sets
}

/// Adds the selection sets of the fields with a key.
fn descend<'a>(query: &'a QueryEnv, sets: &[&'a SelectionSet], key: &str, found: &mut Sets<'a>) {
    for item in sets.iter().flat_map(|set| &set.items) {
        let inner = match &item.node {
            Selection::Field(field) => {
                if field.node.response_key().node.as_str() == key {
                    found.push(&field.node.selection_set.node);
                }
                continue;
            }
            Selection::FragmentSpread(spread) => {
                let fragment = query.fragments.get(&spread.node.fragment_name.node);
                fragment.map(|fragment| &fragment.node.selection_set)
            }
            Selection::InlineFragment(fragment) => Some(&fragment.node.selection_set),
        };
        if let Some(inner) = inner {
            descend(query, &[&inner.node], key, found);
        }
    }
}

impl<'a> Planner<'a> {
    /// The planner of a request.
    pub fn new(ctx: &ContextSelectionSet<'a>, viewer: &'a Viewer) -> Self {
        let backend = ctx.reader().get_database_backend();
        let session: &Session = ctx.data_unchecked();
        let custom = &session.custom;
        Self { query: ctx.query_env, scope: Scope { viewer, backend, custom } }
    }

    /// The fields that are asked of a type in some selection sets, by their keys, in the order in
    /// which they are asked for.
    fn collect(
        self,
        sets: &[&'a SelectionSet],
        matches: &impl Fn(&str) -> bool,
        fields: &mut IndexMap<&'a Name, Vec<Ask<'a>>>,
    ) {
        for set in sets {
            for item in &set.items {
                let (condition, inner) = match &item.node {
                    Selection::Field(ask) => {
                        fields.entry(&ask.node.response_key().node).or_default().push(ask);
                        continue;
                    }
                    Selection::FragmentSpread(spread) => {
                        let name = &spread.node.fragment_name.node;
                        let Some(fragment) = self.query.fragments.get(name) else { continue };
                        (Some(&fragment.node.type_condition), &fragment.node.selection_set)
                    }
                    Selection::InlineFragment(fragment) => {
                        let fragment = &fragment.node;
                        (fragment.type_condition.as_ref(), &fragment.selection_set)
                    }
                };
                if condition.is_none_or(|condition| matches(&condition.node.on.node)) {
                    self.collect(&[&inner.node], matches, fields);
                }
            }
        }
    }

    /// The fields of a plain object type.
    pub(super) fn parts<T>(
        self,
        sets: &[&'a SelectionSet],
        name: &str,
        mut part: impl FnMut(Ask<'a>, Sets<'a>) -> Result<Option<T>, Fault>,
    ) -> Result<Vec<(&'a Name, T)>, Fault> {
        let mut fields = IndexMap::new();
        self.collect(sets, &|on| on == name, &mut fields);
        let mut parts = Vec::with_capacity(fields.len());
        for (key, asks) in fields {
            if let Some(part) = part(asks[0], inner(&asks))? {
                parts.push((key, part));
            }
        }
        Ok(parts)
    }

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
    pub(super) fn select(
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
            Shape::Search => What::Typename,
        })
    }

    pub(super) fn money(self, sets: &[&'a SelectionSet]) -> Result<Vec<(&'a Name, Part)>, Fault> {
        self.parts(sets, "Money", |ask, _| {
            Ok(Some(match ask.node.name.node.as_str() {
                "amount" => Part::Amount,
                "currency" => Part::Currency,
                _ => Part::Typename,
            }))
        })
    }

    /// A connection of `record`.
    pub fn connection(
        self,
        record: &'static Record,
        ask: Ask<'a>,
        sets: &[&'a SelectionSet],
        view: Option<&saved_view::Model>,
    ) -> Result<Connection<'a>, Fault> {
        let mut rows = Rows { record, cells: vec!["id"], selections: Vec::new() };
        let paging = self.paging(record, ask, view)?;
        let order = &paging.page.order.0;
        let order_cells = order.iter().map(|order| rows.cell(order.column)).collect();
        let parts = self.parts(sets, &format!("{}Connection", record.name), |ask, sets| {
            Ok(Some(match ask.node.name.node.as_str() {
                "edges" => ConnectionPart::Edges(self.edges(&mut rows, &sets)?),
                "nodes" => ConnectionPart::Nodes(self.select(&mut rows, &sets)?),
                "pageInfo" => ConnectionPart::PageInfo(self.page_info(&sets)?),
                "totalCount" => ConnectionPart::TotalCount,
                _ => ConnectionPart::Typename,
            }))
        })?;
        Ok(Connection { rows, parts, paging, order_cells })
    }

    fn edges(
        self,
        rows: &mut Rows<'a>,
        sets: &[&'a SelectionSet],
    ) -> Result<Vec<(&'a Name, EdgePart)>, Fault> {
        self.parts(sets, &format!("{}Edge", rows.record.name), |ask, sets| {
            Ok(Some(match ask.node.name.node.as_str() {
                "node" => EdgePart::Node(self.select(rows, &sets)?),
                "cursor" => EdgePart::Cursor,
                _ => EdgePart::Typename,
            }))
        })
    }

    pub(super) fn page_info(
        self,
        sets: &[&'a SelectionSet],
    ) -> Result<Vec<(&'a Name, InfoPart)>, Fault> {
        self.parts(sets, "PageInfo", |ask, _| {
            Ok(Some(match ask.node.name.node.as_str() {
                "hasNextPage" => InfoPart::HasNext,
                "hasPreviousPage" => InfoPart::HasPrevious,
                "startCursor" => InfoPart::Start,
                "endCursor" => InfoPart::End,
                _ => InfoPart::Typename,
            }))
        })
    }

    fn paging(
        self,
        record: &'static Record,
        ask: Ask<'_>,
        view: Option<&saved_view::Model>,
    ) -> Result<Paging, Fault> {
        let argument = |name| argument(self.query, ask, name);
        let number = |name| argument(name).as_i64();
        let (after, before) = (argument("after"), argument("before"));
        let (size, backwards) = match (number("first"), number("last")) {
            (Some(_), Some(_)) => {
                return Err(Fault::bad_request("give `first` or `last`, not both"));
            }
            (None, Some(last)) => (usize::try_from(last).ok(), true),
            (Some(first), None) => (usize::try_from(first).ok(), false),
            (None, None) => (Some(DEFAULT), before.is_string()),
        };
        let size = size.filter(|size| *size <= MOST).ok_or_else(|| {
            let message = "a page holds 0 to 100 records; page on with `after` or `before`";
            Fault::bad_request(message)
        })?;
        let (mut order, mut given) = (argument("orderBy"), argument("filter"));
        if let Some(view) = view {
            given = serde_json::json!({ "and": [view.filter, given] });
            if order.is_null() {
                order.clone_from(&view.order_by);
            }
        }
        let order =
            Order::parse(record, &order, self.scope, "orderBy").map_err(|error| invalid(&error))?;
        let filter = condition(record, &given, self.scope, "filter");
        let counted = record.listed(&given).add(filter.map_err(|error| invalid(&error))?);
        let mut filter = counted.clone();
        for (name, cursor, after) in [("after", &after, true), ("before", &before, false)] {
            if let Some(text) = cursor.as_str() {
                let cursor = Cursor::decode(text, &order.signature(), order.0.len(), name);
                filter = filter.add(order.beyond(
                    record,
                    cursor.map_err(|error| invalid(&error))?,
                    after,
                ));
            }
        }
        Ok(Paging {
            page: Page { order, filter, limit: size as u64 + 1, backwards },
            counted,
            size,
            after: after.is_string(),
            before: before.is_string(),
        })
    }
}

/// The selection sets of fields with one key.
fn inner<'a>(asks: &[Ask<'a>]) -> Sets<'a> {
    asks.iter().map(|ask| &ask.node.selection_set.node).collect()
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

    /// Where in a row a cell is that was planned.
    pub fn index(&self, source: &str) -> usize {
        self.cells.iter().position(|cell| *cell == source).unwrap_or_default()
    }
}
