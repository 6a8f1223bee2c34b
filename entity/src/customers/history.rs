//! What the audit log says of a contact, or of something else about a customer, that was removed by itself:
//! that can be erased while the customer stays.
//!
//! Invariant: what exists keeps its history, and so does all that is not about a customer.

use sea_orm::ConnectionTrait;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, Query};

use super::CustomersError;
use super::reference::{REFERENCES, Tie};
use crate::access::{Actor, audit};
use crate::catalog::Record;
use crate::error::Error;

/// Erases what the audit log says was changed of the record `id`, which was removed for good.
///
/// # Errors
/// [`CustomersError::StillThere`], [`CustomersError::NothingToErase`].
pub async fn erase(
    txn: &impl ConnectionTrait,
    (record, id): (&'static Record, Uuid),
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let belongs =
        |table: &str| REFERENCES.iter().any(|one| one.tie == Tie::Belongs && one.table == table);
    if !belongs(record.table) {
        return Err(CustomersError::NothingToErase.into());
    }
    let mut there = Query::select();
    there.expr(Expr::val(1)).from(record.table).and_where(record.column("id").eq(id));
    if txn.query_one(&there).await?.is_some() {
        return Err(CustomersError::StillThere.into());
    }
    let removed = audit::Entity::find()
        .filter(audit::Column::RecordId.eq(id))
        .filter(audit::Column::RecordTable.eq(record.table))
        .filter(audit::Column::Action.eq(audit::Action::Deleted))
        .filter(audit::Column::ErasedAt.is_null());
    removed.one(txn).await?.ok_or(CustomersError::NothingToErase)?;
    audit::erase(txn, [id], actor, now).await
}
