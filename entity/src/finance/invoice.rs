//! What a customer owes.
//!
//! Invariant: `0 <= paid + credited <= total`; `paid` is the sum of its allocations, `credited` that
//! of its credit notes and of what was written off. Once issued, what it says never changes.

use std::collections::HashSet;

use rust_decimal::Decimal;
use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter, IntoActiveModel, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

use super::counter::{self, Series};
use super::credit_limit::{self, More};
use super::ledger::{self, Account, Source};
use super::totals::{self, Line};
use super::{FinanceError, allocation, credit_note, dispute, dunning, invoice_line};
use crate::access::{Actor, Permission, organisation};
use crate::automation::event;
use crate::catalog::catalog;
use crate::collaboration::document;
use crate::customers::{customer, parse_text};
use crate::error::Error;
use crate::id::{CustomerId, Id, InvoiceId, InvoiceLineId, JobId, SalesOrderId, UserId};
use crate::money::{Currency, Money, basis_points};
use crate::sales::order;
use crate::search::searched;
use crate::text;

pub mod follow;
pub mod hand_over;
mod settle;

pub(super) use settle::{Settlement, settle};

/// What an invoice is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Kind {
    /// What was sold.
    Invoice,
    /// A fee for another one that was not paid in time.
    LateFee,
    /// Interest for another one that was not paid in time.
    Interest,
}

/// How far an invoice is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum State {
    /// Something of it is still to be paid.
    Open,
    /// Paid, or credited, or both.
    Paid,
    /// Taken back as a whole.
    Void,
    /// Given up: what was still to be paid was written off.
    WrittenOff,
}

/// An invoice.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InvoiceId,
    /// Its number: gapless in its year, or another system's for an imported one.
    pub number: String,
    /// What it is for.
    pub kind: Kind,
    /// The invoice that was not paid in time, for a charge.
    pub about_id: Option<InvoiceId>,
    /// What makes a charge unique: the level that was reached, or the days of the interest.
    pub charge_key: Option<String>,
    /// Until when a charge is taken back if what it is about is paid.
    pub waived_until: Option<Date>,
    /// Who owes it.
    pub customer_id: CustomerId,
    /// How far it is settled.
    pub state: State,
    /// In what.
    pub currency: Currency,
    /// Minor units without tax.
    pub net: i64,
    /// The tax in it.
    pub tax: i64,
    /// Both together.
    pub total: i64,
    /// What was paid of it.
    pub paid: i64,
    /// What was taken back of it by credit notes, and written off.
    pub credited: i64,
    /// Its date.
    pub issued_on: Date,
    /// When it has to be paid.
    pub due_on: Date,
    /// Whether the customer disputes it.
    pub disputed: bool,
    /// How much of it the customer disputes.
    pub disputed_amount: i64,
    /// When it was last clear that something of it is owed that was disputed.
    pub undisputed_at: Option<DateTimeUtc>,
    /// Until when the customer has promised to pay it, days of grace included.
    pub promised_until: Option<Date>,
    /// When a promise to pay it was last broken.
    pub broken_at: Option<DateTimeUtc>,
    /// The highest level that a notice about it has.
    pub dunning_level: i32,
    /// When it reached that.
    pub dunned_at: Option<DateTimeUtc>,
    /// When it was handed over to a lawyer or a court.
    pub handed_over_on: Option<Date>,
    /// To whom.
    pub handed_over_to: Option<String>,
    /// The order that it is for.
    pub order_id: Option<SalesOrderId>,
    /// The customer's order number or the like.
    pub reference: Option<String>,
    /// Folded number and reference, for searching.
    pub search_text: String,
    /// The import it came by.
    pub import_job_id: Option<JobId>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
    /// When it was last settled.
    pub updated_at: DateTimeUtc,
    /// By whom.
    pub updated_by: Option<UserId>,
    /// Counts up with every change.
    pub version: i32,
}

