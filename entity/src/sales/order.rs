//! Orders: what customers have ordered, and how much of it is invoiced.
//!
//! Invariant: an order that is open counts against its customer's credit limit with what of it is not invoiced; one that was
//! called off or invoiced stays so, and another one is measured anew.

use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter, IntoActiveModel, QuerySelect};

use crate::access::{Actor, Permission, organisation};
use crate::automation::event;
use crate::catalog::catalog;
use crate::customers::{customer, parse_text};
use crate::db::sum;
use crate::edit::{edited, lock, save};
use crate::error::Error;
use crate::finance::counter::{self, Series};
use crate::finance::credit_limit::{self, More};
use crate::finance::{FinanceError, ledger};
use crate::id::{CustomerId, Id, SalesOrderId, UserId};
use crate::money::{Currency, Money};
use crate::sales::SalesError;
use crate::search::searched;

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum State {
    /// Something of it is still to be invoiced.
    Open,
    /// All of it is invoiced.
    Invoiced,
    /// What was not invoiced is called off.
    Cancelled,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sales_order")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SalesOrderId,
    /// Its number, gapless in its year.
    pub number: String,
    /// Who has ordered.
    pub customer_id: CustomerId,
    /// How far it has come.
    pub state: State,
    /// In what.
    pub currency: Currency,
    /// What it comes to with tax, in minor units.
    pub total: i64,
    /// What of that is invoiced.
    pub invoiced: i64,
    /// Its date.
    pub ordered_on: Date,
    /// The customer's order number or the like.
    pub reference: Option<String>,
    /// Folded number and reference, for searching.
    pub search_text: String,
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
    /// What a customer has ordered. As long as it is open, what of it is not invoiced counts against the customer's credit
    /// limit.
    SalesOrder (salesOrder, salesOrders) of Entity, read by Permission::ReadOrders,
        part of Column::CustomerId => customer::Entity,
        versioned by Column::Version, with history;
    /// Words that occur in number or reference, without regard to case and diacritics. Every word has to occur.
    search: search(),
    /// Its number, gapless in its year.
    number: text(Column::Number).filtered().ordered().unique(),
    /// Who has ordered; null when you may not see them.
    customer: one::<customer::Entity>(Column::CustomerId).grouped(),
    /// How far it has come.
    state: choice::<State>("SalesOrderState", Column::State).filtered().grouped(),
    /// Its currency.
    currency: currency(Column::Currency).filtered().grouped(),
    /// What it comes to with tax. As an order it is sensible within one currency.
    total: money(Column::Total).filtered().ordered().summed(),
    /// What of that is invoiced.
    invoiced: money(Column::Invoiced).summed(),
    /// Its date.
    ordered_on: day(Column::OrderedOn).filtered().ordered().grouped(),
    /// The customer's order number or the like; null when there is none.
    reference: text(Column::Reference).filtered(),
    /// When it was added.
    created_at: instant(Column::CreatedAt).filtered().ordered().grouped(),
}

impl Model {
    /// What of it is still to be invoiced, in minor units.
    #[must_use]
    pub fn unbilled(&self) -> i64 {
        match self.state {
            State::Open => Ord::max(self.total - self.invoiced, 0),
            State::Invoiced | State::Cancelled => 0,
        }
    }
}

/// An order to be.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// Who orders.
    pub customer: CustomerId,
    /// What it comes to with tax.
    pub total: Money,
    /// Its date; today when absent, never later.
    pub ordered_on: Option<Date>,
    /// The customer's order number or the like.
    pub reference: Option<String>,
}

