//! What follows when invoices are settled, or open again.

use sea_orm::entity::prelude::*;

use super::{Kind, Model, State};
use crate::access::Actor;
use crate::automation::event::{self, Kind as Happened};
use crate::automation::workflow::run;
use crate::error::Error;
use crate::finance::{charge, promise};
use crate::id::InvoiceId;

/// What follows when money or credit notes have changed invoices: `before` has their states in the same order. Promises to
/// pay them may be kept, what was charged for them may fall away, and whoever waits for it goes on.
///
/// # Errors
/// The database.
pub(in crate::finance) async fn changed(
    txn: &impl ConnectionTrait,
    before: &[State],
    invoices: &[Model],
    today: Date,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    if invoices.is_empty() {
        return Ok(());
    }
    let turned = before.iter().zip(invoices).filter_map(|(before, invoice)| {
        let kind = match (before, invoice.state) {
            (State::Open, State::Paid | State::Void) => Happened::InvoiceSettled,
            (State::Paid | State::Void | State::WrittenOff, State::Open) => {
                Happened::InvoiceReopened
            }
            _ => return None,
        };
        Some(event::new(kind, invoice.id.0, Some(invoice.customer_id), actor, now))
    });
    let turned = turned.collect::<Vec<_>>();
    if !turned.is_empty() {
        event::Entity::insert_many(turned).exec_without_returning(txn).await?;
    }
    let settled = before.iter().zip(invoices).filter(|(before, invoice)| {
        // What was written off was not paid in time.
        let is_paid = matches!(invoice.state, State::Paid | State::Void);
        **before == State::Open && is_paid && invoice.kind == Kind::Invoice
    });
    let settled = settled.map(|(_, invoice)| invoice.id).collect::<Vec<_>>();
    if !settled.is_empty() {
        charge::waive(txn, settled, today, actor, now).await?;
    }
    let ids = invoices.iter().map(|invoice| invoice.id).collect::<Vec<_>>();
    promise::paid(txn, &ids, today, actor, now).await?;
    look_again(txn, &ids, now).await
}

/// Lets whoever waits to ask for invoices look again now.
///
/// # Errors
/// The database.
pub(in crate::finance) async fn look_again(
    txn: &impl ConnectionTrait,
    invoices: &[InvoiceId],
    now: DateTimeUtc,
) -> Result<(), Error> {
    let records = invoices.iter().map(|invoice| invoice.0).collect();
    run::look_again(txn, records, now).await
}
