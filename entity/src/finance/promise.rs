//! Promises to pay: so much of some invoices by a day, or by several as a payment plan.
//!
//! Invariant: invoices know until when they are promised (`promised_until`, days of grace included); nothing is asked for
//! before. What came in for them since the promise was made decides whether it was kept, once it is enough or the time is
//! over. The time of a plan is that of its first instalment for which not enough came in.

use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter, IntoActiveModel, PaginatorTrait, QuerySelect};

use super::invoice::{self, follow};
use super::{FinanceError, ledger};
use crate::access::{Actor, Permission, organisation};
use crate::automation::event;
use crate::catalog::catalog;
use crate::collaboration::call;
use crate::customers::{customer, parse_text};
use crate::edit::{edited, lock, save};
use crate::error::Error;
use crate::id::{CallId, CustomerId, Id, InvoiceId, PromiseId, PromiseItemId, UserId};
use crate::money::{Currency, Money};

pub mod instalment;
pub mod item;
mod settle;

use instalment::NewInstalment;

pub(super) use settle::paid;
pub use settle::settle_due;

/// How many promises of a customer are open at most.
const MOST_OPEN: u64 = 2;

/// How many broken promises of a customer are enough.
const MOST_BROKEN: u64 = 3;

/// For how many days broken promises are remembered.
const REMEMBERED_DAYS: u64 = 365;

/// How many days ahead something may be promised, and the last instalment of a plan be due.
const FARTHEST_DAYS: u64 = 90;
const FARTHEST_PLAN_DAYS: u64 = 1_827;

/// How many instalments a plan has.
const INSTALMENTS: std::ops::RangeInclusive<usize> = 2..=60;

/// How many days of grace there are at most, and when nobody says so.
const MOST_GRACE_DAYS: i32 = 10;
const USUAL_GRACE_DAYS: i32 = 1;

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Kind {
    /// An amount by a day.
    Promise,
    /// Instalments, each by its day.
    Plan,
}

/// How far a promise has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum State {
    /// Its time is not over, and not all has come in.
    Open,
    /// All came in.
    Kept,
    /// Some came in, and the time is over.
    PartlyKept,
    /// Nothing came in, and the time is over.
    Broken,
    /// Somebody called it off.
    Cancelled,
}

/// A promise to pay.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "promise")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PromiseId,
    /// Who promised.
    pub customer_id: CustomerId,
    /// An amount by a day, or instalments.
    pub kind: Kind,
    /// How far it has come.
    pub state: State,
    /// In what.
    pub currency: Currency,
    /// How much, in minor units.
    pub amount: i64,
    /// What came in for it, once that is clear; of a plan, so far.
    pub paid: i64,
    /// When it was made.
    pub made_on: Date,
    /// By when it is to be paid; of a plan, the first instalment for which not enough came in.
    pub promised_on: Date,
    /// For how many days after that nothing is asked for.
    pub grace_days: i32,
    /// The last of those days.
    pub until_on: Date,
    /// When it was clear what came of it.
    pub settled_on: Option<Date>,
    /// The call in which it was made.
    pub call_id: Option<CallId>,
    /// What there is to say about it.
    pub detail: Option<String>,
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

edited!();

catalog! {
    /// A promise to pay so much of some invoices by a day, or by several as a payment plan. They are not asked for before.
    PromiseToPay (promiseToPay, promisesToPay) of Entity, read by Permission::ReadFinance,
        part of Column::CustomerId => customer::Entity,
        versioned by Column::Version, with history;
    /// Who promised; null when you may not see them.
    customer: one::<customer::Entity>(Column::CustomerId).grouped(),
    /// An amount by a day, or a plan of instalments.
    kind: choice::<Kind>("PromiseKind", Column::Kind).filtered().grouped(),
    /// How far it has come.
    state: choice::<State>("PromiseState", Column::State).filtered().grouped(),
    /// How much was promised.
    amount: money(Column::Amount).filtered().summed(),
    /// What came in for it, once that is clear; nothing while it is open. Of a plan, what came in so far.
    paid: money(Column::Paid).summed(),
    /// When it was made, by the organisation's calendar.
    made_on: day(Column::MadeOn).filtered().ordered().grouped(),
    /// By when it is to be paid; of a plan, when the first instalment is due for which not enough came in.
    promised_on: day(Column::PromisedOn).filtered().ordered().grouped(),
    /// For how many days after that nothing is asked for.
    grace_days: whole(Column::GraceDays),
    /// When it was clear what came of it; null while it is open.
    settled_on: day(Column::SettledOn).filtered().ordered(),
    /// The call in which it was made; null when it was made otherwise.
    call: one::<call::Entity>(Column::CallId),
    /// What there is to say about it; null when there is nothing.
    detail: text(Column::Detail),
    /// The invoices that it is about.
    items: list::<item::Entity, _>(item::Column::PromiseId, item::Column::Id, 3),
    /// The instalments of a plan, in their order; none for a promise of one amount.
    instalments: list::<instalment::Entity, _>(
        instalment::Column::PromiseId, instalment::Column::DueOn, 12,
    ),
    /// When it was taken down.
    created_at: instant(Column::CreatedAt).filtered().ordered().grouped(),
}