/// Takes an order down.
///
/// # Errors
/// `Invalid`, [`Error::NoSuch`], `NotPositive`; `CreditLimitExceeded` and `OnCreditHold` for who may not owe more.
pub async fn place(
    txn: &impl ConnectionTrait,
    new: NewOrder,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let customer = customer::hold(txn, new.customer).await?;
    let today = organisation::get(txn).await?.today(now);
    let ordered_on = new.ordered_on.unwrap_or(today);
    if ordered_on > today {
        return Err(Error::invalid("orderedOn", "an order cannot be dated later than today"));
    }
    let Money { currency, .. } = new.total;
    let total = ledger::positive(new.total, currency)?;
    let more = More { amount: new.total, ordered: 0 };
    credit_limit::ensure(txn, customer.id, more, today, actor, now).await?;
    let reference = parse_text("reference", new.reference, 200)?;
    let number = counter::draw(txn, Series::Order, ordered_on).await?;
    let row = Model {
        id: SalesOrderId::new(now),
        search_text: searched([Some(&number), reference.as_ref()]),
        number,
        customer_id: customer.id,
        state: State::Open,
        currency,
        total,
        invoiced: 0,
        ordered_on,
        reference,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    let row = row.into_active_model().reset_all().insert(txn).await?;
    let kind = event::Kind::SalesOrderPlaced;
    event::emit(txn, kind, row.id.0, Some(row.customer_id), actor, now).await?;
    Ok(row)
}

/// Calls off what of an order is not invoiced. It cannot be opened again.
///
/// # Errors
/// [`Error::NoSuch`], [`Error::StaleVersion`], [`SalesError::OrderNotOpen`].
pub async fn cancel(
    txn: &impl ConnectionTrait,
    id: SalesOrderId,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock::<Entity>(txn, id, expected_version).await?;
    if row.state != State::Open {
        return Err(SalesError::OrderNotOpen { number: row.number }.into());
    }
    row.state = State::Cancelled;
    let row = save::<Entity>(txn, row, actor, now).await?;
    let kind = event::Kind::SalesOrderCancelled;
    event::emit(txn, kind, row.id.0, Some(row.customer_id), actor, now).await?;
    Ok(row)
}

/// Locks the open order of a customer that is about to be invoiced.
///
/// # Errors
/// [`Error::NoSuch`], also for another customer's; [`SalesError::OrderNotOpen`], `WrongCurrency`.
pub(crate) async fn billed(
    txn: &impl ConnectionTrait,
    id: SalesOrderId,
    customer: CustomerId,
    currency: Currency,
) -> Result<Model, Error> {
    let row = lock::<Entity>(txn, id, None).await?;
    if row.customer_id != customer {
        return Err(Error::no_such::<Entity>().at(&["input", "orderId"]));
    }
    if row.state != State::Open {
        return Err(SalesError::OrderNotOpen { number: row.number }.into());
    }
    if row.currency != currency {
        return Err(FinanceError::WrongCurrency { expected: row.currency }.into());
    }
    Ok(row)
}

/// Notes that so much more of a locked order is invoiced.
///
/// # Errors
/// The database.
pub(crate) async fn bill(
    txn: &impl ConnectionTrait,
    mut row: Model,
    amount: i64,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    row.invoiced += amount;
    if row.invoiced >= row.total {
        row.state = State::Invoiced;
    }
    save::<Entity>(txn, row, actor, now).await?;
    Ok(())
}

/// What customers have ordered in each currency that is not invoiced.
///
/// # Errors
/// The database.
pub(crate) async fn unbilled(
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
) -> Result<Vec<(CustomerId, Currency, i64)>, DbErr> {
    let rows: Vec<(CustomerId, Currency, i64, i64)> = Entity::find()
        .select_only()
        .columns([Column::CustomerId, Column::Currency])
        .column_as(sum(Column::Total), "total")
        .column_as(sum(Column::Invoiced), "invoiced")
        .filter(Column::CustomerId.is_in(customers.iter().copied()))
        .filter(Column::State.eq(State::Open))
        .group_by(Column::CustomerId)
        .group_by(Column::Currency)
        .into_tuple()
        .all(db)
        .await?;
    let of = |(customer, currency, total, invoiced)| (customer, currency, total - invoiced);
    Ok(rows.into_iter().map(of).collect())
}
