//! The money ledger. Append-only; a balance is a sum, a statement is a slice.
//!
//! Invariant: the entries of a transaction sum to zero in each currency. Debits are positive.

use std::collections::{HashMap, HashSet};

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::{
    DatabaseConnection, DeriveActiveEnum, EnumIter, FromQueryResult, IntoActiveModel, QueryOrder,
    QuerySelect, QueryTrait,
};

use super::FinanceError;
use crate::access::{Actor, Permission, Viewer};
use crate::catalog::{Cataloged, Datum, date};
use crate::customers::customer;
use crate::db::sum;
use crate::error::Error;
use crate::id::{CreditNoteId, CustomerId, Id, InvoiceId, LedgerEntryId, PaymentId, UserId};
use crate::money::{Currency, Money};

/// How many entries are carried over by one statement: 12 columns each, of the 32,766 values that SQLite
/// binds at once.
const CARRIED: usize = 2_500;

/// An account of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Account {
    /// What customers owe.
    Receivable,
    /// What was earned.
    Revenue,
    /// Tax owed to the state.
    Tax,
    /// Money received.
    Cash,
    /// Money received that settles no invoice yet: owed to the customer.
    Unapplied,
    /// What customers owed and was given up.
    BadDebt,
}

/// One side of a posting.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_entry")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LedgerEntryId,
    /// What sums to zero together.
    pub transaction_id: Uuid,
    /// Where.
    pub account: Account,
    /// Whose.
    pub customer_id: CustomerId,
    /// About which invoice.
    pub invoice_id: Option<InvoiceId>,
    /// By which payment.
    pub payment_id: Option<PaymentId>,
    /// By which credit note.
    pub credit_note_id: Option<CreditNoteId>,
    /// In what.
    pub currency: Currency,
    /// Minor units; debit is positive, credit negative.
    pub amount: i64,
    /// The day it counts for.
    pub booked_on: Date,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What a posting is about.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// Whose money.
    pub customer: CustomerId,
    /// In what.
    pub currency: Currency,
    /// The payment behind it.
    pub payment: Option<PaymentId>,
    /// The credit note behind it.
    pub credit_note: Option<CreditNoteId>,
    /// The day it counts for.
    pub booked_on: Date,
}

/// One side of a posting to be: where, about which invoice, how much.
pub type Side = (Account, Option<InvoiceId>, i64);

/// The rows of one balanced posting; sides of nothing are left out.
#[must_use]
pub fn entries(source: Source, sides: &[Side], actor: Actor, now: DateTimeUtc) -> Vec<ActiveModel> {
    debug_assert_eq!(sides.iter().map(|side| side.2).sum::<i64>(), 0, "a posting is balanced");
    let transaction_id = LedgerEntryId::new(now).0;
    let sides = sides.iter().filter(|side| side.2 != 0);
    sides
        .map(|&(account, invoice_id, amount)| {
            let row = Model {
                id: LedgerEntryId::new(now),
                transaction_id,
                account,
                customer_id: source.customer,
                invoice_id,
                payment_id: source.payment,
                credit_note_id: source.credit_note,
                currency: source.currency,
                amount,
                booked_on: source.booked_on,
                created_at: now,
                created_by: actor.user(),
            };
            row.into_active_model().reset_all()
        })
        .collect()
}

/// Posts one balanced transaction.
///
/// # Errors
/// The database.
pub async fn post(
    txn: &impl ConnectionTrait,
    source: Source,
    sides: &[Side],
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    Entity::insert_many(entries(source, sides, actor, now)).exec(txn).await?;
    Ok(())
}

/// The mirror of all that was posted for a payment so far.
///
/// # Errors
/// The database.
pub(super) async fn mirror(
    txn: &impl ConnectionTrait,
    payment: PaymentId,
) -> Result<Vec<Side>, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        account: Account,
        invoice_id: Option<InvoiceId>,
        amount: i64,
    }
    let rows = Entity::find()
        .select_only()
        .columns([Column::Account, Column::InvoiceId])
        .column_as(sum(Column::Amount), "amount")
        .filter(Column::PaymentId.eq(payment))
        .group_by(Column::Account)
        .group_by(Column::InvoiceId)
        .into_model::<Row>()
        .all(txn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.account, row.invoice_id, -row.amount)).collect())
}

