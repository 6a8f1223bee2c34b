//! Invoices that a lawyer or a court asks for.
//!
//! Invariant: what was handed over is asked for by nobody here, whatever a ladder says, until it is taken back.

use sea_orm::entity::prelude::*;

use super::{Column, Entity, Model, follow, lock_one};
use crate::access::{Actor, organisation};
use crate::automation::event;
use crate::customers::parse_required;
use crate::error::Error;
use crate::finance::FinanceError;
use crate::id::InvoiceId;

/// Hands an open invoice over to a lawyer or a court: no ladder and no collector asks for it any more. Rapport knows no
/// agencies that collect for others: in Viet Nam that is no lawful business (Law on Investment 2020, article 6).
///
/// # Errors
/// [`Error::NoSuch`], `InvoiceNotOpen`, `HandedOver`, `Invalid` when it is not said to whom.
pub async fn hand_over(
    txn: &impl ConnectionTrait,
    id: InvoiceId,
    to: &str,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<InvoiceId, Error> {
    let invoice = lock_one(txn, id).await?;
    invoice.ensure_open(0)?;
    if invoice.handed_over_on.is_some() {
        return Err(FinanceError::HandedOver { number: invoice.number }.into());
    }
    let to = parse_required("to", to, 200)?;
    let today = organisation::get(txn).await?.today(now);
    note(txn, &invoice, Some((today, to)), actor, now).await
}

/// Takes an invoice back that was handed over: it is asked for here again.
///
/// # Errors
/// [`Error::NoSuch`], `NotHandedOver`.
pub async fn take_back(
    txn: &impl ConnectionTrait,
    id: InvoiceId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<InvoiceId, Error> {
    let invoice = lock_one(txn, id).await?;
    if invoice.handed_over_on.is_none() {
        return Err(FinanceError::NotHandedOver { number: invoice.number }.into());
    }
    note(txn, &invoice, None, actor, now).await
}

async fn note(
    txn: &impl ConnectionTrait,
    invoice: &Model,
    to: Option<(Date, String)>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<InvoiceId, Error> {
    let kind = match to {
        Some(_) => event::Kind::InvoiceHandedOver,
        None => event::Kind::InvoiceTakenBack,
    };
    let (on, to) = to.unzip();
    Entity::update_many()
        .col_expr(Column::HandedOverOn, Expr::val(on))
        .col_expr(Column::HandedOverTo, Expr::val(to))
        .filter(Column::Id.eq(invoice.id))
        .exec(txn)
        .await?;
    event::emit(txn, kind, invoice.id.0, Some(invoice.customer_id), actor, now).await?;
    follow::look_again(txn, &[invoice.id], now).await?;
    Ok(invoice.id)
}
