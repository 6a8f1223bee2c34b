//! What customers would be sent by a simulation: the gate decides on its clock, and what would have gone counts for what
//! comes after it.
//!
//! Invariant: nothing is written; the gate is the one that decides for real.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::DatabaseTransaction;

use super::performer::Effect;
use crate::automation::gate::{Recipient, Recipients, Sending, Verdict};
use crate::automation::message::{Class, Reason, To};
use crate::customers::customer::Channel;
use crate::customers::reach::reach;
use crate::error::Error;
use crate::id::CustomerId;

/// Something for a customer.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    customer: CustomerId,
    to: To,
    channel: Channel,
    class: Class,
    topic: Option<String>,
    /// After which it is not worth sending; always when absent.
    expires: Option<DateTime<Utc>>,
}

/// Where it waits until the gate lets it go.
#[derive(Default)]
pub(super) struct Post {
    recipients: Recipients,
    put_off: BTreeMap<DateTime<Utc>, Vec<(Letter, Recipient)>>,
    /// How much would not go, and why.
    pub held: HashMap<Reason, u64>,
    /// How often something would be put off, and why.
    pub deferred: HashMap<Reason, u64>,
}

impl Letter {
    /// What an effect is for a customer, if it is something for one.
    pub fn of(effect: &Effect, now: DateTime<Utc>) -> Option<Self> {
        match effect {
            Effect::Send(outgoing) => Some(Self {
                customer: outgoing.customer,
                to: outgoing.to,
                channel: outgoing.channel,
                class: outgoing.class,
                topic: outgoing.topic.clone(),
                expires: Some(now + outgoing.within),
            }),
            Effect::Receipt(receipt) => Some(Self {
                customer: receipt.customer,
                to: To::Billing,
                channel: Channel::Email,
                class: Class::Receipt,
                topic: None,
                expires: None,
            }),
            Effect::Tell(_)
            | Effect::CreateTask(_)
            | Effect::UpdateTask(_)
            | Effect::UpdateCustomer(_)
            | Effect::Assign(_)
            | Effect::Post(_)
            | Effect::Start(_)
            | Effect::Stop(_) => None,
        }
    }
}

impl Post {
    /// Takes letters in; gives how many would go at once.
    pub async fn take(
        &mut self,
        db: &DatabaseTransaction,
        letters: Vec<Letter>,
        now: DateTime<Utc>,
    ) -> Result<u64, Error> {
        if letters.is_empty() {
            return Ok(0);
        }
        let customers: Vec<_> = letters.iter().map(|letter| letter.customer).collect();
        let reached = reach(db, &customers).await?;
        let mut addressed = Vec::with_capacity(letters.len());
        for letter in letters {
            let address = reached
                .get(&letter.customer)
                .and_then(|reach| reach.addressee(letter.to == To::Billing).1.map(str::to_owned));
            let to = Recipient { customer: letter.customer, channel: letter.channel, address };
            match to.address {
                None => *self.held.entry(Reason::NoAddress).or_default() += 1,
                Some(_) => addressed.push((letter, to)),
            }
        }
        let recipients: Vec<_> = addressed.iter().map(|(_, to)| to.clone()).collect();
        self.recipients.learn(db, &recipients, now).await?;
        Ok(self.decide(addressed, now))
    }

    /// When something that was put off comes back.
    pub fn next(&self) -> Option<DateTime<Utc>> {
        self.put_off.keys().next().copied()
    }

    /// Looks again at what was put off until `now`; gives how many would go.
    pub fn due(&mut self, now: DateTime<Utc>) -> u64 {
        let due = self.put_off.remove(&now).unwrap_or_default();
        self.decide(due, now)
    }

    fn decide(&mut self, letters: Vec<(Letter, Recipient)>, now: DateTime<Utc>) -> u64 {
        let mut gone = 0;
        for (letter, to) in letters {
            let topic = letter.topic.as_deref();
            let sending = Sending { class: letter.class, channel: letter.channel, topic };
            let Some(decision) = self.recipients.decide(&to, sending, now) else { continue };
            match decision.verdict {
                Verdict::Send => gone += 1,
                Verdict::Suppress { reason } => *self.held.entry(reason).or_default() += 1,
                Verdict::Defer { until, .. } if letter.expires.is_some_and(|end| end < until) => {
                    *self.held.entry(Reason::ExpiredLate).or_default() += 1;
                }
                Verdict::Defer { until, reason } => {
                    *self.deferred.entry(reason).or_default() += 1;
                    self.put_off.entry(until).or_default().push((letter, to));
                }
            }
        }
        gone
    }
}
