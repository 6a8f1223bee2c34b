//! Timelines: one statement finds the items of all kinds, and one for each kind among them reads what is
//! asked of it.
//!
//! Invariant: an item that its own kind's statement does not give is left out, never null.

use std::collections::HashMap;
use std::ops::Range;

use async_graphql::Name;
use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::SelectionSet;
use async_graphql::registry::{MetaField, MetaType, Registry};
use chrono::{DateTime, Utc};
use entity::catalog::{Branch, Cursor, Timeline, merged, place, placed};
use sea_orm::DbErr;
use uuid::Uuid;

use super::keyed::places;
use super::load::{Level, Reader};
use super::plan::{Ask, DEFAULT, InfoPart, MOST, Planner, Rows, argument, invalid};
use super::register::{self, enumeration, meta_field, meta_input, object, page_cost};
use super::write::{Failed, Writer};
use crate::error::Fault;

/// A timeline that is asked for.
pub(super) struct Asked<'a> {
    timeline: &'static Timeline,
    /// What is read, and what is asked of it.
    branches: Vec<(&'static Branch, Rows<'a>)>,
    parts: Vec<(&'a Name, Part<'a>)>,
    after: Option<Cursor>,
    size: usize,
}

/// Whether a type is what items of timelines are.
pub(super) fn is_item(name: &str) -> bool {
    name == "TimelineItem"
}

