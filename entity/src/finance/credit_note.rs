//! Credit notes: they take back an invoice, wholly or in part, or write off what is not paid of it. An invoice itself is
//! never changed.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter, FromQueryResult, QuerySelect};

use super::counter::{self, Series};
use super::invoice::{self, Settlement, follow};
use super::ledger::{self, Account, Source};
use super::{FinanceError, totals};
use crate::access::{Actor, Permission, organisation};
use crate::automation::event;
use crate::catalog::catalog;
use crate::db::sum;
use crate::error::Error;
use crate::id::{CreditNoteId, CustomerId, Id, InvoiceId, UserId};
use crate::money::{Currency, Money};
use crate::text;

/// What a credit note is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Kind {
    /// It takes back what was sold, and the tax on it.
    Credit,
    /// What is owed is given up; that it was earned stays, as does the tax.
    WriteOff,
    /// What was given up is owed again.
    Reinstatement,
}

/// A credit note.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credit_note")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CreditNoteId,
    /// Its number, gapless in its year.
    pub number: String,
    /// What it is for.
    pub kind: Kind,
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
    /// A document that takes back an invoice, wholly or in part, or gives up what is not paid of it.
    CreditNote of Entity, read by Permission::ReadFinance,
        part of Column::InvoiceId => invoice::Entity;
    /// Its id.
    id: id::<CreditNoteId>(),
    /// Its number, gapless in its year.
    number: text(Column::Number).filtered(),
    /// What it is for.
    kind: choice::<Kind>("CreditNoteKind", Column::Kind).filtered(),
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
    let invoice = invoice::lock_one(txn, invoice).await?;
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
    invoice.ensure_open(0)?;
    let total = ledger::positive(amount.unwrap_or(invoice.open()), invoice.currency)?;
    invoice.ensure_open(total)?;
    let before = credited_tax(txn, invoice.id).await?;
    // The last credit note takes what is left of the tax, so that all of them together take it all.
    let tax = if invoice.credited + total == invoice.total {
        Ord::min(invoice.tax - before, total)
    } else {
        totals::share(total, invoice.tax, invoice.total)
    };
    book(txn, invoice, (Kind::Credit, total, tax), reason, actor, now).await
}

/// Books a credit note of a kind: so much of an invoice, and the tax in that.
async fn book(
    txn: &impl ConnectionTrait,
    invoice: invoice::Model,
    (kind, total, tax): (Kind, i64, i64),
    reason: &str,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(Model, invoice::Model), Error> {
    let reason = text::clean(reason);
    if reason.is_empty() {
        return Err(Error::invalid("reason", "say why; the customer may ask"));
    }
    let issued_on = organisation::get(txn).await?.today(now);
    let id = CreditNoteId::new(now);
    let (currency, customer) = (invoice.currency, invoice.customer_id);
    let before = [invoice.state];
    let written_off = kind == Kind::WriteOff;
    let credited = if kind == Kind::Reinstatement { -total } else { total };
    let changed = Settlement { credited, written_off, ..Settlement::of(invoice) };
    let mut invoices = invoice::settle(txn, vec![changed], actor, now).await?;
    follow::changed(txn, &before, &invoices, issued_on, actor, now).await?;
    let invoice = invoices.pop().ok_or_else(Error::no_such::<invoice::Entity>)?;
    let series = match kind {
        Kind::Credit => Series::CreditNote,
        Kind::WriteOff | Kind::Reinstatement => Series::WriteOff,
    };
    let row = ActiveModel {
        id: Set(id),
        number: Set(counter::draw(txn, series, issued_on).await?),
        kind: Set(kind),
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
    let given_up = if kind == Kind::Credit { Account::Revenue } else { Account::BadDebt };
    let sides = [
        (given_up, about, credited - tax),
        (Account::Tax, about, tax),
        (Account::Receivable, about, -credited),
    ];
    ledger::post(txn, source, &sides, actor, now).await?;
    event::emit(txn, event::Kind::CreditNoteIssued, id.0, Some(customer), actor, now).await?;
    Ok((note, invoice))
}

/// Writes off all that is open of an invoice: it is given up, and not asked for any more.
///
/// # Errors
/// [`Error::NoSuch`], `InvoiceNotOpen`, `Invalid` without a reason.
pub async fn write_off(
    txn: &impl ConnectionTrait,
    id: InvoiceId,
    reason: &str,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(Model, invoice::Model), Error> {
    let invoice = invoice::lock_one(txn, id).await?;
    invoice.ensure_open(0)?;
    let open = invoice.open().minor;
    let (note, invoice) = book(txn, invoice, (Kind::WriteOff, open, 0), reason, actor, now).await?;
    let kind = event::Kind::InvoiceWrittenOff;
    event::emit(txn, kind, id.0, Some(invoice.customer_id), actor, now).await?;
    Ok((note, invoice))
}

/// Takes back what was written off of an invoice, such as when it is paid after all: it is owed again.
///
/// # Errors
/// [`Error::NoSuch`], `NotWrittenOff`, `Invalid` without a reason.
pub async fn reinstate(
    txn: &impl ConnectionTrait,
    id: InvoiceId,
    reason: &str,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(Model, invoice::Model), Error> {
    let invoice = invoice::lock_one(txn, id).await?;
    let written_off = total(txn, id, Column::Total, Kind::WriteOff).await?
        - total(txn, id, Column::Total, Kind::Reinstatement).await?;
    if written_off == 0 {
        return Err(FinanceError::NotWrittenOff { number: invoice.number }.into());
    }
    book(txn, invoice, (Kind::Reinstatement, written_off, 0), reason, actor, now).await
}

/// The tax that credit notes took back of an invoice.
async fn credited_tax(txn: &impl ConnectionTrait, invoice: InvoiceId) -> Result<i64, Error> {
    total(txn, invoice, Column::Tax, Kind::Credit).await
}

/// What a column of an invoice's credit notes of a kind comes to.
async fn total(
    txn: &impl ConnectionTrait,
    invoice: InvoiceId,
    column: Column,
    kind: Kind,
) -> Result<i64, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        total: Option<i64>,
    }
    let row = Entity::find()
        .select_only()
        .column_as(sum(column), "total")
        .filter(Column::InvoiceId.eq(invoice))
        .filter(Column::Kind.eq(kind))
        .into_model::<Row>()
        .one(txn)
        .await?;
    Ok(row.and_then(|row| row.total).unwrap_or_default())
}
