//! Deleting a customer, taking that back, and purging: removing it for good.
//!
//! Invariant: what the law makes us keep, invoices and payments, is never purged. Of a purged customer nothing
//! is left but its id, and that it was purged: the audit log keeps who did what and when, but no values.

use sea_orm::QuerySelect;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, Query};

use super::{Column, Entity, Model, lock, lock_present};
use crate::access::{Actor, audit};
use crate::automation::event;
use crate::collaboration::{export, upload};
use crate::customers::CustomersError;
use crate::customers::reference::{REFERENCES, Reference, Tie};
use crate::edit::save;
use crate::error::Error;
use crate::id::CustomerId;

/// Deletes a customer: lists leave it out, and nothing new is written about it. It can be restored.
///
/// # Errors
/// [`Error::NoSuch`], [`Error::StaleVersion`].
pub async fn delete(
    txn: &impl ConnectionTrait,
    id: CustomerId,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock_present(txn, id, expected_version).await?;
    row.deleted_at = Some(now);
    event::emit(txn, event::Kind::CustomerDeleted, id.0, Some(id), actor, now).await?;
    save::<Entity>(txn, row, actor, now).await
}

/// Takes the deletion of a customer back.
///
/// # Errors
/// [`Error::NoSuch`], [`CustomersError::NotDeleted`], [`CustomersError::Merged`],
/// [`CustomersError::Anonymised`], [`Error::StaleVersion`].
pub async fn restore(
    txn: &impl ConnectionTrait,
    id: CustomerId,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock(txn, id, expected_version).await?;
    if row.merged_into_id.is_some() {
        return Err(CustomersError::Merged.into());
    }
    if row.anonymised_at.is_some() {
        return Err(CustomersError::Anonymised.into());
    }
    if row.deleted_at.is_none() {
        return Err(CustomersError::NotDeleted.into());
    }
    row.deleted_at = None;
    event::emit(txn, event::Kind::CustomerRestored, id.0, Some(id), actor, now).await?;
    save::<Entity>(txn, row, actor, now).await
}

/// Removes a deleted customer for good, with everything that belongs to it alone.
///
/// # Errors
/// [`Error::NoSuch`], [`CustomersError::NotDeleted`], [`CustomersError::HasRecords`],
/// [`Error::StaleVersion`].
pub async fn purge(
    txn: &impl ConnectionTrait,
    id: CustomerId,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let row = lock(txn, id, expected_version).await?;
    if row.deleted_at.is_none() {
        return Err(CustomersError::NotDeleted.into());
    }
    for kept in REFERENCES.iter().filter(|reference| reference.tie == Tie::Kept) {
        if exists(txn, kept, id).await? {
            return Err(CustomersError::HasRecords.into());
        }
    }
    forget_files(txn, &with_parts(txn, id).await?, now).await?;
    for reference in REFERENCES {
        match reference.tie {
            Tie::Kept => {}
            Tie::Noted => reference.set(txn, [id], None).await?,
            Tie::Belongs => reference.remove(txn, [id]).await?,
        }
    }
    Entity::delete_by_id(id).exec(txn).await?;
    audit::erase(txn, [id.0], actor, now).await?;
    // The customer's id is all that is left of it.
    event::emit(txn, event::Kind::CustomerPurged, id.0, None, actor, now).await
}

/// The customer, and those that became part of it.
pub(super) async fn with_parts(
    txn: &impl ConnectionTrait,
    id: CustomerId,
) -> Result<Vec<CustomerId>, Error> {
    let parts = Entity::find().select_only().column(Column::Id).filter(Column::MergedIntoId.eq(id));
    let mut customers: Vec<CustomerId> = parts.into_tuple().all(txn).await?;
    customers.push(id);
    Ok(customers)
}

/// Forgets files that say who `customers` are and that no row refers to by them: those that were to come, and
/// those that were exported, of whomever.
pub(super) async fn forget_files(
    txn: &impl ConnectionTrait,
    customers: &[CustomerId],
    now: DateTimeUtc,
) -> Result<(), Error> {
    upload::forget_of(txn, customers).await?;
    export::expire(txn, now).await
}

async fn exists(
    txn: &impl ConnectionTrait,
    reference: &Reference,
    id: CustomerId,
) -> Result<bool, Error> {
    let mut query = Query::select();
    query
        .from(Alias::new(reference.table))
        .column(Alias::new(reference.column))
        .and_where(reference.is_in([id]))
        .limit(1);
    Ok(txn.query_one(&query).await?.is_some())
}
