//! Making calls: starting one, saying what came of it, calling it off.
//!
//! Invariant: while somebody calls a person, nobody else starts a call to them. That ends with the call, or by itself.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::LockType;
use sea_orm::{ActiveEnum, Condition, QuerySelect};

use super::follow::follow;
use super::{Column, Direction, Entity, Model, Outcome, Purpose, State};
use crate::access::Actor;
use crate::automation::event;
use crate::automation::gate::{Recipient, Recipients, Sending, Verdict};
use crate::automation::message::Class;
use crate::check::Check;
use crate::collaboration::CollaborationError;
use crate::customers::customer::{self, Channel};
use crate::customers::reach::reach;
use crate::edit;
use crate::error::Error;
use crate::finance::dispute::{self, Cause, NewDispute};
use crate::finance::invoice;
use crate::finance::promise::{self, NewPromise, Terms};
use crate::id::{CallId, InvoiceId};
use crate::money::Money;

/// How long nobody else calls a person after a call was started, unless its outcome is written down before. Starting it
/// again lengthens that.
pub const LEASE: TimeDelta = TimeDelta::minutes(15);

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// That.
    pub outcome: Outcome,
    /// When it began; when it was started by [`start`] if absent.
    pub started_at: Option<DateTimeUtc>,
    /// How many seconds it took; those since it was started by [`start`] if absent.
    pub duration_s: Option<i32>,
    /// What was said; what is known of it stays if absent.
    pub note: Option<String>,
    /// When they want to be called, with [`Outcome::Callback`].
    pub callback_at: Option<DateTimeUtc>,
    /// How much they will pay, with [`Outcome::PromiseToPay`].
    pub promised: Option<Money>,
    /// By when, with [`Outcome::PromiseToPay`].
    pub promised_on: Option<Date>,
    /// Which invoice they do not owe, as they say, with [`Outcome::Dispute`].
    pub disputed: Option<InvoiceId>,
}

impl Ended {
    fn check(&self, check: &mut Check, now: DateTimeUtc) {
        let is = |outcome| self.outcome == outcome;
        let begun = self.started_at.is_none_or(|started| started <= now);
        check.that(begun, "startedAt", "a call that has ended began before now");
        let took = self.duration_s.is_none_or(|duration| duration >= 0);
        check.that(took, "durationS", "a call takes 0 seconds or more");
        let ahead = self.callback_at.is_none_or(|callback| callback > now);
        check.that(ahead, "callbackAt", "say a time that lies ahead");
        let asked = self.callback_at.is_some() == is(Outcome::Callback);
        check.that(asked, "callbackAt", "say when to call with CALLBACK, and with nothing else");
        let paid = self.promised.is_none_or(|promised| promised.minor > 0);
        check.that(paid, "promised", "a promise is of more than nothing");
        let promise = is(Outcome::PromiseToPay);
        let message = "this goes with PROMISE_TO_PAY alone";
        check.that(promise || self.promised.is_none(), "promised", message);
        check.that(promise || self.promised_on.is_none(), "promisedOn", message);
        let disputes = self.disputed.is_none() || is(Outcome::Dispute);
        check.that(disputes, "disputedInvoiceId", "this goes with DISPUTE alone");
    }
}

impl Model {
    /// Makes sure that it is still to be made, and that nobody but `actor` makes it right now.
    fn ensure_open(&self, actor: Actor, now: DateTimeUtc) -> Result<(), Error> {
        if self.state != State::Planned {
            return Err(CollaborationError::CallNotPlanned.into());
        }
        if self.is_dialled(now) && self.caller_id != actor.user() {
            return Err(CollaborationError::CallInProgress.into());
        }
        Ok(())
    }

    /// Whether somebody makes it right now.
    fn is_dialled(&self, now: DateTimeUtc) -> bool {
        self.dialled_until.is_some_and(|until| until > now)
    }

    /// Takes over what came of it.
    fn take(&mut self, ended: Ended, actor: Actor, now: DateTimeUtc) {
        let dialled =
            self.started_at.filter(|_| ended.started_at.is_none() && self.is_dialled(now));
        let counted = dialled.and_then(|since| i32::try_from((now - since).num_seconds()).ok());
        self.duration_s = ended.duration_s.or(counted);
        let began = self.duration_s.map(|took| now - TimeDelta::seconds(took.into()));
        self.started_at = ended.started_at.or(self.started_at).or(began);
        self.state = State::Completed;
        self.outcome = Some(ended.outcome);
        self.completed_at = Some(now);
        self.caller_id = actor.user();
        self.dialled_until = None;
        self.note = ended.note.or(self.note.take());
        self.promised = ended.promised.map(|promised| promised.minor);
        self.promised_currency = ended.promised.map(|promised| promised.currency);
        self.promised_on = ended.promised_on;
    }
}

