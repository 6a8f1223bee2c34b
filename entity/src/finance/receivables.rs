//! What is owed on invoices and what is kept for customers, out of the ledger: the part that ageing, figures and
//! profiles are made of.
//!
//! Invariant: nothing but the ledger says how much, so that a past day looks as it did, apart from what was posted back
//! to it since then.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Func, JoinType, Query, SelectStatement};
use sea_orm::{Condition, ConnectionTrait};

use super::invoice;
use super::ledger::{Account, Column, Entity};
use crate::access::{Permission, Viewer};
use crate::catalog::{self, Cataloged, Scope};
use crate::customers::custom::CustomFields;
use crate::customers::customer;
use crate::error::Error;

/// A column of the ledger, also where others are joined.
pub(super) fn entry(column: Column) -> Expr {
    Expr::col((Entity, column))
}

/// When that has to be paid which an entry is about; what is about no invoice, on the day it counts for.
pub(super) fn due_on() -> Expr {
    let due_on = Expr::col((invoice::Entity, invoice::Column::DueOn));
    Func::coalesce([due_on, entry(Column::BookedOn)]).into()
}

/// The sum of the amounts of those entries that pass.
pub(super) fn sum_where(passes: impl Into<Condition>) -> Expr {
    let amount = CaseStatement::new().case(passes.into(), entry(Column::Amount)).finally(0_i64);
    Expr::Case(Box::new(amount)).sum().cast_as("bigint")
}

/// The entries of `accounts` that count for `until` or a day before, with the invoices that they are about.
pub(super) fn entries(accounts: impl IntoIterator<Item = Account>, until: Date) -> SelectStatement {
    let about = entry(Column::InvoiceId).equals((invoice::Entity, invoice::Column::Id));
    Query::select()
        .from(Entity)
        .join(JoinType::LeftJoin, invoice::Entity, about)
        .and_where(entry(Column::Account).is_in(accounts.into_iter().map(Expr::val)))
        .and_where(entry(Column::BookedOn).lte(until))
        .take()
}

/// Whose entries these are: those of the customers whose books the viewer reaches, and of them those that `filter`
/// passes, which the viewer has to see for that; `None` where that is everybody's. Deleted customers are among them: what
/// they owe is in the books.
///
/// # Errors
/// [`crate::catalog::CatalogError`] for a filter that cannot be carried out.
pub(super) async fn whose(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    filter: Option<&Json>,
) -> Result<Option<Expr>, Error> {
    let record = customer::Entity::record();
    let reached = record.reached(viewer, Permission::ReadFinance, false);
    if reached.is_empty() && filter.is_none() {
        return Ok(None);
    }
    let mut customers = Query::select();
    customers.expr(record.column("id")).from(record.table).cond_where(reached);
    if let Some(filter) = filter {
        let custom = CustomFields::loaded(db).await?;
        let passing = catalog::condition(record, filter, Scope::of(db, viewer, &custom), "filter");
        customers.cond_where(record.visible(viewer)).cond_where(passing?);
    }
    Ok(Some(entry(Column::CustomerId).in_subquery(customers)))
}
