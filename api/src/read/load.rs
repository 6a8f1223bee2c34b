//! Loading a plan: one statement for each relation and level, whatever the number of rows, one after the
//! other over one connection.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use entity::access::Viewer;
use entity::catalog::{self, Batched, Datum, read_id};
use entity::db::Line;
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::sea_query::{Expr, ExprTrait, SelectStatement};
use sea_orm::{Condition, DatabaseConnection, DbErr, QueryResult};
use serde_json::Value as Json;
use uuid::Uuid;
use worker::document::Documents;
use worker::relay::chain;

use super::keyed::{Found, pages, places, references};
use super::plan::{Connection, ConnectionPart, Rows, Selected, What};
use super::timeline::Items;

/// Reads for a viewer.
pub(super) struct Reader<'a> {
    /// What the statements go over.
    pub line: Line<'a>,
    /// The pool, for what code makes of rows.
    pub db: &'a DatabaseConnection,
    /// Who asks.
    pub viewer: &'a Viewer,
    /// Counts statements.
    pub statements: &'a AtomicUsize,
    /// Says what notifications tell.
    pub words: &'a Documents,
}

/// Rows that were read together, with what belongs to them.
pub(super) struct Level {
    /// The rows.
    pub rows: Vec<QueryResult>,
    /// For each selection and each of its fields, what belongs to the rows.
    pub children: Vec<Vec<Child>>,
}

/// What belongs to the rows of a level.
pub(super) enum Child {
    /// Nothing beyond the rows' cells.
    Cells,
    /// For a key, which row.
    One(Level, HashMap<Uuid, usize>),
    /// For a parent, which rows.
    List(Level, HashMap<Uuid, Found>),
    /// For a parent, its page.
    Many(Level, HashMap<Uuid, Found>),
    /// For a parent, its items.
    Timeline(Items),
    /// For a row, what code made of it.
    Batch(Vec<Datum>),
    /// Which rows may be changed.
    Reach(HashSet<Uuid>),
    /// What may be seen of these rows only.
    Within(HashSet<Uuid>, Box<Child>),
}