/// A promise to be.
#[derive(Clone, Debug)]
pub struct NewPromise {
    /// Who promises.
    pub customer: CustomerId,
    /// How much, and by when.
    pub terms: Terms,
    /// For how many days after that nothing is asked for; one when absent.
    pub grace_days: Option<i32>,
    /// Which invoices; all that are open and not disputed when absent.
    pub invoices: Option<Vec<InvoiceId>>,
    /// The call in which it is made.
    pub call: Option<CallId>,
    /// What there is to say about it.
    pub detail: Option<String>,
}

/// How much is promised, and by when.
#[derive(Clone, Debug)]
pub enum Terms {
    /// So much by a day.
    Once(Money, Date),
    /// So much by each of several days.
    Plan(Vec<NewInstalment>),
}

impl Terms {
    fn kind(&self) -> Kind {
        match self {
            Self::Once(..) => Kind::Promise,
            Self::Plan(_) => Kind::Plan,
        }
    }

    /// What all of it comes to, and when the first of it is to be paid.
    fn parse(&self, today: Date) -> Result<(Money, Date), Error> {
        match self {
            Self::Once(amount, on) => {
                ensure_near("promisedOn", *on, today, FARTHEST_DAYS)?;
                ledger::positive(*amount, amount.currency)?;
                Ok((*amount, *on))
            }
            Self::Plan(instalments) => {
                let (Some(first), Some(last)) = (instalments.first(), instalments.last()) else {
                    return Err(Error::invalid("instalments", "a plan has 2 to 60 instalments"));
                };
                if !INSTALMENTS.contains(&instalments.len()) {
                    return Err(Error::invalid("instalments", "a plan has 2 to 60 instalments"));
                }
                ensure_near("instalments", first.due_on, today, FARTHEST_PLAN_DAYS)?;
                ensure_near("instalments", last.due_on, today, FARTHEST_PLAN_DAYS)?;
                if !instalments.is_sorted_by(|one, next| one.due_on < next.due_on) {
                    let message = "each instalment is due later than the one before it";
                    return Err(Error::invalid("instalments", message));
                }
                let currency = first.amount.currency;
                let mut total = 0_i64;
                for instalment in instalments {
                    total = total.saturating_add(ledger::positive(instalment.amount, currency)?);
                }
                Ok((Money::new(total, currency), first.due_on))
            }
        }
    }
}

fn ensure_near(field: &'static str, on: Date, today: Date, days: u64) -> Result<(), Error> {
    let farthest = today.checked_add_days(chrono::Days::new(days)).unwrap_or(today);
    match (today..=farthest).contains(&on) {
        true => Ok(()),
        false => Err(Error::invalid(field, format!("from today on to {days} days ahead"))),
    }
}