/// Carries everything that was posted for `from` over to `to`: what they owe, and on which day they owed
/// what, is theirs together from then on. Each amount is taken back from the one and posted for the other on
/// the day it counted for, so no balance of both together changes on any day.
///
/// # Errors
/// The database.
pub(crate) async fn carry_over(
    txn: &impl ConnectionTrait,
    from: &[CustomerId],
    to: CustomerId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    #[derive(FromQueryResult)]
    struct Posted {
        account: Account,
        customer_id: CustomerId,
        invoice_id: Option<InvoiceId>,
        payment_id: Option<PaymentId>,
        credit_note_id: Option<CreditNoteId>,
        currency: Currency,
        booked_on: Date,
        amount: i64,
    }
    const SHARED: [Column; 7] = [
        Column::Account,
        Column::CustomerId,
        Column::InvoiceId,
        Column::PaymentId,
        Column::CreditNoteId,
        Column::Currency,
        Column::BookedOn,
    ];
    let mut posted = Entity::find()
        .select_only()
        .columns(SHARED)
        .column_as(sum(Column::Amount), "amount")
        .filter(Column::CustomerId.is_in(from.iter().copied()));
    for column in SHARED {
        posted = posted.group_by(column);
    }
    let posted = posted.into_model::<Posted>().all(txn).await?;
    let transaction_id = LedgerEntryId::new(now).0;
    let entries = posted.into_iter().filter(|posted| posted.amount != 0).flat_map(|posted| {
        let entry = Model {
            id: LedgerEntryId::new(now),
            transaction_id,
            account: posted.account,
            customer_id: posted.customer_id,
            invoice_id: posted.invoice_id,
            payment_id: posted.payment_id,
            credit_note_id: posted.credit_note_id,
            currency: posted.currency,
            amount: -posted.amount,
            booked_on: posted.booked_on,
            created_at: now,
            created_by: actor.user(),
        };
        let other = LedgerEntryId::new(now);
        [entry.clone(), Model { id: other, customer_id: to, amount: posted.amount, ..entry }]
    });
    let mut entries: Vec<_> = entries.map(|entry| entry.into_active_model().reset_all()).collect();
    while !entries.is_empty() {
        let rest = entries.split_off(entries.len().min(CARRIED));
        Entity::insert_many(entries).exec_without_returning(txn).await?;
        entries = rest;
    }
    Ok(())
}

/// Whether anything was ever posted for a customer.
///
/// # Errors
/// The database.
pub async fn has_entries(db: &impl ConnectionTrait, customer: CustomerId) -> Result<bool, Error> {
    let first = Entity::find().filter(Column::CustomerId.eq(customer)).one(db).await?;
    Ok(first.is_some())
}

/// Those of `customers` for whom anything was ever posted.
///
/// # Errors
/// The database.
pub async fn with_entries(
    db: &impl ConnectionTrait,
    customers: impl IntoIterator<Item = CustomerId>,
) -> Result<HashSet<CustomerId>, Error> {
    let posted: Vec<CustomerId> = Entity::find()
        .select_only()
        .column(Column::CustomerId)
        .distinct()
        .filter(Column::CustomerId.is_in(customers))
        .into_tuple()
        .all(db)
        .await?;
    Ok(posted.into_iter().collect())
}

/// Whether `customer` owes nothing and is owed nothing, not even what would make up for one another.
///
/// # Errors
/// The database.
pub async fn is_settled(db: &impl ConnectionTrait, customer: CustomerId) -> Result<bool, Error> {
    use sea_orm::sea_query::ExprTrait;
    let open = Entity::find()
        .select_only()
        .columns([Column::Account, Column::Currency])
        .filter(Column::CustomerId.eq(customer))
        .filter(Column::Account.is_in([Account::Receivable, Account::Unapplied]))
        .group_by(Column::Account)
        .group_by(Column::Currency)
        .having(sum(Column::Amount).ne(0))
        .into_tuple::<(Account, Currency)>();
    Ok(open.one(db).await?.is_none())
}

/// A balance: what a customer owes (negative: is owed), in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Balance {
    /// Whose.
    pub customer_id: CustomerId,
    /// In what.
    pub currency: Currency,
    /// Minor units.
    pub amount: i64,
}

/// The balances of `customers` at the end of `as_of` (or of all that is booked), one per currency
/// that was ever posted: receivables less unapplied cash.
///
/// # Errors
/// The database.
pub async fn balances(
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
    as_of: Option<Date>,
) -> Result<Vec<Balance>, DbErr> {
    let rows = Entity::find()
        .select_only()
        .columns([Column::CustomerId, Column::Currency])
        .column_as(sum(Column::Amount), "amount")
        .filter(Column::CustomerId.is_in(customers.iter().copied()))
        .filter(Column::Account.is_in([Account::Receivable, Account::Unapplied]))
        .apply_if(as_of, |query, day| query.filter(Column::BookedOn.lte(day)))
        .group_by(Column::CustomerId)
        .group_by(Column::Currency)
        .order_by_asc(Column::Currency)
        .into_model()
        .all(db)
        .await?;
    Ok(rows)
}