enum Part<'a> {
    Typename,
    /// Items with their places.
    Edges(Vec<(&'a Name, EdgePart)>),
    /// Items: which selection.
    Nodes(usize),
    PageInfo(Vec<(&'a Name, InfoPart)>),
}

enum EdgePart {
    Typename,
    Cursor,
    OccurredAt,
    /// The item: which selection.
    Node(usize),
}

/// The items of timelines, with what was read of them.
pub(super) struct Items {
    all: Vec<Item>,
    /// For a parent, which items.
    of: HashMap<Uuid, Range<usize>>,
    /// For each branch its records, and for a record which row.
    levels: Vec<(Level, HashMap<Uuid, usize>)>,
}

struct Item {
    branch: usize,
    at: DateTime<Utc>,
    id: Uuid,
}

impl<'a> Planner<'a> {
    /// A timeline.
    pub fn timeline(
        self,
        timeline: &'static Timeline,
        ask: Ask<'a>,
        sets: &[&'a SelectionSet],
    ) -> Result<Asked<'a>, Fault> {
        let argument = |name| argument(self.query, ask, name);
        let size = match argument("first") {
            serde_json::Value::Null => Some(DEFAULT),
            given => {
                let size = given.as_u64().and_then(|size| usize::try_from(size).ok());
                size.filter(|size| *size <= MOST)
            }
        };
        let size = size.ok_or_else(|| {
            Fault::bad_request("a page holds 0 to 100 items; page on with `after`")
        })?;
        let after = argument("after");
        let after = after.as_str().map(|text| placed(text, "after"));
        let types = argument("types");
        let is_asked = |branch: &&Branch| match types.as_array() {
            Some(types) => types.iter().any(|value| value == branch.value),
            None => true,
        };
        let branches = timeline.branches.iter().filter(is_asked);
        let rows = |branch: &'static Branch| {
            let record = (branch.target)();
            (branch, Rows { record, cells: vec!["id"], selections: Vec::new() })
        };
        let mut branches: Vec<_> = branches.map(rows).collect();
        let mut select = |sets: &[&'a SelectionSet]| {
            branches.iter_mut().try_fold(0, |_, (_, rows)| self.select(rows, sets))
        };
        let parts = self.parts(sets, &format!("{}Connection", timeline.name), |ask, sets| {
            Ok(Some(match ask.node.name.node.as_str() {
                "edges" => {
                    let name = format!("{}Edge", timeline.name);
                    Part::Edges(self.parts(&sets, &name, |ask, sets| {
                        Ok(Some(match ask.node.name.node.as_str() {
                            "node" => EdgePart::Node(select(&sets)?),
                            "cursor" => EdgePart::Cursor,
                            "occurredAt" => EdgePart::OccurredAt,
                            _ => EdgePart::Typename,
                        }))
                    })?)
                }
                "nodes" => Part::Nodes(select(&sets)?),
                "pageInfo" => Part::PageInfo(self.page_info(&sets)?),
                _ => Part::Typename,
            }))
        })?;
        let after = after.transpose().map_err(|error| invalid(&error))?;
        Ok(Asked { timeline, branches, parts, after, size })
    }
}

impl Reader<'_> {
    /// The timelines of all parents.
    pub async fn timeline(&mut self, asked: &Asked<'_>, parents: &[Uuid]) -> Result<Items, DbErr> {
        let backend = self.line.backend();
        let branches: Vec<_> = asked.branches.iter().map(|(branch, _)| *branch).collect();
        let (after, most) = (asked.after.as_ref(), asked.size + 1);
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        let statement = merged(backend, self.viewer, &branches, parents, after, limit);
        let rows = match statement {
            Some(statement) => self.query(&statement).await?,
            None => Vec::new(),
        };
        let mut items = Vec::with_capacity(rows.len());
        let mut of: HashMap<Uuid, Range<usize>> = HashMap::new();
        for row in &rows {
            let branch = usize::try_from(row.try_get_by_index::<i32>(0)?).unwrap_or_default();
            let (parent, at, id) =
                (row.try_get_by_index(1)?, row.try_get_by_index(2)?, row.try_get_by_index(3)?);
            let own = of.entry(parent).or_insert(items.len()..items.len());
            if own.len() < most {
                items.push(Item { branch, at, id });
                own.end = items.len();
            }
        }
        let mut levels = Vec::with_capacity(asked.branches.len());
        for (number, (_, rows)) in asked.branches.iter().enumerate() {
            let ids = items.iter().filter(|item| item.branch == number).map(|item| item.id);
            let level = self.by_ids(rows, &ids.collect::<Vec<_>>()).await?;
            let at = places(&level.rows, 0)?;
            levels.push((level, at));
        }
        Ok(Items { all: items, of, levels })
    }
}

impl Writer {
    /// The timeline of `parent`.
    pub fn timeline(
        &mut self,
        asked: &Asked<'_>,
        items: &Items,
        parent: Uuid,
    ) -> Result<(), Failed> {
        let own = items.of.get(&parent).cloned().unwrap_or_default();
        let known = |item: &&Item| items.levels[item.branch].1.contains_key(&item.id);
        let mut found: Vec<_> = items.all[own].iter().filter(known).collect();
        let more = found.len() > asked.size;
        found.truncate(asked.size);
        self.object(&asked.parts, |writer, part| {
            match part {
                Part::Typename => writer.text(&format!("{}Connection", asked.timeline.name)),
                Part::Nodes(selection) => writer.list(&found, |writer, item| {
                    writer.timeline_item(asked, items, item, *selection)
                })?,
                Part::Edges(parts) => writer.list(&found, |writer, item| {
                    writer.object(parts, |writer, part| {
                        match part {
                            EdgePart::Typename => {
                                writer.text(&format!("{}Edge", asked.timeline.name));
                            }
                            EdgePart::Cursor => writer.text(&place(item.at, item.id).encode()),
                            EdgePart::OccurredAt => writer.text(&item.at.to_rfc3339()),
                            EdgePart::Node(selection) => {
                                writer.timeline_item(asked, items, item, *selection)?;
                            }
                        }
                        Ok(())
                    })
                })?,
                Part::PageInfo(parts) => {
                    let place = |item: Option<&&Item>| item.map(|item| place(item.at, item.id));
                    let ends = (place(found.first()), place(found.last()));
                    writer.page_place(parts, (more, asked.after.is_some()), ends)?;
                }
            }
            Ok(())
        })
    }

    fn timeline_item(
        &mut self,
        asked: &Asked<'_>,
        items: &Items,
        item: &Item,
        selection: usize,
    ) -> Result<(), Failed> {
        let (level, at) = &items.levels[item.branch];
        let row = at.get(&item.id).copied().unwrap_or_default();
        self.row(&asked.branches[item.branch].1, selection, level, row)
    }
}

/// Registers the types of a timeline; gives the field `name` that it is.
pub(super) fn listing(
    registry: &mut Registry,
    timeline: &Timeline,
    name: &str,
    about: &str,
) -> MetaField {
    let Timeline { name: own, branches } = timeline;
    for branch in branches {
        register::record(registry, (branch.target)());
    }
    let values = branches.iter().map(|branch| (branch.value, branch.about));
    enumeration(registry, &format!("{own}Type"), "What an item of a timeline tells.", values);
    let union = MetaType::Union {
        name: format!("{own}Item"),
        description: Some("Something that happened; what it is follows from its type.".to_owned()),
        possible_types: branches.iter().map(|branch| (branch.target)().name.to_owned()).collect(),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        rust_typename: None,
        directive_invocations: Vec::new(),
    };
    registry.types.insert(format!("{own}Item"), union);
    let edge = [
        meta_field("cursor", "Its place in the timeline, for `after`.", "String!"),
        meta_field("occurredAt", "When it happened; timelines are ordered by this.", "DateTime!"),
        meta_field("node", "What happened.", &format!("{own}Item!")),
    ];
    let edge_name = format!("{own}Edge");
    registry.types.insert(edge_name.clone(), object(&edge_name, "An item of a timeline.", edge));
    let fields = [
        meta_field("edges", "The page's items with their cursors.", &format!("[{edge_name}!]!")),
        meta_field("nodes", "The page's items.", &format!("[{own}Item!]!")),
        meta_field("pageInfo", "Where the page lies in the timeline.", "PageInfo!"),
    ];
    let connection = format!("{own}Connection");
    let about_page = "A page of a timeline, newest first.";
    registry.types.insert(connection.clone(), object(&connection, about_page, fields));
    let arguments = [
        meta_input("first", "The first so many: 0 to 100, 25 when absent.", "Int", None),
        meta_input("after", "Only what comes after this cursor, and so is older.", "String", None),
        meta_input(
            "types",
            "Only items of these kinds; all when absent.",
            &format!("[{own}Type!]"),
            None,
        ),
    ];
    MetaField {
        args: arguments.into_iter().map(|one| (one.name.clone(), one)).collect::<IndexMap<_, _>>(),
        compute_complexity: Some(page_cost),
        ..meta_field(name, about, &format!("{connection}!"))
    }
}