/// Takes a promise to pay down.
///
/// # Errors
/// `Invalid`, [`Error::NoSuch`], `InvoiceNotOpen`, `OtherCustomersInvoice`, `WrongCurrency`, `TooManyPromises`.
pub async fn make(
    txn: &impl ConnectionTrait,
    new: NewPromise,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let customer = customer::hold(txn, new.customer).await?;
    let today = organisation::get(txn).await?.today(now);
    let (amount, promised_on) = new.terms.parse(today)?;
    let grace_days = new.grace_days.unwrap_or(USUAL_GRACE_DAYS);
    if !(0..=MOST_GRACE_DAYS).contains(&grace_days) {
        return Err(Error::invalid("graceDays", format!("0 to {MOST_GRACE_DAYS} days")));
    }
    let Money { minor: amount, currency } = amount;
    let invoices = promised(txn, customer.id, currency, new.invoices.as_deref()).await?;
    let open: i64 = invoices.iter().map(|invoice| invoice.collectable().minor).sum();
    if amount > open {
        let open = Money::new(open, currency);
        return Err(Error::invalid("amount", format!("only {open} of these invoices is open")));
    }
    ensure_few(txn, customer.id, today).await?;
    if let Some(call) = new.call {
        let theirs = call::Entity::find_by_id(call)
            .filter(call::Column::CustomerId.eq(customer.id))
            .one(txn)
            .await?;
        theirs.ok_or_else(|| Error::no_such::<call::Entity>().at(&["input", "callId"]))?;
    }
    let row = Model {
        id: PromiseId::new(now),
        customer_id: customer.id,
        kind: new.terms.kind(),
        state: State::Open,
        currency,
        amount,
        paid: 0,
        made_on: today,
        promised_on,
        grace_days,
        until_on: with_grace(promised_on, grace_days),
        settled_on: None,
        call_id: new.call,
        detail: parse_text("detail", new.detail, 2_000)?,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    let row = row.into_active_model().reset_all().insert(txn).await?;
    let items = invoices.iter().map(|invoice| item::Model {
        id: PromiseItemId::new(now),
        promise_id: row.id,
        invoice_id: invoice.id,
        open: invoice.collectable().minor,
        created_at: now,
        created_by: actor.user(),
    });
    let items = items.map(|item| item.into_active_model().reset_all());
    item::Entity::insert_many(items).exec_without_returning(txn).await?;
    if let Terms::Plan(instalments) = &new.terms {
        instalment::insert(txn, row.id, instalments, actor, now).await?;
    }
    let ids = invoices.iter().map(|invoice| invoice.id).collect::<Vec<_>>();
    settle::project(txn, &ids).await?;
    let kind = event::Kind::PromiseMade;
    event::emit(txn, kind, row.id.0, Some(customer.id), actor, now).await?;
    Ok(row)
}

/// The last day on which something that is due on a day is not asked for.
fn with_grace(due_on: Date, grace_days: i32) -> Date {
    let grace = chrono::Days::new(u64::try_from(grace_days).unwrap_or_default());
    due_on.checked_add_days(grace).unwrap_or(due_on)
}

/// Whether something is open of a customer in a currency that could be promised.
///
/// # Errors
/// The database.
pub(crate) async fn is_possible(
    txn: &impl ConnectionTrait,
    customer: CustomerId,
    currency: Currency,
) -> Result<bool, Error> {
    let open = invoice::lock_open(txn, customer, currency).await?;
    Ok(open.iter().any(|invoice| invoice.collectable().minor > 0))
}

/// How many promises of a customer are in which state.
///
/// # Errors
/// The database.
pub async fn counts(
    db: &impl ConnectionTrait,
    customer: CustomerId,
) -> Result<Vec<(State, i64)>, DbErr> {
    let counts = Entity::find()
        .select_only()
        .column(Column::State)
        .column_as(Column::Id.count(), "number")
        .filter(Column::CustomerId.eq(customer))
        .group_by(Column::State);
    counts.into_tuple().all(db).await
}

/// The invoices that are promised, locked: those named, or all of the customer that can be asked for.
async fn promised(
    txn: &impl ConnectionTrait,
    customer: CustomerId,
    currency: Currency,
    named: Option<&[InvoiceId]>,
) -> Result<Vec<invoice::Model>, Error> {
    let Some(named) = named else {
        let mut open = invoice::lock_open(txn, customer, currency).await?;
        open.retain(|invoice| invoice.collectable().minor > 0);
        if open.is_empty() {
            return Err(Error::invalid("amount", "nothing is open that could be promised"));
        }
        return Ok(open);
    };
    if !(1..=500).contains(&named.len()) {
        return Err(Error::invalid("invoiceIds", "1 to 500 invoices"));
    }
    let invoices = invoice::lock(txn, named).await?;
    for invoice in &invoices {
        if invoice.customer_id != customer {
            let number = invoice.number.clone();
            return Err(FinanceError::OtherCustomersInvoice { number }.into());
        }
        if invoice.currency != currency {
            return Err(FinanceError::WrongCurrency { expected: invoice.currency }.into());
        }
        invoice.ensure_open(0)?;
    }
    Ok(invoices)
}

/// Makes sure that the customer has few promises open, and has not broken too many.
async fn ensure_few(
    txn: &impl ConnectionTrait,
    customer: CustomerId,
    today: Date,
) -> Result<(), Error> {
    let theirs = |state| {
        let theirs = Entity::find().filter(Column::CustomerId.eq(customer));
        theirs.filter(Column::State.eq(state))
    };
    let since = today.checked_sub_days(chrono::Days::new(REMEMBERED_DAYS)).unwrap_or(today);
    let open = theirs(State::Open).count(txn).await?;
    let broken = theirs(State::Broken).filter(Column::SettledOn.gte(since)).count(txn).await?;
    if open >= MOST_OPEN || broken >= MOST_BROKEN {
        return Err(FinanceError::TooManyPromises { open, broken }.into());
    }
    Ok(())
}

/// Calls a promise off: its invoices are asked for again.
///
/// # Errors
/// [`Error::NoSuch`], [`Error::StaleVersion`], `PromiseOver`.
pub async fn cancel(
    txn: &impl ConnectionTrait,
    id: PromiseId,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let invoices = item::invoices(txn, vec![id]).await?;
    invoice::lock(txn, &invoices).await?;
    let mut row = lock::<Entity>(txn, id, expected_version).await?;
    if row.state != State::Open {
        return Err(FinanceError::PromiseOver.into());
    }
    row.state = State::Cancelled;
    row.settled_on = Some(organisation::get(txn).await?.today(now));
    let row = save::<Entity>(txn, row, actor, now).await?;
    settle::project(txn, &invoices).await?;
    follow::look_again(txn, &invoices, now).await?;
    let kind = event::Kind::PromiseCancelled;
    event::emit(txn, kind, id.0, Some(row.customer_id), actor, now).await?;
    Ok(row)
}
