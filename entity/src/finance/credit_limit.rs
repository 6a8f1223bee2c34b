//! How much credit customers have: what they may owe in a currency, and when they get no more until they have paid.
//!
//! Invariant: whether a customer is over its limit or on hold follows from what it owes at the moment, so that a payment
//! releases it, and nothing that is opened again gets past it. Who would owe more waits for whoever decides about the same
//! limit.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{DeriveActiveEnum, EnumIter, FromQueryResult, IntoActiveModel, QuerySelect};

use super::{FinanceError, invoice, ledger};
use crate::access::{Actor, Permission, organisation};
use crate::automation::event;
use crate::catalog::catalog;
use crate::customers::{customer, parse_required};
use crate::edit::{edited, lock, save};
use crate::error::Error;
use crate::id::{CreditLimitId, CustomerId, Id, UserId};
use crate::money::{Currency, Money};
use crate::sales::order;

/// How long somebody may be let over a limit at most.
const LONGEST_DAYS: u64 = 366;

/// What happens to what would break a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Action {
    /// It is let through, and written down.
    Warn,
    /// It is refused.
    Block,
}

/// How much credit a customer has in a currency.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credit_limit")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CreditLimitId,
    /// Whose.
    pub customer_id: CustomerId,
    /// In what.
    pub currency: Currency,
    /// What it may owe, in minor units.
    pub amount: i64,
    /// What happens to what would break it.
    pub action: Action,
    /// From which dunning level on it gets no more credit.
    pub hold_level: Option<i32>,
    /// After how many days overdue it gets no more credit.
    pub hold_days: Option<i32>,
    /// Until when it is let over the limit.
    pub override_until: Option<Date>,
    /// What it may owe until then; anything if absent.
    pub override_amount: Option<i64>,
    /// Why.
    pub override_reason: Option<String>,
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
    /// How much credit a customer has in a currency.
    CreditLimit (creditLimit, creditLimits) of Entity, read by Permission::ReadFinance,
        part of Column::CustomerId => customer::Entity,
        versioned by Column::Version, with history;
    /// Whose it is; null when you may not see them.
    customer: one::<customer::Entity>(Column::CustomerId).grouped(),
    /// Its currency.
    currency: currency(Column::Currency).filtered().grouped(),
    /// What the customer may owe: open receivables less money that settles nothing yet, and orders that are not invoiced.
    amount: money(Column::Amount).filtered(),
    /// What happens to an invoice or an order that would break it.
    action: choice::<Action>("CreditAction", Column::Action).filtered().grouped(),
    /// The dunning level from which on the customer gets no more credit; null when levels do not matter.
    hold_level: whole(Column::HoldLevel).filtered(),
    /// After how many days that the oldest invoice is overdue the customer gets no more credit; null when that does not
    /// matter.
    hold_days: whole(Column::HoldDays).filtered(),
    /// The last day on which the customer is let over the limit, and off the hold; null when it is not.
    override_until: day(Column::OverrideUntil).filtered(),
    /// What it may owe until then; null for anything.
    override_amount: money(Column::OverrideAmount),
    /// Why; null when it is not.
    override_reason: text(Column::OverrideReason),
    /// When it was set.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
}

/// How much credit somebody is to have.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// What it may owe.
    pub limit: Money,
    /// What happens to what would break it.
    pub action: Action,
    /// From which dunning level on it gets no more credit.
    pub hold_level: Option<i32>,
    /// After how many days overdue it gets no more credit.
    pub hold_days: Option<i32>,
}

/// What a customer is about to owe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct More {
    /// How much.
    pub amount: Money,
    /// What of it, in minor units, counts already, as it was ordered.
    pub ordered: i64,
}

/// Why a customer gets no more credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It owes more than it may.
    OverLimit,
    /// One of its invoices has reached the level.
    Level,
    /// One of its invoices is overdue for too long.
    Overdue,
}

/// How a customer stands to its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The limit.
    pub limit: Model,
    /// What it owes, and has ordered, in minor units.
    pub exposure: i64,
    /// The highest dunning level of its open invoices.
    pub level: i32,
    /// How many days its oldest open invoice is overdue.
    pub overdue_days: i64,
}

impl Model {
    /// Whether the customer is let over the limit on a day.
    #[must_use]
    pub fn is_overridden(&self, today: Date) -> bool {
        self.override_until.is_some_and(|until| until >= today)
    }

    /// What the customer may owe on a day; nothing limits it when absent.
    #[must_use]
    pub fn allowed(&self, today: Date) -> Option<i64> {
        match self.is_overridden(today) {
            true => self.override_amount,
            false => Some(self.amount),
        }
    }
}

