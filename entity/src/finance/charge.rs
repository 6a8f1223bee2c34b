//! Charges for paying late: a fee, and interest. Each is an invoice of its own kind and series, so that it is paid, taken
//! back and aged as any other.
//!
//! Invariant: there is one fee for an invoice and a level, and no day of an invoice bears interest twice.

use std::collections::{HashMap, HashSet};

use chrono::{Days, NaiveDate};
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, IntoActiveModel, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

use super::counter::{self, Series};
use super::invoice::{self, Kind};
use super::ledger::{self, Account, Source};
use super::{credit_note, interest, invoice_line};
use crate::access::Actor;
use crate::automation::event;
use crate::db::sum;
use crate::error::Error;
use crate::id::{CustomerId, Id, InvoiceId, InvoiceLineId};
use crate::money::Money;

/// A charge that is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Whose.
    pub customer: CustomerId,
    /// For which invoice.
    pub about: InvoiceId,
    /// Its number.
    pub number: String,
    /// A fee, or interest.
    pub kind: Kind,
    /// What makes it one.
    pub key: String,
    /// How much.
    pub amount: Money,
    /// The day on which it is charged.
    pub on: NaiveDate,
    /// Until when it is taken back if the invoice is paid.
    pub waived_until: Option<NaiveDate>,
}

/// What is known of what invoices were charged, and of how much of them was open on which day.
#[derive(Debug, Default)]
pub(super) struct Charged {
    keys: HashSet<String>,
    /// The last day for which interest was charged.
    until: HashMap<InvoiceId, NaiveDate>,
    open: HashMap<InvoiceId, Vec<(NaiveDate, i64)>>,
}

impl Charged {
    /// What is known of `invoices`.
    ///
    /// # Errors
    /// The database.
    pub async fn load(db: &impl ConnectionTrait, invoices: &[InvoiceId]) -> Result<Self, DbErr> {
        use invoice::Column;
        if invoices.is_empty() {
            return Ok(Self::default());
        }
        let rows: Vec<(Option<InvoiceId>, Kind, Option<String>, NaiveDate)> =
            invoice::Entity::find()
                .select_only()
                .columns([Column::AboutId, Column::Kind, Column::ChargeKey, Column::IssuedOn])
                .filter(Column::AboutId.is_in(invoices.iter().copied()))
                .into_tuple()
                .all(db)
                .await?;
        let mut charged = Self::default();
        for (about, kind, key, on) in rows {
            charged.keys.extend(key);
            if let (Some(about), Kind::Interest) = (about, kind) {
                let until = charged.until.entry(about).or_insert(on);
                *until = Ord::max(*until, on);
            }
        }
        for Posted { invoice_id, booked_on, amount } in posted(db, invoices).await? {
            let open = charged.open.entry(invoice_id).or_default();
            let before = open.last().map_or(0, |(_, amount)| *amount);
            open.push((booked_on, before + amount));
        }
        Ok(charged)
    }

    /// The fee for an invoice that reaches a level, unless there is one.
    pub fn fee(
        &self,
        invoice: &invoice::Model,
        level: i32,
        (amount, waived_days): (i64, u32),
        today: NaiveDate,
    ) -> Option<Charge> {
        let key = format!("fee:{}:{level}", invoice.id.0);
        if amount <= 0 || self.keys.contains(&key) {
            return None;
        }
        let waived =
            (waived_days > 0).then(|| today.checked_add_days(Days::new(waived_days.into())));
        Some(Charge {
            waived_until: waived.flatten(),
            ..Charge::of(invoice, Kind::LateFee, key, amount, today)
        })
    }

    /// The interest for an invoice until today, for the days that have none yet.
    pub fn interest(
        &self,
        invoice: &invoice::Model,
        which: &interest::Which,
        country: Option<&str>,
        today: NaiveDate,
    ) -> Option<Charge> {
        let since = self.until.get(&invoice.id).copied();
        let since = since.map_or(invoice.due_on, |until| Ord::max(until, invoice.due_on));
        let owed = self.open.get(&invoice.id)?.iter();
        // What is disputed bears none as long as it is.
        let owed = owed.map(|(day, open)| (*day, open - invoice.disputed_amount));
        let owed = owed.collect::<Vec<_>>();
        let amount = interest::accrued(&owed, &which.rates(country), since, today);
        let key = format!("interest:{}:{today}", invoice.id.0);
        (amount > 0).then(|| Charge::of(invoice, Kind::Interest, key, amount, today))
    }
}

