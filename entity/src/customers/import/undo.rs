//! Taking an import of customers back.
//!
//! Invariant: it is taken back as a whole or not at all, and never once something was built on it.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ActiveEnum, QuerySelect};

use crate::access::{Actor, Viewer, audit};
use crate::automation::job;
use crate::customers::reference::{REFERENCES, Tie};
use crate::customers::{CustomersError, customer};
use crate::error::Error;
use crate::id::JobId;

/// Removes the customers that an import has added, for good, and what the audit log says of them. What it has
/// changed of others stays. Gives the job under which that is on record.
///
/// # Errors
/// [`Error::NoSuch`] for what is no import of customers that has ended,
/// [`CustomersError::BuiltOn`] with the reasons.
pub async fn undo(
    txn: &impl ConnectionTrait,
    id: JobId,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<job::Model, Error> {
    let import = job::Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    let ended =
        import.filter(|job| job.kind == job::Kind::ImportCustomers && job.finished_at.is_some());
    ended.ok_or_else(Error::no_such::<job::Entity>)?;
    let own = || customer::Entity::find().filter(customer::Column::ImportJobId.eq(id));
    let mut reasons = Vec::new();
    let touched = customer::Column::Version.gt(1).or(customer::Column::DeletedAt.is_not_null());
    let changed = own().filter(touched).count(txn).await?;
    if changed > 0 {
        reasons.push(format!("{changed} of its customers were changed since"));
    }
    for reference in REFERENCES.iter().filter(|reference| reference.tie != Tie::Noted) {
        let mut count = Query::select();
        let column = || Expr::col(Alias::new(reference.column));
        count
            .expr(column().count_distinct())
            .from(Alias::new(reference.table))
            .and_where(column().in_subquery(ids(id)));
        let row = txn.query_one(&count).await?;
        let count: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
        if count > 0 {
            let table = reference.table.replace('_', " ");
            reasons.push(format!("there are records of {count} of them: {table}"));
        }
    }
    if !reasons.is_empty() {
        return Err(CustomersError::BuiltOn(reasons.join("; ")).into());
    }
    for reference in REFERENCES.iter().filter(|reference| reference.tie == Tie::Noted) {
        let mut forget = Query::update();
        let column = Alias::new(reference.column);
        forget
            .table(Alias::new(reference.table))
            .value(column.clone(), None::<Uuid>)
            .and_where(Expr::col(column).in_subquery(ids(id)));
        txn.execute(&forget).await?;
    }
    let added = own().select_only().column(customer::Column::Id).into_tuple::<Uuid>();
    let added = added.all(txn).await?;
    let own = customer::Entity::delete_many().filter(customer::Column::ImportJobId.eq(id));
    let removed = own.exec(txn).await?.rows_affected;
    audit::erase(txn, added, Actor::User(viewer.user), now).await?;
    let report = serde_json::json!({ "removed": removed });
    let input =
        serde_json::json!({ "import": id.0, "kind": job::Kind::ImportCustomers.to_value() });
    let total = i64::try_from(removed).unwrap_or(i64::MAX);
    job::record(txn, job::Kind::UndoImport, input, (report, total), viewer, now).await
}

/// The ids of the customers that a job has added.
fn ids(job: JobId) -> SelectStatement {
    let mut query = Query::select();
    query
        .column(customer::Column::Id)
        .from(customer::Entity)
        .and_where(Expr::col(customer::Column::ImportJobId).eq(job.0));
    query
}