impl Standing {
    /// Why the customer gets no more credit on a day, if it would owe `more`.
    #[must_use]
    pub fn holds(&self, more: i64, today: Date) -> Vec<Hold> {
        let over = self.limit.allowed(today).is_some_and(|limit| self.exposure + more > limit);
        let mut holds = Vec::new();
        if over {
            holds.push(Hold::OverLimit);
        }
        if self.limit.is_overridden(today) {
            return holds;
        }
        if self.limit.hold_level.is_some_and(|level| self.level >= level) {
            holds.push(Hold::Level);
        }
        if self.limit.hold_days.is_some_and(|days| self.overdue_days > i64::from(days)) {
            holds.push(Hold::Overdue);
        }
        holds
    }

    /// What the customer may still come to owe on a day; negative when it owes too much, and none when nothing limits it.
    #[must_use]
    pub fn available(&self, today: Date) -> Option<i64> {
        self.limit.allowed(today).map(|limit| limit - self.exposure)
    }

    /// What refuses `more`.
    fn refusal(&self, more: i64, today: Date) -> Option<FinanceError> {
        let money = |minor| Money::new(minor, self.limit.currency);
        Some(match self.holds(more, today).first()? {
            Hold::OverLimit => FinanceError::CreditLimitExceeded {
                limit: money(self.limit.allowed(today).unwrap_or(self.limit.amount)),
                exposure: money(self.exposure),
                more: money(more),
            },
            Hold::Level => FinanceError::OnCreditHold {
                why: format!("an invoice has reached level {}", self.level),
            },
            Hold::Overdue => FinanceError::OnCreditHold {
                why: format!("an invoice is overdue for {} days", self.overdue_days),
            },
        })
    }
}