catalog! {
    /// An invoice. Once issued, what it says never changes; credit notes take it back.
    Invoice (invoice, invoices) of Entity, read by Permission::ReadFinance,
        part of Column::CustomerId => customer::Entity, with history;
    /// Words that occur in number or reference, without regard to case and diacritics. Every word has
    /// to occur.
    search: search(),
    /// Counts up with every change of what is paid or credited.
    version: whole(Column::Version),
    /// Its number: gapless in its year, or another system's for an imported one.
    number: text(Column::Number).filtered().ordered().unique(),
    /// What it is for: a charge is one, too, with a number of its own series.
    kind: choice::<Kind>("InvoiceKind", Column::Kind).filtered().grouped(),
    /// The invoice that was not paid in time, for a charge; null otherwise.
    about: one::<Entity>(Column::AboutId),
    /// The id of who owes it.
    customer_id: uuid::<CustomerId>(Column::CustomerId).hidden(),
    /// Who owes it; null when you may not see them.
    customer: one::<customer::Entity>(Column::CustomerId).grouped(),
    /// How far it is settled.
    state: choice::<State>("InvoiceState", Column::State).filtered().grouped(),
    /// Its currency.
    currency: currency(Column::Currency).filtered().grouped(),
    /// What it comes to without tax.
    net: money(Column::Net).summed(),
    /// The tax in it.
    tax: money(Column::Tax).summed(),
    /// What it comes to with tax. As an order it is sensible within one currency.
    total: money(Column::Total).filtered().ordered().summed(),
    /// What was paid of it.
    paid: money(Column::Paid).summed(),
    /// What credit notes took back of it, and what was written off.
    credited: money(Column::Credited).summed(),
    /// What is still to be paid: total less paid less credited.
    open: computed("(total - paid - credited)").filtered().summed(),
    /// Its date.
    issued_on: day(Column::IssuedOn).filtered().ordered().grouped(),
    /// When it has to be paid.
    due_on: day(Column::DueOn).filtered().ordered().grouped(),
    /// Whether the customer disputes it.
    disputed: truth(Column::Disputed).filtered().grouped(),
    /// How much of it the customer disputes.
    disputed_amount: money(Column::DisputedAmount).summed(),
    /// The last day on which it is not asked for, since the customer has promised to pay it; null when it has not.
    promised_until: day(Column::PromisedUntil).filtered(),
    /// The highest level of a ladder that it reached, counted from 1; 0 before any.
    dunning_level: whole(Column::DunningLevel).filtered().grouped(),
    /// When it reached that; null before any.
    dunned_at: instant(Column::DunnedAt).filtered().ordered(),
    /// When it was handed over to a lawyer or a court, who ask for it from then on; null when it was not.
    handed_over_on: day(Column::HandedOverOn).filtered(),
    /// To whom; null when it was not.
    handed_over_to: text(Column::HandedOverTo).filtered(),
    /// The order that it is for; null when it is for none, or you may not see it.
    sales_order: one::<order::Entity>(Column::OrderId),
    /// The customer's order number or the like; null when there is none.
    reference: text(Column::Reference).filtered(),
    /// What it is for, in the order of the document.
    lines: list::<invoice_line::Entity, _>(
        invoice_line::Column::InvoiceId, invoice_line::Column::Position, 10,
    ),
    /// What settled it, in the order in which it happened; negative amounts take earlier ones back.
    allocations: list::<allocation::Entity, _>(
        allocation::Column::InvoiceId, allocation::Column::Id, 3,
    ),
    /// What took it back or gave it up, in the order in which it happened.
    credit_notes: list::<credit_note::Entity, _>(
        credit_note::Column::InvoiceId, credit_note::Column::Id, 2,
    ),
    /// What was charged because it was not paid in time.
    charges: list::<Entity, _>(Column::AboutId, Column::Id, 1),
    /// What the customer disputes of it, and has disputed.
    disputes: list::<dispute::Entity, _>(dispute::Column::InvoiceId, dispute::Column::Id, 1),
    /// The notices about it, each with the level that it reached.
    notices: list::<dunning::item::Entity, _>(
        dunning::item::Column::InvoiceId, dunning::item::Column::Id, 2,
    ),
    /// What is kept with it.
    documents: many::<document::Entity>(document::Column::InvoiceId),
    /// When it was added.
    created_at: instant(Column::CreatedAt).filtered().ordered().grouped(),
}

impl Model {
    /// What is still to be paid.
    #[must_use]
    pub fn open(&self) -> Money {
        Money::new(self.total - self.paid - self.credited, self.currency)
    }

    /// What of it may be asked for: what is open and not disputed.
    #[must_use]
    pub fn collectable(&self) -> Money {
        let open = self.open().minor;
        let asked = if self.state == State::Open { open - self.disputed_amount } else { 0 };
        Money::new(Ord::max(asked, 0), self.currency)
    }

    /// What the invoice is found by.
    #[must_use]
    pub fn searched(&self) -> String {
        searched([Some(&self.number), self.reference.as_ref()])
    }

    /// # Errors
    /// `InvoiceNotOpen`, or `ExceedsOpen` when `amount` is more than is open.
    pub(super) fn ensure_open(&self, amount: i64) -> Result<(), FinanceError> {
        let number = self.number.clone();
        if self.state != State::Open {
            return Err(FinanceError::InvoiceNotOpen { number });
        }
        if amount > self.open().minor {
            return Err(FinanceError::ExceedsOpen { number, open: self.open() });
        }
        Ok(())
    }
}

