//! Anonymising a customer: what says who it is goes, and what the books need stays.
//!
//! It is for whom the law makes us forget (GDPR, article 17; Vietnam's Personal Data Protection Law, article 14)
//! and whose invoices and payments it makes us keep (article 17(3)(b); Law on Accounting, article 41). Of these
//! stay numbers, amounts, days, lines, references and reasons, what is filed with them, the mails by which
//! receipts and statements were sent, and the PDFs of the latter, byte by byte: they are business letters (HGB,
//! section 257), and nothing that the API gives shows them.
//!
//! Invariant: an anonymised customer is deleted for good, and nobody owes it anything or is owed by it.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{IntoActiveModel, Iterable};

use super::removal::{forget_files, with_parts};
use super::{Column, Entity, Model, lock, lock_all};
use crate::access::{Actor, audit, organisation};
use crate::automation::{event, message};
use crate::customers::CustomersError;
use crate::customers::reference::{REFERENCES, Trace};
use crate::db::BINDS;
use crate::edit::Edited;
use crate::error::Error;
use crate::finance::ledger;
use crate::id::{CustomerId, Id};

/// Removes for good what says who a deleted customer is, from its record and those that became part of it, and
/// whatever else says so.
///
/// # Errors
/// [`Error::NoSuch`], [`CustomersError::NotDeleted`], [`CustomersError::Anonymised`],
/// [`CustomersError::NotSettled`], [`Error::StaleVersion`].
pub async fn anonymise(
    txn: &impl ConnectionTrait,
    id: CustomerId,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = lock(txn, id, expected_version).await?;
    if row.anonymised_at.is_some() {
        return Err(CustomersError::Anonymised.into());
    }
    if row.deleted_at.is_none() {
        return Err(CustomersError::NotDeleted.into());
    }
    if !ledger::is_settled(txn, id).await? {
        return Err(CustomersError::NotSettled.into());
    }
    let people = with_parts(txn, id).await?;
    // Who is just planning what has to be sent of them holds their events; it is seen afterwards.
    event::hold_pending(txn, &people).await?;
    forget_files(txn, &people, now).await?;
    for reference in REFERENCES.iter().filter(|reference| reference.trace == Trace::Goes) {
        reference.remove(txn, people.iter().copied()).await?;
    }
    message::fade(txn, &people, now).await?;
    let organisation = organisation::get(txn).await?;
    let mut rows = lock_all(txn, people.iter().copied()).await?;
    for row in &mut rows {
        row.fade(&organisation, now);
        row.touch(actor, now);
    }
    for rows in rows.chunks(BINDS / Column::iter().count()) {
        let rows = rows.iter().map(|row| row.clone().into_active_model().reset_all());
        let update = OnConflict::column(Column::Id).update_columns(Column::iter()).to_owned();
        Entity::insert_many(rows).on_conflict(update).exec_without_returning(txn).await?;
    }
    audit::erase(txn, people.into_iter().map(Uuid::from), actor, now).await?;
    event::emit(txn, event::Kind::CustomerAnonymised, id.0, Some(id), actor, now).await?;
    let anonymised = rows.into_iter().find(|row| row.id == id);
    anonymised.ok_or_else(Error::no_such::<Entity>)
}

impl Model {
    /// Leaves nothing that says who it is.
    fn fade(&mut self, organisation: &organisation::Model, now: DateTimeUtc) {
        *self = Self {
            id: self.id,
            kind: self.kind,
            stage: self.stage,
            display_name: format!("Anonymised {}", self.id.global()),
            owner_id: self.owner_id,
            currency: self.currency,
            import_job_id: self.import_job_id,
            deleted_at: self.deleted_at,
            merged_into_id: self.merged_into_id,
            anonymised_at: Some(now),
            created_at: self.created_at,
            created_by: self.created_by,
            version: self.version,
            ..Self::blank(organisation, Actor::System, now)
        };
        self.index();
    }
}