impl Reader<'_> {
    /// Runs a statement.
    pub async fn query(&mut self, statement: &SelectStatement) -> Result<Vec<QueryResult>, DbErr> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.line.query(statement).await
    }

    /// The records with the ids that the viewer sees, in any order.
    pub async fn by_ids(&mut self, plan: &Rows<'_>, ids: &[Uuid]) -> Result<Level, DbErr> {
        if ids.is_empty() {
            return Ok(Level { rows: Vec::new(), children: Vec::new() });
        }
        let statement = self.by_keys(plan, ("id", ids), None);
        let rows = self.query(&statement).await?;
        self.level(plan, rows).await
    }

    /// The records with the ids that the viewer sees, and which row is whose. A record that became part of
    /// another one is the other one; `merged` is the cell that says so.
    pub async fn current(
        &mut self,
        plan: &Rows<'_>,
        merged: Option<usize>,
        ids: &[Uuid],
    ) -> Result<(Level, HashMap<Uuid, usize>), DbErr> {
        let level = self.by_ids(plan, ids).await?;
        let at = places(&level.rows, 0)?;
        let mut became = HashMap::new();
        if let Some(merged) = merged {
            for row in &level.rows {
                if let (Some(id), Some(other)) = (read_id(row, 0)?, read_id(row, merged)?) {
                    became.insert(id, other);
                }
            }
        }
        if became.is_empty() {
            return Ok((level, at));
        }
        let ids = ids.iter().map(|id| *became.get(id).unwrap_or(id)).collect::<Vec<_>>();
        let level = self.by_ids(plan, &ids).await?;
        let mut at = places(&level.rows, 0)?;
        for (id, other) in became {
            if let Some(index) = at.get(&other).copied() {
                at.insert(id, index);
            }
        }
        Ok((level, at))
    }

    /// A page of a list.
    pub async fn page(&mut self, plan: &Connection<'_>) -> Result<(Level, Found), DbErr> {
        let Connection { rows, paging, .. } = plan;
        let statement = catalog::page(rows.record, self.viewer, &rows.cells, &paging.page);
        let mut found = self.query(&statement).await?;
        let more = found.len() > paging.size;
        found.truncate(paging.size);
        if paging.page.backwards {
            found.reverse();
        }
        let level = self.level(rows, found).await?;
        let total = self.total(plan).await?;
        let found = Found { rows: 0..level.rows.len(), more, total };
        Ok((level, found))
    }

    async fn total(&mut self, plan: &Connection<'_>) -> Result<i64, DbErr> {
        if !plan.counts() {
            return Ok(0);
        }
        let statement = catalog::count(plan.rows.record, self.viewer, &plan.paging.counted);
        let rows = self.query(&statement).await?;
        rows.first().map_or(Ok(0), |row| row.try_get_by_index(0))
    }

    fn by_keys(
        &self,
        plan: &Rows<'_>,
        keys: (&'static str, &[Uuid]),
        order: Option<&'static str>,
    ) -> SelectStatement {
        let backend = self.line.backend();
        catalog::by_keys(backend, plan.record, self.viewer, &plan.cells, keys, order)
    }

    /// The rows with all that belongs to them.
    pub fn level<'s>(
        &'s mut self,
        plan: &'s Rows<'_>,
        rows: Vec<QueryResult>,
    ) -> BoxFuture<'s, Result<Level, DbErr>> {
        if rows.is_empty() || !plan.has_children() {
            return std::future::ready(Ok(Level { rows, children: Vec::new() })).boxed();
        }
        async move {
            let ids = references(&rows, 0)?;
            let mut children = Vec::with_capacity(plan.selections.len());
            for selection in &plan.selections {
                let mut own = Vec::with_capacity(selection.len());
                for field in selection {
                    own.push(match field.is_cells() {
                        true => Child::Cells,
                        false => self.guarded(plan, field, &rows, &ids).await?,
                    });
                }
                children.push(own);
            }
            Ok(Level { rows, children })
        }
        .boxed()
    }

    /// What belongs to the rows, and to which of them the viewer may see it.
    async fn guarded(
        &mut self,
        plan: &Rows<'_>,
        field: &Selected<'_>,
        rows: &[QueryResult],
        ids: &[Uuid],
    ) -> Result<Child, DbErr> {
        let child = self.child(plan, &field.what, rows, ids).await?;
        let Some(needed) = field.guard else { return Ok(child) };
        let reached = plan.record.reached(self.viewer, needed, false);
        Ok(Child::Within(self.which(plan, ids, reached).await?, Box::new(child)))
    }

    /// Which of the rows meet a condition.
    async fn which(
        &mut self,
        plan: &Rows<'_>,
        ids: &[Uuid],
        condition: Condition,
    ) -> Result<HashSet<Uuid>, DbErr> {
        let (backend, keys) = (self.line.backend(), ("id", ids));
        let mut statement =
            catalog::by_keys(backend, plan.record, self.viewer, &["id"], keys, None);
        statement.cond_where(condition);
        Ok(references(&self.query(&statement).await?, 0)?.into_iter().collect())
    }

    async fn child(
        &mut self,
        plan: &Rows<'_>,
        what: &What<'_>,
        rows: &[QueryResult],
        ids: &[Uuid],
    ) -> Result<Child, DbErr> {
        Ok(match what {
            What::One(cell, plan) => {
                let level = self.by_ids(plan, &references(rows, *cell)?).await?;
                let at = places(&level.rows, 0)?;
                Child::One(level, at)
            }
            What::Single(column, only, plan) => self.single(plan, column, *only, ids).await?,
            What::List(column, order, plan) => {
                let statement = self.by_keys(plan, (column, ids), Some(order));
                let rows = self.query(&statement).await?;
                let (rows, found) = pages(rows, plan.index(column), usize::MAX, false)?;
                Child::List(self.level(plan, rows).await?, found)
            }
            What::Many(column, plan) => self.many(column, plan, ids).await?,
            What::Custom(_, plan) => {
                let level = self.by_ids(&plan.definitions, &plan.ids()).await?;
                let at = places(&level.rows, 0)?;
                Child::One(level, at)
            }
            What::Timeline(asked) => Child::Timeline(self.timeline(asked, ids).await?),
            What::Batch(run, arguments, _) => self.batch(*run, arguments, rows).await?,
            What::Reach(needed) => {
                let changeable = plan.record.changeable(self.viewer, *needed);
                Child::Reach(self.which(plan, ids, changeable).await?)
            }
            What::Typename
            | What::Forbidden
            | What::Truth(_)
            | What::Kept(_)
            | What::Scalar(..)
            | What::Money(..) => Child::Cells,
        })
    }

    async fn single(
        &mut self,
        plan: &Rows<'_>,
        column: &'static str,
        (which, value): (&'static str, &'static str),
        ids: &[Uuid],
    ) -> Result<Child, DbErr> {
        let mut statement = self.by_keys(plan, (column, ids), Some("id"));
        statement.and_where(plan.record.column(which).eq(Expr::val(value)));
        let rows = self.query(&statement).await?;
        let level = self.level(plan, rows).await?;
        let at = places(&level.rows, plan.index(column))?;
        Ok(Child::One(level, at))
    }

    async fn many(
        &mut self,
        column: &'static str,
        plan: &Connection<'_>,
        ids: &[Uuid],
    ) -> Result<Child, DbErr> {
        let Connection { rows, paging, .. } = plan;
        let (backend, viewer, parents) = (self.line.backend(), self.viewer, (column, ids));
        let statement =
            catalog::pages(backend, rows.record, viewer, &rows.cells, parents, &paging.page);
        let (size, backwards) = (paging.size, paging.page.backwards);
        let found = self.query(&statement).await?;
        let (found, mut pages) = pages(found, rows.index(column), size, backwards)?;
        let level = self.level(rows, found).await?;
        if plan.counts() {
            let counted = &paging.counted;
            let statement = catalog::counts(backend, rows.record, viewer, parents, counted);
            for row in self.query(&statement).await? {
                if let Some(parent) = read_id(&row, 0)? {
                    pages.entry(parent).or_default().total = row.try_get_by_index(1)?;
                }
            }
        }
        Ok(Child::Many(level, pages))
    }

    async fn batch(
        &mut self,
        run: Batched,
        arguments: &Json,
        rows: &[QueryResult],
    ) -> Result<Child, DbErr> {
        let mut ids = Vec::with_capacity(rows.len());
        for row in rows {
            ids.push(read_id(row, 0)?.unwrap_or_default());
        }
        self.statements.fetch_add(1, Ordering::Relaxed);
        let data = run(self.db, self.viewer, &ids, arguments).await?.into_iter();
        let data = data.map(|datum| match datum {
            Datum::Notice(notice) => {
                let said = self.words.notice(&notice);
                said.map(|text| Datum::Json(text.into()))
                    .map_err(|error| DbErr::Custom(chain(&error)))
            }
            datum => Ok(datum),
        });
        Ok(Child::Batch(data.collect::<Result<_, _>>()?))
    }
}

impl Connection<'_> {
    /// Whether it is asked how many records there are.
    fn counts(&self) -> bool {
        self.parts.iter().any(|(_, part)| matches!(part, ConnectionPart::TotalCount))
    }
}
