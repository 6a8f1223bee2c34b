//! Pages of lists: what is asked of them, and which rows they hold.

use async_graphql::Name;
use async_graphql::parser::types::SelectionSet;
use entity::catalog::{Order, Page, Record, condition};
use entity::collaboration::saved_view;
use sea_orm::Condition;

use super::{Ask, Planner, Rows, argument, invalid};
use crate::error::Fault;

/// The default and the most that a page holds.
pub(in crate::read) const DEFAULT: usize = 25;
/// See [`DEFAULT`].
pub(in crate::read) const MOST: usize = 100;

/// A connection that is asked for.
pub(in crate::read) struct Connection<'a> {
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
pub(in crate::read) enum ConnectionPart<'a> {
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
pub(in crate::read) enum EdgePart {
    /// The name of its type.
    Typename,
    /// The place in the list.
    Cursor,
    /// The record: which selection.
    Node(usize),
}

/// A part of a page's place.
#[derive(Clone, Copy)]
pub(in crate::read) enum InfoPart {
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
pub(in crate::read) struct Paging {
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

impl<'a> Planner<'a> {
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

    pub(in crate::read) fn page_info(
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
                let cursor = order.cursor(text, name);
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
