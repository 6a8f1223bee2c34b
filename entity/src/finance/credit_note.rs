//! Credit notes: they take back an invoice, wholly or in part. An invoice itself is never changed.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QuerySelect};

use super::counter::{self, Series};
use super::invoice::{self, Settlement, follow};
use super::ledger::{self, Account, Source};
use super::totals;
use crate::access::{Actor, Permission, organisation};
use crate::automation::event;
use crate::catalog::catalog;
use crate::db::sum;
use crate::error::Error;
use crate::id::{CreditNoteId, CustomerId, Id, InvoiceId, UserId};
use crate::money::{Currency, Money};
use crate::text;

/// A credit note.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credit_note")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CreditNoteId,
    /// Its number, gapless in its year.
    pub number: String,
    /// What it takes back.
    pub invoice_id: InvoiceId,
    /// Whose.
    pub customer_id: CustomerId,
    /// In what.
    pub currency: Currency,
    /// Minor units without tax.
    pub net: i64,
    /// The tax in it.
    pub tax: i64,
    /// Both together.
    pub total: i64,
    /// Its date.
    pub issued_on: Date,
    /// Why.
    pub reason: String,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// A document that takes back an invoice, wholly or in part.
    CreditNote of Entity, read by Permission::ReadFinance,
        part of Column::InvoiceId => invoice::Entity;
    /// Its id.
    id: id::<CreditNoteId>(),
    /// Its number, gapless in its year.
    number: text(Column::Number).filtered(),
    /// What it takes back, without tax.
    net: money(Column::Net),
    /// The tax in it.
    tax: money(Column::Tax),
    /// What it takes back, with tax.
    total: money(Column::Total).filtered(),
    /// Its date.
    issued_on: day(Column::IssuedOn).filtered(),
    /// Why it was issued.
    reason: text(Column::Reason),
}

/// Takes back `amount` (tax included) of what is open of an invoice; `None` takes back all of it.
///
/// # Errors
/// [`Error::NoSuch`], `InvoiceNotOpen`, `ExceedsOpen`, `Invalid` without a reason.
pub async fn issue(
    txn: &impl ConnectionTrait,
    invoice: InvoiceId,
    amount: Option<Money>,
    reason: &str,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(Model, invoice::Model), Error> {
    let mut invoices = invoice::lock(txn, &[invoice]).await?;
    let invoice = invoices.pop().ok_or_else(Error::no_such::<invoice::Entity>)?;
    issue_for(txn, invoice, amount, reason, actor, now).await
}

/// Like [`issue`], for an invoice that is locked already.
pub(super) async fn issue_for(
    txn: &impl ConnectionTrait,
    invoice: invoice::Model,
    amount: Option<Money>,
    reason: &str,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(Model, invoice::Model), Error> {
    let reason = text::clean(reason);
    if reason.is_empty() {
        return Err(Error::invalid("reason", "say why; the customer may ask"));
    }
    invoice.ensure_open(0)?;
    let total = ledger::positive(amount.unwrap_or(invoice.open()), invoice.currency)?;
    invoice.ensure_open(total)?;
    let before = credited_tax(txn, invoice.id).await?;
    // The last credit note takes what is left of the tax, so that all of them together take it all.
    let tax = if invoice.credited + total == invoice.total {
        invoice.tax - before
    } else {
        totals::share(total, invoice.tax, invoice.total)
    };
    let issued_on = organisation::get(txn).await?.today(now);
    let id = CreditNoteId::new(now);
    let (currency, customer) = (invoice.currency, invoice.customer_id);
    let before = [invoice.state];
    let changed = Settlement { credited: total, ..Settlement::of(invoice) };
    let mut invoices = invoice::settle(txn, vec![changed], actor, now).await?;
    follow::changed(txn, &before, &invoices, issued_on, actor, now).await?;
    let invoice = invoices.pop().ok_or_else(Error::no_such::<invoice::Entity>)?;
    let row = ActiveModel {
        id: Set(id),
        number: Set(counter::draw(txn, Series::CreditNote, issued_on).await?),
        invoice_id: Set(invoice.id),
        customer_id: Set(customer),
        currency: Set(currency),
        net: Set(total - tax),
        tax: Set(tax),
        total: Set(total),
        issued_on: Set(issued_on),
        reason: Set(reason),
        created_at: Set(now),
        created_by: Set(actor.user()),
    };
    let note = row.insert(txn).await?;
    let source =
        Source { customer, currency, payment: None, credit_note: Some(id), booked_on: issued_on };
    let about = Some(invoice.id);
    let sides = [
        (Account::Revenue, about, total - tax),
        (Account::Tax, about, tax),
        (Account::Receivable, about, -total),
    ];
    ledger::post(txn, source, &sides, actor, now).await?;
    event::emit(txn, event::Kind::CreditNoteIssued, id.0, Some(customer), actor, now).await?;
    Ok((note, invoice))
}

async fn credited_tax(txn: &impl ConnectionTrait, invoice: InvoiceId) -> Result<i64, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        tax: Option<i64>,
    }
    let row = Entity::find()
        .select_only()
        .column_as(sum(Column::Tax), "tax")
        .filter(Column::InvoiceId.eq(invoice))
        .into_model::<Row>()
        .one(txn)
        .await?;
    Ok(row.and_then(|row| row.tax).unwrap_or_default())
}
