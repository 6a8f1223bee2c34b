//! Money received.
//!
//! Invariant: `0 <= allocated <= amount`, and `allocated` is the sum of its allocations; the rest is
//! unapplied cash, which belongs to the customer.

use rust_decimal::Decimal;
use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter, FromQueryResult, IntoActiveModel, QuerySelect};

use super::invoice::{self, Settlement, follow};
use super::ledger::{self, Account, Source};
use super::{FinanceError, allocation, receipt};
use crate::access::{Actor, Permission, organisation};
use crate::automation::event;
use crate::catalog::catalog;
use crate::collaboration::document;
use crate::customers::{customer, parse_text};
use crate::db::sum;
use crate::error::Error;
use crate::id::{AllocationId, CustomerId, Id, InvoiceId, JobId, PaymentId, UserId};
use crate::money::{Currency, Money};
use crate::search::searched;
use crate::text;

/// How money came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Method {
    /// To the bank account.
    BankTransfer,
    /// In cash.
    Cash,
    /// By card.
    Card,
    /// Otherwise.
    Other,
}

/// Whether a payment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum State {
    /// It holds.
    Recorded,
    /// It was taken back: a bounced cheque, a mistake.
    Reversed,
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PaymentId,
    /// Who paid.
    pub customer_id: CustomerId,
    /// Whether it holds.
    pub state: State,
    /// How it came in.
    pub method: Method,
    /// In what.
    pub currency: Currency,
    /// Minor units received.
    pub amount: i64,
    /// Minor units that settle invoices.
    pub allocated: i64,
    /// The day the money came in.
    pub received_on: Date,
    /// The bank's or the customer's reference.
    pub reference: Option<String>,
    /// The folded reference, for searching.
    pub search_text: String,
    /// The day it was taken back.
    pub reversed_on: Option<Date>,
    /// Why.
    pub reversal_reason: Option<String>,
    /// The import it came by.
    pub import_job_id: Option<JobId>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
    /// By whom.
    pub updated_by: Option<UserId>,
    /// Counts up with every change.
    pub version: i32,
}

/// [`Model::unapplied`] in SQL.
const UNAPPLIED: &str = "(CASE WHEN state = 'REVERSED' THEN 0 ELSE amount - allocated END)";

catalog! {
    /// Money received from a customer.
    Payment (payment, payments) of Entity, read by Permission::ReadFinance,
        part of Column::CustomerId => customer::Entity;
    /// Words that occur in the reference, without regard to case and diacritics. Every word has to
    /// occur.
    search: search(),
    /// Counts up with every change.
    version: whole(Column::Version),
    /// The id of who paid.
    customer_id: uuid::<CustomerId>(Column::CustomerId).hidden(),
    /// Who paid; null when you may not see them.
    customer: one::<customer::Entity>(Column::CustomerId).grouped(),
    /// Whether it holds.
    state: choice::<State>("PaymentState", Column::State).filtered().grouped(),
    /// How the money came in.
    method: choice::<Method>("PaymentMethod", Column::Method).filtered().grouped(),
    /// How much came in. As an order it is sensible within one currency.
    amount: money(Column::Amount).filtered().ordered().summed(),
    /// What of it settles invoices.
    allocated: money(Column::Allocated).summed(),
    /// What settles no invoice yet and is kept for the customer; nothing once it was taken back.
    unapplied: computed(UNAPPLIED).filtered().summed(),
    /// The day the money came in.
    received_on: day(Column::ReceivedOn).filtered().ordered().grouped(),
    /// The bank's or the customer's reference; null when there is none.
    reference: text(Column::Reference).filtered(),
    /// The day it was taken back; null while it holds.
    reversed_on: day(Column::ReversedOn),
    /// Why it was taken back; null while it holds.
    reversal_reason: text(Column::ReversalReason),
    /// What it settled, in the order in which it happened; negative amounts take earlier ones back.
    allocations: list::<allocation::Entity, _>(
        allocation::Column::PaymentId, allocation::Column::Id, 3,
    ),
    /// Its receipt; null for a payment that was imported without one.
    receipt: single::<receipt::Entity, _>(
        receipt::Column::PaymentId, receipt::Column::Kind, "RECEIPT",
    ),
    /// The document that cancels its receipt; null while it holds.
    cancellation: single::<receipt::Entity, _>(
        receipt::Column::PaymentId, receipt::Column::Kind, "CANCELLATION",
    ),
    /// What is kept with it, such as a bank's advice.
    documents: many::<document::Entity>(document::Column::PaymentId),
    /// When it was recorded.
    created_at: instant(Column::CreatedAt).filtered().ordered().grouped(),
}

impl Model {
    /// What settles no invoice yet.
    #[must_use]
    pub fn unapplied(&self) -> Money {
        let minor = if self.state == State::Reversed { 0 } else { self.amount - self.allocated };
        Money::new(minor, self.currency)
    }

    fn source(&self, booked_on: Date) -> Source {
        Source {
            customer: self.customer_id,
            currency: self.currency,
            payment: Some(self.id),
            credit_note: None,
            booked_on,
        }
    }
}

