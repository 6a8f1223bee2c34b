//! Whom a collector calls next.

use std::sync::Arc;

use async_graphql::connection::PageInfo;
use async_graphql::{Context, Enum, Object, SimpleObject};
use entity::access::Permission;
use entity::collaboration::call;
use entity::customers::customer;
use entity::finance::worklist::{self, Reason};

use crate::context::{Ask, Can};
use crate::error::{Fault, fault};
use crate::read::{Among, Together};
use crate::scalar::Date;
use crate::schema::list_cost;

/// How many customers a page has unless it is said.
const USUAL: i32 = 25;

/// How many a page has at most.
const MOST: u64 = 100;

/// Why a customer is called, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::finance::worklist::Reason")]
pub enum CollectionReason {
    /// They want to be called by now.
    Callback,
    /// They have broken a promise to pay.
    BrokenPromise,
    /// A call about what they owe is due.
    Overdue,
    /// Nobody has planned to call them.
    Fresh,
}

/// Somebody to call about what is overdue.
#[derive(SimpleObject)]
pub struct CollectionWork {
    /// Whom; its open invoices, promises, disputes and notices are fields of it.
    pub customer: Among<customer::Entity>,
    /// Why.
    pub reason: CollectionReason,
    /// The call that is due; null when none is planned, or when you may not see it.
    pub call: Among<call::Entity>,
    /// When the oldest of what may be asked for was due.
    pub first_due_on: Date,
    /// How many invoices may be asked for that are overdue.
    pub invoices: i32,
    /// The highest level of a ladder that one of them has reached; 0 for none.
    pub level: i32,
}

/// A customer in a page.
#[derive(SimpleObject)]
pub struct CollectionWorkEdge {
    /// Its place in the list, for `after`.
    pub cursor: String,
    /// Whom to call.
    pub node: CollectionWork,
}

/// Whom to call next.
#[derive(SimpleObject)]
pub struct CollectionWorklist {
    /// The page.
    pub nodes: Vec<CollectionWork>,
    /// The same with cursors.
    pub edges: Vec<CollectionWorkEdge>,
    /// Where the page lies in the list.
    pub page_info: PageInfo,
}

/// A collector's work.
#[derive(Default)]
pub struct WorklistQuery;

/// A collector's work.
#[Object]
impl WorklistQuery {
    /// Whom to call next about what is overdue: first who wants to be called by now, then who has broken a promise, then for
    /// whom a call is due, then the others; among them who owes for longest comes first. What is disputed, promised, or of
    /// customers who are asked for nothing is left out.
    #[graphql(
        guard = "Can(Permission::ReadFinance)",
        complexity = "10 + list_cost(first, None, child_complexity)"
    )]
    async fn collection_worklist(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many customers: 0 to 100, 25 when absent.")] first: Option<i32>,
        #[graphql(desc = "The cursor behind which the page begins; the first page when absent.")]
        after: Option<String>,
    ) -> Result<CollectionWorklist, Fault> {
        let limit = u64::try_from(first.unwrap_or(USUAL)).ok().filter(|limit| *limit <= MOST);
        let limit = limit.ok_or_else(|| Fault::bad_request("a page has 0 to 100 customers"))?;
        let (viewer, db) = (ctx.viewer()?, ctx.reader());
        let page = worklist::page(db, &viewer, limit, after.as_deref(), ctx.now()).await;
        let page = page.map_err(fault)?;
        let cursors: Vec<_> = page.rows.iter().map(worklist::cursor).collect();
        let page_info = PageInfo {
            has_previous_page: after.is_some(),
            has_next_page: page.has_next,
            start_cursor: cursors.first().cloned(),
            end_cursor: cursors.last().cloned(),
        };
        let customers = page.rows.iter().map(|row| row.customer.0).collect();
        let calls = page.rows.iter().filter_map(|row| row.call).map(|call| call.0).collect();
        let (customers, calls) = (Arc::new(Together::of(customers)), Arc::new(Together::of(calls)));
        let node = |row: &worklist::Work| CollectionWork {
            customer: Among::of(&customers, Some(row.customer.0)),
            reason: Reason::into(row.reason),
            call: Among::of(&calls, row.call.map(|call| call.0)),
            first_due_on: Date(row.first_due_on),
            invoices: i32::try_from(row.invoices).unwrap_or(i32::MAX),
            level: row.level,
        };
        let edges = page.rows.iter().zip(cursors);
        Ok(CollectionWorklist {
            nodes: page.rows.iter().map(node).collect(),
            edges: edges
                .map(|(row, cursor)| CollectionWorkEdge { cursor, node: node(row) })
                .collect(),
            page_info,
        })
    }
}