/// The field `balance` of customers: one amount each, in the `currency` asked for or in their own.
pub(crate) fn balance_field<'a>(
    db: &'a DatabaseConnection,
    _: &'a Viewer,
    ids: &'a [Uuid],
    arguments: &'a Json,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    async move {
        let asked = arguments["currency"].as_str().and_then(|code| code.parse().ok());
        let mut own: HashMap<CustomerId, Currency> = HashMap::new();
        if asked.is_none() {
            let query = customer::Entity::find().select_only();
            let query = query.columns([customer::Column::Id, customer::Column::Currency]);
            let query = query.filter(customer::Column::Id.is_in(ids.iter().copied()));
            own.extend(query.into_tuple::<(CustomerId, Currency)>().all(db).await?);
        }
        let mut balances = balances_of(db, ids, arguments).await?;
        let in_currency = |id: &Uuid| {
            let id = CustomerId(*id);
            let Some(currency) = asked.or_else(|| own.get(&id).copied()) else {
                return Datum::Null;
            };
            let amounts = balances.remove(&id).unwrap_or_default();
            let amount = amounts.into_iter().find(|amount| amount.currency == currency);
            Datum::Money(amount.unwrap_or(Money::new(0, currency)))
        };
        Ok(ids.iter().map(in_currency).collect())
    }
    .boxed()
}

/// The field `balances` of customers: one amount for each currency that was ever posted.
pub(crate) fn balances_field<'a>(
    db: &'a DatabaseConnection,
    _: &'a Viewer,
    ids: &'a [Uuid],
    arguments: &'a Json,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    async move {
        let mut balances = balances_of(db, ids, arguments).await?;
        let amounts = |id: &Uuid| balances.remove(&CustomerId(*id)).unwrap_or_default();
        Ok(ids.iter().map(amounts).map(Datum::Amounts).collect())
    }
    .boxed()
}

async fn balances_of(
    db: &DatabaseConnection,
    ids: &[Uuid],
    arguments: &Json,
) -> Result<HashMap<CustomerId, Vec<Money>>, DbErr> {
    let customers: Vec<_> = ids.iter().copied().map(CustomerId).collect();
    let mut found: HashMap<_, Vec<_>> = HashMap::with_capacity(ids.len());
    for Balance { customer_id, currency, amount } in
        balances(db, &customers, date(arguments, "asOf")).await?
    {
        found.entry(customer_id).or_default().push(Money::new(amount, currency));
    }
    Ok(found)
}

/// What all customers whose books the viewer reaches owe together on invoices at the end of `as_of`, one
/// amount per currency.
///
/// # Errors
/// The database.
pub async fn open_receivables(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    as_of: Option<Date>,
) -> Result<Vec<Money>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        currency: Currency,
        amount: i64,
    }
    let reached = customer::Entity::record().reached(viewer, Permission::ReadFinance, false);
    let reached = (!reached.is_empty()).then(|| {
        let customers = customer::Entity::find().select_only().column(customer::Column::Id);
        Column::CustomerId.in_subquery(customers.filter(reached).into_query())
    });
    let rows = Entity::find()
        .select_only()
        .column(Column::Currency)
        .column_as(sum(Column::Amount), "amount")
        .filter(Column::Account.eq(Account::Receivable))
        .apply_if(as_of, |query, day| query.filter(Column::BookedOn.lte(day)))
        .apply_if(reached, QueryFilter::filter)
        .group_by(Column::Currency)
        .order_by_asc(Column::Currency)
        .into_model::<Row>()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| Money::new(row.amount, row.currency)).collect())
}

/// `money` if it is positive and in `currency`, in minor units.
///
/// # Errors
/// [`FinanceError::NotPositive`] or [`FinanceError::WrongCurrency`].
pub(crate) fn positive(money: Money, currency: Currency) -> Result<i64, FinanceError> {
    if money.currency != currency {
        return Err(FinanceError::WrongCurrency { expected: currency });
    }
    if money.minor <= 0 {
        return Err(FinanceError::NotPositive);
    }
    Ok(money.minor)
}