/// Sets how much credit a customer has in a currency. Whatever it is let over stays.
///
/// # Errors
/// `Invalid`, [`Error::NoSuch`], [`Error::StaleVersion`].
pub async fn set(
    txn: &impl ConnectionTrait,
    customer: CustomerId,
    terms: Terms,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let customer = customer::hold(txn, customer).await?;
    if terms.limit.minor < 0 {
        return Err(Error::invalid("limit", "nothing, or more"));
    }
    if terms.hold_level.is_some_and(|level| !(1..=9).contains(&level)) {
        return Err(Error::invalid("holdLevel", "levels count from 1 to 9"));
    }
    if terms.hold_days.is_some_and(|days| !(0..=3_660).contains(&days)) {
        return Err(Error::invalid("holdDays", "0 to 3660 days"));
    }
    let row = Model {
        id: CreditLimitId::new(now),
        customer_id: customer.id,
        currency: terms.limit.currency,
        amount: terms.limit.minor,
        action: terms.action,
        hold_level: terms.hold_level,
        hold_days: terms.hold_days,
        override_until: None,
        override_amount: None,
        override_reason: None,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    // Of two who set the first one at once, the other changes it.
    let once = OnConflict::columns([Column::CustomerId, Column::Currency]).do_nothing().to_owned();
    let added = Entity::insert(row.clone().into_active_model().reset_all()).on_conflict(once);
    if added.exec_without_returning(txn).await? > 0 {
        return match expected_version {
            Some(_) => Err(Error::no_such::<Entity>()),
            None => Ok(row),
        };
    }
    let known = Entity::find()
        .filter(Column::CustomerId.eq(customer.id))
        .filter(Column::Currency.eq(terms.limit.currency))
        .one(txn)
        .await?;
    let known = known.ok_or_else(Error::no_such::<Entity>)?;
    let mut row = lock::<Entity>(txn, known.id, expected_version).await?;
    (row.amount, row.action) = (terms.limit.minor, terms.action);
    (row.hold_level, row.hold_days) = (terms.hold_level, terms.hold_days);
    save::<Entity>(txn, row, actor, now).await
}

/// Takes a limit away: the customer may owe anything.
///
/// # Errors
/// [`Error::NoSuch`], [`Error::StaleVersion`].
pub async fn remove(
    txn: &impl ConnectionTrait,
    id: CreditLimitId,
    expected_version: Option<i32>,
) -> Result<(), Error> {
    let row = lock::<Entity>(txn, id, expected_version).await?;
    row.delete(txn).await?;
    Ok(())
}

/// That a customer is let over its limit.
#[derive(Clone, Debug)]
pub struct Override {
    /// Until when.
    pub until: Date,
    /// What it may owe until then; anything when absent.
    pub limit: Option<Money>,
    /// Why.
    pub reason: String,
}

/// Lets a customer over its limit, and off the hold, until a day; or no longer.
///
/// # Errors
/// `Invalid`, [`Error::NoSuch`], [`Error::StaleVersion`], `WrongCurrency`, `NoOverride`.
pub async fn override_until(
    txn: &impl ConnectionTrait,
    id: CreditLimitId,
    to: Option<Override>,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock::<Entity>(txn, id, expected_version).await?;
    let Some(Override { until, limit, reason }) = to else {
        if row.override_until.is_none() {
            return Err(FinanceError::NoOverride.into());
        }
        (row.override_until, row.override_amount, row.override_reason) = (None, None, None);
        return save::<Entity>(txn, row, actor, now).await;
    };
    let today = organisation::get(txn).await?.today(now);
    let farthest = today.checked_add_days(chrono::Days::new(LONGEST_DAYS)).unwrap_or(today);
    if !(today..=farthest).contains(&until) {
        return Err(Error::invalid("until", format!("from today to {LONGEST_DAYS} days ahead")));
    }
    let amount = limit.map(|limit| ledger::positive(limit, row.currency)).transpose()?;
    if amount.is_some_and(|amount| amount <= row.amount) {
        return Err(Error::invalid("limit", "more than the limit itself"));
    }
    row.override_until = Some(until);
    row.override_amount = amount;
    row.override_reason = Some(parse_required("reason", &reason, 500)?);
    save::<Entity>(txn, row, actor, now).await
}

/// How customers stand to their limits on a day, in a constant number of statements.
///
/// # Errors
/// The database.
pub async fn standings(
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
    today: Date,
) -> Result<Vec<Standing>, DbErr> {
    let limits = Entity::find().filter(Column::CustomerId.is_in(customers.iter().copied()));
    let limits = limits.all(db).await?;
    stand(db, limits, today).await
}

async fn stand(
    db: &impl ConnectionTrait,
    limits: Vec<Model>,
    today: Date,
) -> Result<Vec<Standing>, DbErr> {
    if limits.is_empty() {
        return Ok(Vec::new());
    }
    let customers = limits.iter().map(|limit| limit.customer_id).collect::<Vec<_>>();
    let balances = ledger::balances(db, &customers, None).await?;
    let balances = balances.into_iter().map(|one| ((one.customer_id, one.currency), one.amount));
    let mut exposures: HashMap<_, _> = balances.collect();
    for (customer, currency, amount) in order::unbilled(db, &customers).await? {
        *exposures.entry((customer, currency)).or_default() += amount;
    }
    let late = late(db, &customers).await?;
    let standing = |limit: Model| {
        let key = (limit.customer_id, limit.currency);
        let late = late.get(&key);
        Standing {
            exposure: exposures.get(&key).copied().unwrap_or_default(),
            level: late.map_or(0, |late| late.level),
            overdue_days: late.map_or(0, |late| Ord::max((today - late.due_on).num_days(), 0)),
            limit,
        }
    };
    Ok(limits.into_iter().map(standing).collect())
}

#[derive(FromQueryResult)]
struct Late {
    customer_id: CustomerId,
    currency: Currency,
    level: i32,
    due_on: Date,
}

/// The highest level and the oldest due day of what customers owe in each currency.
async fn late(
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
) -> Result<HashMap<(CustomerId, Currency), Late>, DbErr> {
    use invoice::Column;
    let rows: Vec<Late> = invoice::Entity::find()
        .select_only()
        .columns([Column::CustomerId, Column::Currency])
        .column_as(Column::DunningLevel.max(), "level")
        .column_as(Column::DueOn.min(), "due_on")
        .filter(Column::CustomerId.is_in(customers.iter().copied()))
        .filter(Column::State.eq(invoice::State::Open))
        .group_by(Column::CustomerId)
        .group_by(Column::Currency)
        .into_model()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| ((row.customer_id, row.currency), row)).collect())
}

/// Makes sure that a customer may come to owe more, and lets nobody else decide about it until the transaction ends. What
/// is let through although it is too much is written down.
///
/// # Errors
/// `CreditLimitExceeded`, `OnCreditHold`.
pub(crate) async fn ensure(
    txn: &impl ConnectionTrait,
    customer: CustomerId,
    More { amount, ordered }: More,
    today: Date,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let more = amount.minor - Ord::min(ordered, amount.minor);
    if more == 0 {
        return Ok(());
    }
    let limit = Entity::find()
        .filter(Column::CustomerId.eq(customer))
        .filter(Column::Currency.eq(amount.currency))
        .lock_exclusive()
        .one(txn)
        .await?;
    let Some(standing) = stand(txn, limit.into_iter().collect(), today).await?.pop() else {
        return Ok(());
    };
    let Some(refusal) = standing.refusal(more, today) else { return Ok(()) };
    if standing.limit.action == Action::Block {
        return Err(refusal.into());
    }
    let kind = event::Kind::CreditLimitExceeded;
    event::emit(txn, kind, standing.limit.id.0, Some(customer), actor, now).await
}