/// How much of a payment goes to an invoice.
#[derive(Clone, Copy, Debug)]
pub struct NewAllocation {
    /// Which invoice.
    pub invoice: InvoiceId,
    /// How much of it, in the payment's currency.
    pub amount: Decimal,
}

/// A payment to be.
#[derive(Clone, Debug)]
pub struct NewPayment {
    /// Who paid.
    pub customer: CustomerId,
    /// How much.
    pub amount: Money,
    /// The day the money came in; today when absent, never later.
    pub received_on: Option<Date>,
    /// How.
    pub method: Method,
    /// The bank's or the customer's reference.
    pub reference: Option<String>,
    /// What it settles; absent: the oldest open invoices first; empty: nothing yet.
    pub allocations: Option<Vec<NewAllocation>>,
}

/// Records money received: it settles invoices, gets its receipt, and the customer hears of it.
///
/// # Errors
/// `Invalid`, [`FinanceError`], [`Error::NoSuch`].
pub async fn record(
    txn: &impl ConnectionTrait,
    new: NewPayment,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let customer = customer::hold(txn, new.customer).await?;
    let currency = new.amount.currency;
    let amount = ledger::positive(new.amount, currency)?;
    let today = organisation::get(txn).await?.today(now);
    let received_on = new.received_on.unwrap_or(today);
    if received_on > today {
        return Err(Error::invalid("receivedOn", "money cannot have come in later than today"));
    }
    let reference = parse_text("reference", new.reference, 200)?;
    let settlements = match new.allocations {
        Some(wanted) => chosen(txn, customer.id, currency, &wanted).await?,
        None => oldest_first(invoice::lock_open(txn, customer.id, currency).await?, amount),
    };
    let allocated = settlements.iter().map(|settlement| settlement.paid).sum();
    if allocated > amount {
        let unapplied = Money::new(amount, currency);
        return Err(FinanceError::ExceedsUnapplied { unapplied }.into());
    }
    let row = Model {
        id: PaymentId::new(now),
        customer_id: customer.id,
        state: State::Recorded,
        method: new.method,
        currency,
        amount,
        allocated,
        received_on,
        search_text: searched([reference.as_ref()]),
        reference,
        reversed_on: None,
        reversal_reason: None,
        import_job_id: None,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    let row = row.into_active_model().reset_all().insert(txn).await?;
    let mut sides =
        vec![(Account::Cash, None, amount), (Account::Unapplied, None, allocated - amount)];
    sides.extend(settle(txn, &row, settlements, (received_on, today), actor, now).await?);
    ledger::post(txn, row.source(received_on), &sides, actor, now).await?;
    receipt::issue(txn, row.id, None, today, actor, now).await?;
    event::emit(txn, event::Kind::PaymentRecorded, row.id.0, Some(customer.id), actor, now).await?;
    Ok(row)
}

/// Lets unapplied cash of a payment settle invoices.
///
/// # Errors
/// [`Error::NoSuch`], `PaymentReversed`, `ExceedsUnapplied`, and what an invoice refuses.
pub async fn allocate(
    txn: &impl ConnectionTrait,
    id: PaymentId,
    wanted: Option<Vec<NewAllocation>>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock(txn, id).await?;
    let unapplied = row.unapplied();
    let settlements = if let Some(wanted) = wanted {
        chosen(txn, row.customer_id, row.currency, &wanted).await?
    } else {
        let open = invoice::lock_open(txn, row.customer_id, row.currency).await?;
        oldest_first(open, unapplied.minor)
    };
    let more: i64 = settlements.iter().map(|settlement| settlement.paid).sum();
    if more > unapplied.minor {
        return Err(FinanceError::ExceedsUnapplied { unapplied }.into());
    }
    if more == 0 {
        return Ok(row);
    }
    let today = organisation::get(txn).await?.today(now);
    row.allocated += more;
    let row = save(txn, row, actor, now).await?;
    let mut sides = vec![(Account::Unapplied, None, more)];
    sides.extend(settle(txn, &row, settlements, (today, today), actor, now).await?);
    ledger::post(txn, row.source(today), &sides, actor, now).await?;
    event::emit(txn, event::Kind::PaymentAllocated, row.id.0, Some(row.customer_id), actor, now)
        .await?;
    Ok(row)
}

/// Takes a payment back: its invoices are open again, and its receipt is cancelled by a new document.
///
/// # Errors
/// [`Error::NoSuch`], `PaymentReversed`, `Invalid` without a reason.
pub async fn reverse(
    txn: &impl ConnectionTrait,
    id: PaymentId,
    reason: &str,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let reason = text::clean(reason);
    if reason.is_empty() {
        return Err(Error::invalid("reason", "say why; the customer may ask"));
    }
    let mut row = lock(txn, id).await?;
    let today = organisation::get(txn).await?.today(now);
    let settled = settled_by(txn, id).await?;
    let ids: Vec<_> = settled.iter().map(|part| part.invoice_id).collect();
    let invoices = invoice::lock(txn, &ids).await?;
    let settlements = invoices
        .into_iter()
        .map(|invoice| {
            let part = settled.iter().find(|part| part.invoice_id == invoice.id);
            Settlement { paid: -part.map_or(0, |part| part.amount), ..Settlement::of(invoice) }
        })
        .collect();
    let mirror = ledger::mirror(txn, id).await?;
    settle(txn, &row, settlements, (today, today), actor, now).await?;
    ledger::post(txn, row.source(today), &mirror, actor, now).await?;
    row.state = State::Reversed;
    row.allocated = 0;
    row.reversed_on = Some(today);
    row.reversal_reason = Some(reason);
    let row = save(txn, row, actor, now).await?;
    if let Some(receipt) = receipt::of_payment(txn, id).await? {
        receipt::issue(txn, id, Some(receipt.id), today, actor, now).await?;
    }
    event::emit(txn, event::Kind::PaymentReversed, id.0, Some(row.customer_id), actor, now).await?;
    Ok(row)
}

async fn lock(txn: &impl ConnectionTrait, id: PaymentId) -> Result<Model, Error> {
    let row = Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    match row.ok_or_else(Error::no_such::<Entity>)? {
        row if row.state == State::Reversed => Err(FinanceError::PaymentReversed.into()),
        row => Ok(row),
    }
}

async fn save(
    txn: &impl ConnectionTrait,
    mut row: Model,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    row.updated_at = now;
    row.updated_by = actor.user();
    row.version += 1;
    Ok(row.into_active_model().reset_all().update(txn).await?)
}

/// What the caller chose, checked against the locked invoices.
async fn chosen(
    txn: &impl ConnectionTrait,
    customer: CustomerId,
    currency: Currency,
    wanted: &[NewAllocation],
) -> Result<Vec<Settlement>, Error> {
    let ids: Vec<_> = wanted.iter().map(|allocation| allocation.invoice).collect();
    let mut settlements = Vec::with_capacity(wanted.len());
    for invoice in invoice::lock(txn, &ids).await? {
        if invoice.customer_id != customer {
            return Err(FinanceError::OtherCustomersInvoice { number: invoice.number }.into());
        }
        if invoice.currency != currency {
            return Err(FinanceError::WrongCurrency { expected: invoice.currency }.into());
        }
        let wanted = wanted.iter().find(|allocation| allocation.invoice == invoice.id);
        let amount = wanted.map(|allocation| allocation.amount).unwrap_or_default();
        let amount = Money::from_decimal(amount, currency).map_err(FinanceError::from)?;
        let paid = ledger::positive(amount, currency)?;
        invoice.ensure_open(paid)?;
        settlements.push(Settlement { paid, ..Settlement::of(invoice) });
    }
    Ok(settlements)
}

/// As much of `amount` as the invoices take, the first ones first.
fn oldest_first(open: Vec<invoice::Model>, amount: i64) -> Vec<Settlement> {
    let mut left = amount;
    let mut settlements = Vec::new();
    for invoice in open {
        let paid = left.min(invoice.open().minor);
        if paid == 0 {
            break;
        }
        left -= paid;
        settlements.push(Settlement { paid, ..Settlement::of(invoice) });
    }
    settlements
}

/// Writes the allocations and the invoices' new state, and gives the ledger's side of it.
async fn settle(
    txn: &impl ConnectionTrait,
    payment: &Model,
    settlements: Vec<Settlement>,
    (on, today): (Date, Date),
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Vec<ledger::Side>, Error> {
    let amounts: Vec<_> = settlements.iter().map(|settlement| settlement.paid).collect();
    let before: Vec<_> = settlements.iter().map(|settlement| settlement.invoice.state).collect();
    let invoices = invoice::settle(txn, settlements, actor, now).await?;
    let (mut rows, mut sides) = (Vec::new(), Vec::new());
    for (invoice, amount) in invoices.iter().zip(amounts) {
        sides.push((Account::Receivable, Some(invoice.id), -amount));
        let row = allocation::Model {
            id: AllocationId::new(now),
            payment_id: payment.id,
            invoice_id: invoice.id,
            amount,
            open_after: invoice.open().minor,
            allocated_on: on,
            created_at: now,
            created_by: actor.user(),
        };
        rows.push(row.into_active_model().reset_all());
    }
    if !rows.is_empty() {
        allocation::Entity::insert_many(rows).exec(txn).await?;
    }
    follow::changed(txn, &before, &invoices, today, actor, now).await?;
    Ok(sides)
}

#[derive(FromQueryResult)]
struct Part {
    invoice_id: InvoiceId,
    amount: i64,
}

/// What a payment settles at the moment, invoice by invoice.
async fn settled_by(txn: &impl ConnectionTrait, id: PaymentId) -> Result<Vec<Part>, Error> {
    let rows = allocation::Entity::find()
        .select_only()
        .column(allocation::Column::InvoiceId)
        .column_as(sum(allocation::Column::Amount), "amount")
        .filter(allocation::Column::PaymentId.eq(id))
        .group_by(allocation::Column::InvoiceId)
        .into_model::<Part>()
        .all(txn)
        .await?;
    Ok(rows.into_iter().filter(|part| part.amount != 0).collect())
}