/// Starts a call: until its outcome is written down, or for [`LEASE`], nobody else calls the same person. Who has
/// started it already may go on.
///
/// # Errors
/// That there is none, [`CollaborationError::CallNotPlanned`], [`CollaborationError::CallInProgress`],
/// [`Error::StaleVersion`]; [`CollaborationError::NotToBeCalled`] and [`CollaborationError::NotToBeCalledBefore`] as the
/// rules about reaching customers say.
pub async fn start(
    txn: &impl ConnectionTrait,
    id: CallId,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = edit::lock_present::<Entity>(txn, id, expected_version).await?;
    row.ensure_open(actor, now)?;
    // Two who call different people of one customer wait for one another, and those who call the same one see it.
    let of_customer = customer::Entity::find_by_id(row.customer_id).lock(LockType::NoKeyUpdate);
    of_customer.one(txn).await?;
    let mut same_person = Condition::any().add(Column::ContactId.is_null());
    same_person = match row.contact_id {
        Some(contact) => same_person.add(Column::ContactId.eq(contact)),
        None => Condition::all(),
    };
    let others = Entity::find()
        .filter(Column::CustomerId.eq(row.customer_id))
        .filter(Column::DialledUntil.gt(now))
        .filter(Column::CallerId.ne(actor.user()))
        .filter(same_person);
    if others.one(txn).await?.is_some() {
        return Err(CollaborationError::CallInProgress.into());
    }
    if !row.is_dialled(now) {
        ensure_allowed(txn, &row, now).await?;
        row.started_at = Some(now);
    }
    row.caller_id = actor.user();
    row.dialled_until = Some(now + LEASE);
    row.watch();
    edit::note(txn, event::Kind::CallStarted, &row, actor, now).await?;
    edit::save::<Entity>(txn, row, actor, now).await
}

/// Makes sure that a customer may be called now about what it owes, with all that has reached it before on any way.
async fn ensure_allowed(
    txn: &impl ConnectionTrait,
    row: &Model,
    now: DateTimeUtc,
) -> Result<(), Error> {
    if row.direction == Direction::Inbound || row.purpose != Purpose::Collection {
        return Ok(());
    }
    let reached = reach(txn, [(row.customer_id, Channel::Phone)]).await?;
    let known = reached.get(&row.customer_id);
    let known = known.and_then(|known| known.addressee(Channel::Phone, true).address.ok());
    let to = Recipient { customer: row.customer_id, channel: Channel::Phone, address: known };
    let sending = Sending { class: Class::Collection, channel: Channel::Phone, topic: None };
    let mut recipients = Recipients::load(txn, std::slice::from_ref(&to), now).await?;
    let decision = recipients.decide(&to, sending, now);
    match decision.map(|decision| decision.verdict) {
        None | Some(Verdict::Send) => Ok(()),
        Some(Verdict::Defer { until, reason }) => {
            let reason = reason.to_value();
            Err(CollaborationError::NotToBeCalledBefore { until, reason }.into())
        }
        Some(Verdict::Suppress { reason }) => {
            Err(CollaborationError::NotToBeCalled { reason: reason.to_value() }.into())
        }
    }
}

/// Says what came of a call, and plans what follows as the cadence says. What was said already stays as it is.
///
/// # Errors
/// `Invalid` with all that is wrong, that there is none, [`CollaborationError::CallNotPlanned`],
/// [`CollaborationError::CallInProgress`], [`Error::StaleVersion`].
pub async fn complete(
    txn: &impl ConnectionTrait,
    id: CallId,
    ended: Ended,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = edit::lock_present::<Entity>(txn, id, expected_version).await?;
    if row.outcome == Some(ended.outcome) {
        return Ok(row);
    }
    row.ensure_open(actor, now)?;
    let mut check = Check::default();
    ended.check(&mut check, now);
    let (asked, disputed) = (ended.callback_at, ended.disputed);
    row.take(ended, actor, now);
    row.check(&mut check);
    check.end()?;
    edit::note(txn, event::Kind::CallCompleted, &row, actor, now).await?;
    follow(txn, &mut row, asked, actor, now).await?;
    let row = edit::save::<Entity>(txn, row, actor, now).await?;
    collect(txn, &row, disputed, actor, now).await?;
    Ok(row)
}

/// Takes down what a customer has said about what it owes in a call for that.
async fn collect(
    txn: &impl ConnectionTrait,
    row: &Model,
    disputed: Option<InvoiceId>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    if let Some(invoice) = disputed {
        let detail = row.note.clone();
        let new = NewDispute { invoice, cause: Cause::Other, amount: None, detail };
        let made = dispute::open(txn, new, actor, now).await?;
        if made.customer_id != row.customer_id {
            return Err(Error::no_such::<invoice::Entity>().at(&["input", "disputedInvoiceId"]));
        }
    }
    let money = row.promised.zip(row.promised_currency);
    if let (Purpose::Collection, Some((minor, currency)), Some(promised_on)) =
        (row.purpose, money, row.promised_on)
        // Where nothing is open here the call alone says what was promised.
        && promise::is_possible(txn, row.customer_id, currency).await?
    {
        let new = NewPromise {
            customer: row.customer_id,
            terms: Terms::Once(Money::new(minor, currency), promised_on),
            grace_days: None,
            invoices: None,
            call: Some(row.id),
            detail: row.note.clone(),
        };
        promise::make(txn, new, actor, now).await?;
    }
    Ok(())
}

/// Calls a call off: nobody has to make it any more. Doing so again changes nothing.
///
/// # Errors
/// That there is none, [`CollaborationError::CallNotPlanned`], [`CollaborationError::CallInProgress`],
/// [`Error::StaleVersion`].
pub async fn cancel(
    txn: &impl ConnectionTrait,
    id: CallId,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = edit::lock_present::<Entity>(txn, id, expected_version).await?;
    if row.state == State::Cancelled {
        return Ok(row);
    }
    row.ensure_open(actor, now)?;
    row.state = State::Cancelled;
    row.dialled_until = None;
    row.watch();
    edit::note(txn, event::Kind::CallUpdated, &row, actor, now).await?;
    edit::save::<Entity>(txn, row, actor, now).await
}
