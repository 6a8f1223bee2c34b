//! Timelines: records of several kinds that belong to one, newest first, in pages.
//!
//! Invariant: each branch of the statement ends with its own page, so that what it costs depends on the
//! page and not on how much there is; and each has the viewer's condition.

use chrono::{DateTime, Utc};
use sea_orm::DbBackend;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Order as Way, Query, SelectStatement, UnionType};
use uuid::Uuid;

use super::select::firsts;
use super::{CatalogError, Cursor, Field, Key, Scalar, Shape, Target};
use crate::access::Viewer;

/// The name of the order of timelines in cursors.
const NEWEST_FIRST: &str = "timeline";

/// What is read of each item.
const COLUMNS: [&str; 4] = ["branch", "parent", "at", "id"];

/// A timeline.
pub struct Timeline {
    /// Its name, such as `Timeline`: the names of its types begin with it.
    pub name: &'static str,
    /// The kinds of records that are in it.
    pub branches: Vec<Branch>,
}

/// A kind of record in a timeline.
pub struct Branch {
    /// Its value in the enum of kinds.
    pub value: &'static str,
    /// What such an item tells.
    pub about: &'static str,
    /// The column that refers to whom the timeline belongs.
    pub column: &'static str,
    /// The column that says when it was.
    pub at: &'static str,
    /// The kind of record.
    pub target: Target,
}

/// Records of several kinds that belong to this one, newest first.
#[must_use]
pub fn timeline(name: &'static str, branches: Vec<Branch>) -> Field {
    Field::new(Shape::Timeline(Timeline { name, branches }), false)
}

/// The place of an item.
#[must_use]
pub fn place(at: DateTime<Utc>, id: Uuid) -> Cursor {
    Cursor { order: NEWEST_FIRST.to_owned(), keys: vec![Some(Key::Instant(at))], id }
}

/// The place in a timeline that `text`, which stands at `at`, means.
///
/// # Errors
/// [`CatalogError::Invalid`].
pub fn placed(text: &str, at: &str) -> Result<Cursor, CatalogError> {
    Cursor::decode(text, NEWEST_FIRST, [(&Scalar::Instant, false)].into_iter(), at)
}

/// Up to `limit` items of each branch for each parent: the branch's number, the parent, when, the id;
/// parent by parent, newest first. The branches are numbered as they are given.
#[must_use]
pub fn merged(
    backend: DbBackend,
    viewer: &Viewer,
    branches: &[&Branch],
    parents: &[Uuid],
    after: Option<&Cursor>,
    limit: u64,
) -> Option<SelectStatement> {
    let numbered = branches.iter().enumerate();
    let mut parts = numbered
        .map(|(number, branch)| part(backend, viewer, (number, branch), parents, after, limit));
    let mut union = parts.next()?;
    for part in parts {
        union.union(UnionType::All, part);
    }
    let mut query = Query::select();
    query
        .columns(COLUMNS.map(Alias::new))
        .from_subquery(union, Alias::new("item"))
        .order_by(Alias::new("parent"), Way::Asc)
        .order_by(Alias::new("at"), Way::Desc)
        .order_by(Alias::new("id"), Way::Desc);
    Some(query)
}

fn part(
    backend: DbBackend,
    viewer: &Viewer,
    (number, branch): (usize, &Branch),
    parents: &[Uuid],
    after: Option<&Cursor>,
    limit: u64,
) -> SelectStatement {
    let record = (branch.target)();
    let (at, id) = (record.column(branch.at), record.column("id"));
    let number = i32::try_from(number).unwrap_or(i32::MAX);
    let mut page = Query::select();
    page.from(record.table)
        .expr_as(Expr::val(number).cast_as("integer"), Alias::new("branch"))
        .expr_as(record.column(branch.column), Alias::new("parent"))
        .expr_as(at.clone(), Alias::new("at"))
        .expr_as(id.clone(), Alias::new("id"))
        .cond_where(record.visible(viewer))
        .cond_where(record.listed(&serde_json::Value::Null));
    if let Some(Cursor { keys, id: last, .. }) = after
        && let [Some(key)] = keys.as_slice()
    {
        let last = Expr::tuple([Expr::val(key.clone()), Expr::val(*last)]);
        page.and_where(Expr::tuple([at.clone(), id.clone()]).lt(last));
    }
    let (order, parents) = (vec![(at, Way::Desc), (id, Way::Desc)], (branch.column, parents));
    let page = firsts(backend, record, page, &COLUMNS, parents, order, limit);
    // The parts of a union cannot be ordered themselves.
    Query::select().columns(COLUMNS.map(Alias::new)).from_subquery(page, Alias::new("page")).take()
}