/// A line of an invoice to be.
#[derive(Clone, Debug)]
pub struct NewLine {
    /// What is sold.
    pub description: String,
    /// How much of it, at most three decimals.
    pub quantity: Decimal,
    /// Price of one, without tax; negative for a discount.
    pub unit_price: Decimal,
    /// The tax rate as a fraction: 0.1 is 10 %; at most four decimals.
    pub tax_rate: Decimal,
}

/// An invoice to be.
#[derive(Clone, Debug)]
pub struct NewInvoice {
    /// Who owes it.
    pub customer: CustomerId,
    /// In what; the customer's currency when absent.
    pub currency: Option<Currency>,
    /// Its date; today when absent, never later.
    pub issued_on: Option<Date>,
    /// When it has to be paid, not before its date.
    pub due_on: Date,
    /// The order that it is for.
    pub order: Option<SalesOrderId>,
    /// The customer's order number or the like.
    pub reference: Option<String>,
    /// What it is for: 1 to 500 lines.
    pub lines: Vec<NewLine>,
}

/// Issues an invoice: it gets its number and is owed from now on.
///
/// # Errors
/// `Invalid`, [`FinanceError`], [`Error::NoSuch`]; `CreditLimitExceeded` and `OnCreditHold` for who may not owe more.
pub async fn issue(
    txn: &impl ConnectionTrait,
    new: NewInvoice,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let customer = customer::hold(txn, new.customer).await?;
    let today = organisation::get(txn).await?.today(now);
    let issued_on = new.issued_on.unwrap_or(today);
    if issued_on > today {
        return Err(Error::invalid("issuedOn", "an invoice cannot be dated later than today"));
    }
    if new.due_on < issued_on {
        return Err(Error::invalid("dueOn", "an invoice is due on its date or later"));
    }
    if !(1..=500).contains(&new.lines.len()) {
        return Err(Error::invalid("lines", "an invoice has 1 to 500 lines"));
    }
    let currency = new.currency.unwrap_or(customer.currency);
    let id = InvoiceId::new(now);
    let mut lines = Vec::with_capacity(new.lines.len());
    for (position, line) in (1..).zip(new.lines) {
        lines.push(line.parse(id, position, currency, now)?);
    }
    let (net, tax) = totals::of(lines.iter().map(|line| Line {
        quantity_milli: line.quantity_milli,
        unit_price: line.unit_price,
        tax_rate_bp: line.tax_rate_bp,
    }))?;
    let order = match new.order {
        Some(order) => Some(order::billed(txn, order, customer.id, currency).await?),
        None => None,
    };
    let ordered = order.as_ref().map_or(0, order::Model::unbilled);
    let more = More { amount: Money::new(net + tax, currency), ordered };
    credit_limit::ensure(txn, customer.id, more, today, actor, now).await?;
    let row = Model {
        order_id: new.order,
        reference: parse_text("reference", new.reference, 200)?,
        ..Model::open_for(
            (id, customer.id),
            counter::draw(txn, Series::Invoice, issued_on).await?,
            (currency, net, tax),
            (issued_on, new.due_on),
            actor,
            now,
        )
    };
    let row = Model { search_text: row.searched(), ..row };
    let row = row.into_active_model().reset_all().insert(txn).await?;
    let lines = lines.into_iter().map(|line| line.into_active_model().reset_all());
    invoice_line::Entity::insert_many(lines).exec(txn).await?;
    if let Some(order) = order {
        order::bill(txn, order, row.total, actor, now).await?;
    }
    let source = Source {
        customer: customer.id,
        currency,
        payment: None,
        credit_note: None,
        booked_on: issued_on,
    };
    ledger::post(txn, source, &row.sides(), actor, now).await?;
    event::emit(txn, event::Kind::InvoiceIssued, id.0, Some(customer.id), actor, now).await?;
    Ok(row)
}

