//! The statements that read records: by what refers to them, a page of a list, a page for each parent.
//!
//! Invariant: each of them has the viewer's condition, and its text does not depend on how many keys
//! it is asked with, so that the database prepares it once.

use sea_orm::sea_query::{
    Alias, Asterisk, CaseStatement, Expr, ExprTrait, Func, JoinType, Order as Way, Query,
    SelectStatement, WindowStatement,
};
use sea_orm::{Condition, DbBackend, Value};
use uuid::Uuid;

use super::{Order, Record, Scope};
use crate::access::Viewer;
use crate::search::{containing, matches, starting};
use crate::text::fold;

/// What a row belongs to that is one of many.
const PARENT: &str = "parent_of";

/// Which of its parent's rows it is.
const PLACE: &str = "place";

/// The rows of a parent.
const PAGE: &str = "page";

/// Which page of a list.
pub struct Page {
    /// In which order.
    pub order: Order,
    /// Which rows, with the cursors' conditions.
    pub filter: Condition,
    /// How many rows at most.
    pub limit: u64,
    /// Whether from the end.
    pub backwards: bool,
}

pub(super) fn base(record: &Record, viewer: &Viewer, cells: &[&'static str]) -> SelectStatement {
    let mut query = Query::select();
    query.from(record.table).cond_where(record.visible(viewer));
    for cell in cells {
        query.expr(record.column(cell));
    }
    query
}

/// `keys` as one value: an array on PostgreSQL, JSON on SQLite.
pub(crate) fn keys(backend: DbBackend, keys: &[Uuid]) -> Value {
    if backend == DbBackend::Postgres {
        return keys.to_vec().into();
    }
    let keys = keys.iter().map(|key| format!("\"{}\"", key.simple())).collect::<Vec<_>>();
    format!("[{}]", keys.join(",")).into()
}

/// Whether `column` is one of `keys`.
pub(crate) fn among(backend: DbBackend, column: Expr, keys: &[Uuid]) -> Expr {
    if let [key] = keys {
        return column.eq(*key);
    }
    let sql = match backend {
        DbBackend::Postgres => "$1 = ANY($2)",
        _ => "? IN (SELECT unhex(value) FROM json_each(?))",
    };
    Expr::cust_with_exprs(sql, [column, Expr::val(self::keys(backend, keys))])
}

/// The rows whose `column` is one of `keys`: in any order, or key by key in the order of another column.
#[must_use]
pub fn by_keys(
    backend: DbBackend,
    record: &Record,
    viewer: &Viewer,
    cells: &[&'static str],
    (column, keys): (&'static str, &[Uuid]),
    order: Option<&'static str>,
) -> SelectStatement {
    let mut query = base(record, viewer, cells);
    query.and_where(among(backend, record.column(column), keys));
    if let Some(order) = order {
        query.order_by_expr(record.column(column), Way::Asc);
        query.order_by_expr(record.column(order), Way::Asc);
        query.order_by_expr(record.column("id"), Way::Asc);
    }
    query
}

/// A page of the record's list.
#[must_use]
pub fn page(
    record: &Record,
    viewer: &Viewer,
    cells: &[&'static str],
    page: &Page,
) -> SelectStatement {
    let mut query = base(record, viewer, cells);
    query.cond_where(page.filter.clone()).limit(page.limit);
    ordered(query, page.order.terms(record, page.backwards))
}

/// A page for each of the `parents` to which the rows' `column` refers. A parent's rows lie together, in the
/// page's order; the parents come in any. The column is one of the cells.
#[must_use]
pub fn pages(
    backend: DbBackend,
    record: &Record,
    viewer: &Viewer,
    cells: &[&'static str],
    (column, parents): (&'static str, &[Uuid]),
    page: &Page,
) -> SelectStatement {
    let mut own = base(record, viewer, &[]);
    own.cond_where(page.filter.clone());
    let names = (0..cells.len()).map(|index| format!("c{index}")).collect::<Vec<_>>();
    for (cell, name) in cells.iter().zip(&names) {
        own.expr_as(record.column(cell), name.clone());
    }
    let order = page.order.terms(record, page.backwards);
    firsts(backend, record, own, &names, (column, parents), order, page.limit)
}

/// Of the rows of `own`, whose columns are `names`, the first ones of each of the `parents` to which their
/// `column` refers. A parent's rows lie together, in their order; the parents come in any.
pub(super) fn firsts(
    backend: DbBackend,
    record: &Record,
    mut own: SelectStatement,
    names: &[impl AsRef<str>],
    (column, parents): (&'static str, &[Uuid]),
    order: Vec<(Expr, Way)>,
    limit: u64,
) -> SelectStatement {
    let names = names.iter().map(|name| Alias::new(name.as_ref()));
    let parent = record.column(column);
    let mut all = Query::select();
    match (parents, backend) {
        ([one], _) => {
            own.and_where(parent.eq(*one)).limit(limit);
            ordered(own, order)
        }
        (_, DbBackend::Postgres) => {
            // The beginning of a range of an index for each.
            own.and_where(parent.eq(Expr::col((PARENT, PARENT)))).limit(limit);
            all.columns(names.map(|name| (Alias::new(PAGE), name)))
                .from_function(Func::cust("unnest").arg(keys(backend, parents)), PARENT)
                .join_lateral(JoinType::InnerJoin, ordered(own, order), PAGE, Expr::cust("TRUE"));
            all
        }
        _ => {
            let mut window = WindowStatement::partition_by_custom(format!("\"{column}\""));
            for (term, way) in order {
                window.order_by_expr(term, way);
            }
            own.and_where(among(backend, parent.clone(), parents))
                .expr_window_as(Expr::cust("row_number()"), window, PLACE)
                .expr_as(parent, PARENT);
            all.columns(names)
                .from_subquery(own, PAGE)
                .and_where(Expr::col(PLACE).lte(limit))
                .order_by(PARENT, Way::Asc)
                .order_by(PLACE, Way::Asc);
            all
        }
    }
}

fn ordered(mut query: SelectStatement, order: Vec<(Expr, Way)>) -> SelectStatement {
    for (term, way) in order {
        query.order_by_expr(term, way);
    }
    query
}

/// The rows that have every word of `text`, the best ones first: those that are it, that begin with it,
/// that have a word beginning with it, and the newest of each. How good a row is comes after its cells.
#[must_use]
pub fn found(
    record: &Record,
    scope: Scope<'_>,
    cells: &[&'static str],
    text: &str,
    limit: u64,
) -> SelectStatement {
    let folded = fold(text);
    let searched = record.column("search_text");
    let rank = CaseStatement::new()
        .case(searched.clone().eq(folded.as_str()), Expr::val(0))
        .case(searched.clone().like(starting(&folded)), Expr::val(1))
        .case(searched.like(containing(&format!(" {folded}"))), Expr::val(2))
        .finally(Expr::val(3));
    let mut query = base(record, scope.viewer, cells);
    query
        .expr_as(rank, Alias::new("rank"))
        .cond_where(record.listed(&serde_json::Value::Null))
        .cond_where(matches(scope.backend, record.table, text))
        .order_by(Alias::new("rank"), Way::Asc)
        .order_by_expr(record.column("id"), Way::Desc)
        .limit(limit);
    query
}

/// How many rows a list has.
#[must_use]
pub fn count(record: &Record, viewer: &Viewer, filter: &Condition) -> SelectStatement {
    let mut query = base(record, viewer, &[]);
    query.expr(Expr::col(Asterisk).count()).cond_where(filter.clone());
    query
}

/// How many rows the list of each of the `parents` has that has any.
#[must_use]
pub fn counts(
    backend: DbBackend,
    record: &Record,
    viewer: &Viewer,
    (column, parents): (&'static str, &[Uuid]),
    filter: &Condition,
) -> SelectStatement {
    let mut query = base(record, viewer, &[column]);
    query
        .expr(Expr::col(Asterisk).count())
        .and_where(among(backend, record.column(column), parents))
        .cond_where(filter.clone())
        .add_group_by([record.column(column)]);
    query
}