impl Charge {
    fn of(invoice: &invoice::Model, kind: Kind, key: String, amount: i64, on: NaiveDate) -> Self {
        Self {
            customer: invoice.customer_id,
            about: invoice.id,
            number: invoice.number.clone(),
            kind,
            key,
            amount: Money::new(amount, invoice.currency),
            on,
            waived_until: None,
        }
    }
}

#[derive(FromQueryResult)]
struct Posted {
    invoice_id: InvoiceId,
    booked_on: NaiveDate,
    amount: i64,
}

/// By how much that is open changed of each invoice, day by day.
async fn posted(db: &impl ConnectionTrait, invoices: &[InvoiceId]) -> Result<Vec<Posted>, DbErr> {
    use ledger::Column;
    ledger::Entity::find()
        .select_only()
        .columns([Column::InvoiceId, Column::BookedOn])
        .column_as(sum(Column::Amount), "amount")
        .filter(Column::InvoiceId.is_in(invoices.iter().copied()))
        .filter(Column::Account.eq(Account::Receivable))
        .group_by(Column::InvoiceId)
        .group_by(Column::BookedOn)
        .order_by_asc(Column::InvoiceId)
        .order_by_asc(Column::BookedOn)
        .into_model()
        .all(db)
        .await
}

/// Posts charges, each with a number of its own, in a constant number of statements. One that is there twice is posted once.
///
/// # Errors
/// The database.
pub(super) async fn post(
    txn: &impl ConnectionTrait,
    charges: Vec<Charge>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let mut keys = HashSet::new();
    let charges = charges.into_iter().filter(|charge| keys.insert(charge.key.clone()));
    let charges = charges.collect::<Vec<_>>();
    let Some(first) = charges.first() else { return Ok(()) };
    let on = first.on;
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    let (mut entries, mut events) = (Vec::new(), Vec::new());
    let count = i64::try_from(charges.len()).unwrap_or(i64::MAX);
    let ordinal = counter::draw_many(txn, Series::LateCharge, on, count).await?;
    for (ordinal, charge) in (ordinal..).zip(charges) {
        let (id, currency) = (InvoiceId::new(now), charge.amount.currency);
        let row = invoice::Model {
            kind: charge.kind,
            about_id: Some(charge.about),
            charge_key: Some(charge.key),
            waived_until: charge.waived_until,
            ..invoice::Model::open_for(
                (id, charge.customer),
                Series::LateCharge.number(on, ordinal),
                (currency, charge.amount.minor, 0),
                (charge.on, charge.on),
                actor,
                now,
            )
        };
        lines.push(invoice_line::Model {
            id: InvoiceLineId::new(now),
            invoice_id: id,
            position: 1,
            description: charge.number,
            quantity_milli: 1_000,
            unit_price: charge.amount.minor,
            tax_rate_bp: 0,
        });
        let source = Source {
            customer: charge.customer,
            currency,
            payment: None,
            credit_note: None,
            booked_on: charge.on,
        };
        entries.extend(ledger::entries(source, &row.sides(), actor, now));
        let kind = event::Kind::InvoiceIssued;
        events.push(event::new(kind, id.0, Some(charge.customer), actor, now));
        rows.push(row);
    }
    let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
    invoice::Entity::insert_many(rows).exec_without_returning(txn).await?;
    let lines = lines.into_iter().map(|line| line.into_active_model().reset_all());
    invoice_line::Entity::insert_many(lines).exec_without_returning(txn).await?;
    ledger::Entity::insert_many(entries).exec_without_returning(txn).await?;
    event::Entity::insert_many(events).exec_without_returning(txn).await?;
    Ok(())
}

/// Takes back what may still be taken back of what was charged for invoices that are settled now.
///
/// # Errors
/// The database.
pub(super) fn waive(
    txn: &impl ConnectionTrait,
    settled: Vec<InvoiceId>,
    today: NaiveDate,
    actor: Actor,
    now: DateTimeUtc,
) -> BoxFuture<'_, Result<(), Error>> {
    async move {
        use invoice::{Column, State};
        let charges = invoice::Entity::find()
            .filter(Column::AboutId.is_in(settled))
            .filter(Column::State.eq(State::Open))
            .filter(Column::WaivedUntil.gte(today))
            .filter(Column::Paid.eq(0))
            .order_by_asc(Column::Id)
            .lock_exclusive()
            .all(txn)
            .await?;
        // There is one for a level at most.
        for charge in charges {
            let reason = "what it was charged for was paid in time";
            credit_note::issue_for(txn, charge, None, reason, actor, now).await?;
        }
        Ok(())
    }
    .boxed()
}