impl Model {
    /// An invoice of which nothing was paid yet.
    #[must_use]
    pub fn open_for(
        (id, customer_id): (InvoiceId, CustomerId),
        number: String,
        (currency, net, tax): (Currency, i64, i64),
        (issued_on, due_on): (Date, Date),
        actor: Actor,
        now: DateTimeUtc,
    ) -> Self {
        Self {
            id,
            search_text: searched([Some(&number), None]),
            number,
            kind: Kind::Invoice,
            about_id: None,
            charge_key: None,
            waived_until: None,
            customer_id,
            state: State::Open,
            currency,
            net,
            tax,
            total: net + tax,
            paid: 0,
            credited: 0,
            issued_on,
            due_on,
            disputed: false,
            disputed_amount: 0,
            undisputed_at: None,
            promised_until: None,
            broken_at: None,
            dunning_level: 0,
            dunned_at: None,
            handed_over_on: None,
            handed_over_to: None,
            order_id: None,
            reference: None,
            import_job_id: None,
            created_at: now,
            created_by: actor.user(),
            updated_at: now,
            updated_by: actor.user(),
            version: 1,
        }
    }

    /// How an issued invoice is posted.
    pub(super) fn sides(&self) -> [ledger::Side; 3] {
        let about = Some(self.id);
        [
            (Account::Receivable, about, self.total),
            (Account::Revenue, about, -self.net),
            (Account::Tax, about, -self.tax),
        ]
    }
}

impl NewLine {
    fn parse(
        self,
        invoice_id: InvoiceId,
        position: i32,
        currency: Currency,
        now: DateTimeUtc,
    ) -> Result<invoice_line::Model, Error> {
        let scaled = |value: Decimal, scale: i64| (value * Decimal::from(scale)).normalize();
        let whole = |value: Decimal| {
            if value.is_integer() { i64::try_from(value).ok() } else { None }
        };
        let quantity_milli = whole(scaled(self.quantity, 1_000)).filter(|quantity| *quantity > 0);
        let description = text::clean(&self.description);
        if description.is_empty() {
            return Err(Error::invalid("lines", format!("line {position} needs a description")));
        }
        Ok(invoice_line::Model {
            id: InvoiceLineId::new(now),
            invoice_id,
            position,
            description,
            quantity_milli: quantity_milli.ok_or_else(|| {
                Error::invalid("lines", format!("line {position}: a quantity is more than zero and has at most three decimals"))
            })?,
            unit_price: Money::from_decimal(self.unit_price, currency).map_err(FinanceError::from)?.minor,
            tax_rate_bp: basis_points(self.tax_rate).ok_or_else(|| {
                Error::invalid("lines", format!("line {position}: a tax rate is a fraction from 0 to 1 with at most four decimals, such as 0.1"))
            })?,
        })
    }
}

/// Takes an invoice back as a whole, by a credit note.
///
/// # Errors
/// [`Error::NoSuch`], `InvoiceNotOpen`, `InvoiceHasPayments`, `Invalid` without a reason.
pub async fn void(
    txn: &impl ConnectionTrait,
    id: InvoiceId,
    reason: &str,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(Model, credit_note::Model), Error> {
    let invoice = lock_one(txn, id).await?;
    if invoice.paid > 0 {
        return Err(FinanceError::InvoiceHasPayments { number: invoice.number }.into());
    }
    let (note, invoice) = credit_note::issue_for(txn, invoice, None, reason, actor, now).await?;
    event::emit(txn, event::Kind::InvoiceVoided, id.0, Some(invoice.customer_id), actor, now)
        .await?;
    Ok((invoice, note))
}

/// Locks invoices in the order of their ids, which is the order for everybody.
///
/// # Errors
/// `InvoiceTwice`, [`Error::NoSuch`].
pub(super) async fn lock(
    txn: &impl ConnectionTrait,
    ids: &[InvoiceId],
) -> Result<Vec<Model>, Error> {
    if ids.iter().collect::<HashSet<_>>().len() < ids.len() {
        return Err(FinanceError::InvoiceTwice.into());
    }
    let found = Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .all(txn)
        .await?;
    if found.len() < ids.len() {
        return Err(Error::no_such::<Entity>());
    }
    Ok(found)
}

/// Locks one of them.
///
/// # Errors
/// [`Error::NoSuch`].
pub(super) async fn lock_one(txn: &impl ConnectionTrait, id: InvoiceId) -> Result<Model, Error> {
    lock(txn, &[id]).await?.pop().ok_or_else(Error::no_such::<Entity>)
}

/// Locks what a customer owes in `currency`, and gives it oldest first.
///
/// # Errors
/// The database.
pub(super) async fn lock_open(
    txn: &impl ConnectionTrait,
    customer: CustomerId,
    currency: Currency,
) -> Result<Vec<Model>, Error> {
    let mut open = Entity::find()
        .filter(Column::CustomerId.eq(customer))
        .filter(Column::Currency.eq(currency))
        .filter(Column::State.eq(State::Open))
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .all(txn)
        .await?;
    open.sort_by_key(|invoice| (invoice.due_on, invoice.issued_on, invoice.number.clone()));
    Ok(open)
}
