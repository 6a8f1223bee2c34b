//! What customers would be sent by a simulation: the gate decides on its clock, and what would have gone counts for what
//! comes after it.
//!
//! Invariant: nothing is written; the gate is the one that decides for real.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::DatabaseTransaction;

use super::performer::Effect;
use crate::automation::gate::{Recipient, Recipients, Sending, Verdict};
use crate::automation::message::{self, Class, Reason, To};
use crate::customers::customer::Channel;
use crate::customers::reach::reach;
use crate::error::Error;
use crate::finance::dunning::{self, Bundle};
use crate::finance::statement::delivery;
use crate::id::CustomerId;

/// How many messages are shown that would go, and how many that would not.
const SAMPLE: usize = 20;

/// A message that a customer would be sent, or not.
#[derive(Clone, Debug)]
pub struct Foreseen {
    /// When that would be decided.
    pub at: DateTime<Utc>,
    /// The message, as it would be planned.
    pub message: message::Model,
    /// Why it would not go; `None` when it would.
    pub held: Option<Reason>,
}

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
    /// With which others it goes together, while these wait.
    bundle: Option<Bundle>,
    /// What it is planned as.
    effect: Effect,
}

/// Where it waits until the gate lets it go.
#[derive(Default)]
pub(super) struct Post {
    recipients: Recipients,
    put_off: BTreeMap<DateTime<Utc>, Vec<(Letter, Recipient)>>,
    /// What others of the same kind go together with.
    waiting: HashSet<Bundle>,
    /// How much would go to each customer.
    pub reached: HashMap<CustomerId, u64>,
    /// How much would not go, and why.
    pub held: HashMap<Reason, u64>,
    /// How often something would be put off, and why.
    pub deferred: HashMap<Reason, u64>,
    /// The first that would go, and the first that would not.
    pub sample: Vec<Foreseen>,
}

impl Letter {
    /// What an effect is for a customer, if it is something for one.
    pub fn of(effect: Effect, now: DateTime<Utc>) -> Option<Self> {
        let mut bundle = None;
        let (customer, to, channel, class, topic, expires) = match &effect {
            Effect::Send(outgoing) => (
                outgoing.customer,
                outgoing.to,
                outgoing.channel,
                outgoing.class,
                outgoing.topic.clone(),
                Some(now + outgoing.within),
            ),
            Effect::Receipt(receipt) => {
                (receipt.customer, To::Billing, Channel::Email, Class::Receipt, None, None)
            }
            Effect::Dun(reached) => {
                bundle = reached.bundle();
                let expires = Some(now + dunning::LIFETIME);
                (reached.customer, To::Billing, reached.channel, Class::Collection, None, expires)
            }
            Effect::Statement(statement) => {
                let (channel, expires) = (Channel::Email, now + message::STATEMENT_LIFETIME);
                let class = Class::Service;
                (statement.customer_id, To::Billing, channel, class, None, Some(expires))
            }
            _ => return None,
        };
        Some(Self { customer, to, channel, class, topic, expires, bundle, effect })
    }

    /// Lets statements go by the channels on which their customers get them.
    async fn delivered(db: &DatabaseTransaction, letters: &mut [Self]) -> Result<(), Error> {
        let statements =
            letters.iter_mut().filter(|one| matches!(one.effect, Effect::Statement(_)));
        let statements = statements.collect::<Vec<_>>();
        if statements.is_empty() {
            return Ok(());
        }
        let customers = statements.iter().map(|letter| letter.customer).collect::<Vec<_>>();
        let channels = delivery::channels(db, customers).await?;
        for letter in statements {
            letter.channel = channels.get(&letter.customer).copied().unwrap_or(letter.channel);
        }
        Ok(())
    }

    /// The message that would be planned.
    fn message(&self, now: DateTime<Utc>) -> Option<message::Model> {
        match &self.effect {
            Effect::Send(outgoing) => outgoing.message(now),
            Effect::Receipt(receipt) => receipt.message(now),
            Effect::Dun(reached) => reached.message(now),
            Effect::Statement(statement) => {
                message::statement_message(statement, self.channel, now)
            }
            _ => None,
        }
    }
}

impl Post {
    /// Takes letters in; gives how many would go at once.
    pub async fn take(
        &mut self,
        db: &DatabaseTransaction,
        mut letters: Vec<Letter>,
        now: DateTime<Utc>,
    ) -> Result<u64, Error> {
        if letters.is_empty() {
            return Ok(0);
        }
        Letter::delivered(db, &mut letters).await?;
        let wanted = letters.iter().map(|letter| (letter.customer, letter.channel));
        let reached = reach(db, wanted).await?;
        let mut addressed = Vec::with_capacity(letters.len());
        for letter in letters {
            let (customer, channel) = (letter.customer, letter.channel);
            let address = reached.get(&customer).map_or(Err(Reason::NoAddress), |reach| {
                reach.addressee(channel, letter.to == To::Billing).address
            });
            match address {
                Err(reason) => self.hold(&letter, reason, now),
                Ok(address) => {
                    let to = Recipient { customer, channel, address: Some(address) };
                    addressed.push((letter, to));
                }
            }
        }
        let recipients: Vec<_> = addressed.iter().map(|(_, to)| to.clone()).collect();
        self.recipients.learn(db, &recipients, now).await?;
        let (bundled, others): (Vec<_>, Vec<_>) =
            addressed.into_iter().partition(|(letter, _)| letter.bundle.is_some());
        for (letter, to) in bundled {
            // What goes together waits for what comes a moment later, and what comes meanwhile joins it.
            if letter.bundle.is_none_or(|bundle| self.waiting.insert(bundle)) {
                self.put_off.entry(now + dunning::GATHERED).or_default().push((letter, to));
            }
        }
        Ok(self.decide(others, now))
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
            if let (Some(bundle), Verdict::Send | Verdict::Suppress { .. }) =
                (letter.bundle, decision.verdict)
            {
                self.waiting.remove(&bundle);
            }
            match decision.verdict {
                Verdict::Send => {
                    gone += 1;
                    *self.reached.entry(letter.customer).or_default() += 1;
                    self.show(&letter, None, now);
                }
                Verdict::Suppress { reason } => self.hold(&letter, reason, now),
                Verdict::Defer { until, .. } if letter.expires.is_some_and(|end| end < until) => {
                    self.hold(&letter, Reason::ExpiredLate, now);
                }
                Verdict::Defer { until, reason } => {
                    *self.deferred.entry(reason).or_default() += 1;
                    self.put_off.entry(until).or_default().push((letter, to));
                }
            }
        }
        gone
    }
    fn hold(&mut self, letter: &Letter, reason: Reason, now: DateTime<Utc>) {
        *self.held.entry(reason).or_default() += 1;
        self.show(letter, Some(reason), now);
    }

    fn show(&mut self, letter: &Letter, held: Option<Reason>, now: DateTime<Utc>) {
        let alike = self.sample.iter().filter(|shown| shown.held.is_some() == held.is_some());
        if alike.count() < SAMPLE
            && let Some(message) = letter.message(now)
        {
            self.sample.push(Foreseen { at: now, message, held });
        }
    }
}
