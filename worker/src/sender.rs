//! The sender: leases due messages, writes them, puts them on the wire, and notes what came of it.
//!
//! Invariant: the bytes and `TRANSMITTING` are committed before the first byte leaves. From then on
//! only the server's answer moves a message, or, when nobody can know it any more, `UNKNOWN`.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::automation::AutomationError;
use entity::automation::lease::Leased;
use entity::automation::message::{self, Ready, Reason, State};
use entity::automation::sending::{self, Noted};
use entity::clock::Clock;
use entity::db::Db;
use entity::id::MessageId;
use entity::text::hex;
use futures::FutureExt;
use lettre::Address;
use lettre::message::Mailbox;
use rand::RngExt;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use url::Url;

use crate::document::Documents;
use crate::letter::Letter;
use crate::mail::compose::{Envelope, compose};
use crate::mail::dkim::Dkim;
use crate::mail::transport::{Outcome, Transport};
use crate::relay::chain;
use crate::sent::Sent;

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_hours(4);

/// How messages leave.
#[derive(Clone)]
pub struct Sender {
    /// The truth.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// What writes them.
    pub documents: Documents,
    /// What takes them.
    pub transport: Transport,
    /// Where it is noted how much has left.
    pub sent: Sent,
    /// What signs them.
    pub dkim: Option<Arc<Dkim>>,
    /// The right side of Message-IDs: a domain of ours.
    pub domain: Arc<str>,
    /// Where links lead.
    pub public_url: Url,
    /// How long a message is its worker's before others may think that worker dead. Renewed while the
    /// message is on the wire.
    pub lease: Duration,
    /// The pause after the first temporary failure; it doubles with each.
    pub retry: Duration,
}

/// A message that is written, or why it cannot be.
enum Written {
    Ready(Box<Ready>),
    Refused(Leased<MessageId>, Reason, Option<String>),
}

impl Sender {
    /// Sends those of `ids` that are due and that nobody else has.
    ///
    /// # Errors
    /// The database. What is not settled then is due again when its lease has ended, or unknown.
    pub async fn send(&self, ids: Vec<MessageId>) -> Result<(), entity::Error> {
        // Before the database is asked, which others go on with meanwhile.
        let noted = match self.sent.noted().await {
            Ok(noted) => Arc::new(noted),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "messages are due again");
                return Ok(());
            }
        };
        let (now, lease) = (self.clock.now(), self.lease());
        let messages = self.db.write(move |txn| {
            let ids = ids.clone();
            async move { message::lease(txn, &ids, lease, now).await }.boxed()
        });
        let messages = messages.await?;
        if messages.is_empty() {
            return Ok(());
        }
        let mut ready = Vec::with_capacity(messages.len());
        for written in self.write(messages.clone()).await? {
            match written {
                Written::Ready(row) => ready.push(*row),
                Written::Refused(leased, reason, detail) => {
                    tracing::info!(message = %leased.id.0, ?reason, "a message is not sent");
                    self.suppress(leased, reason, detail).await?;
                }
            }
        }
        let (ready, messages) = (Arc::new(ready), Arc::<[message::Model]>::from(messages));
        let (now, lease) = (self.clock.now(), self.lease());
        let ours = self.db.write(|txn| {
            let (ready, messages) = (Arc::clone(&ready), Arc::clone(&messages));
            let noted = Arc::clone(&noted);
            async move {
                let ours = message::ready_to_transmit(txn, &messages, &ready, lease, now).await?;
                let leaves = !ours.is_empty();
                let left = if leaves { Some(sending::count(txn, &noted).await?) } else { None };
                Ok((ours, left))
            }
            .boxed()
        });
        let (ours, left) = match ours.await {
            Err(entity::Error::Automation(AutomationError::SendingHeld)) => {
                return self.hold(noted).await;
            }
            ours => ours?,
        };
        let Some((counted, organisation)) = left else { return Ok(()) };
        if let Err(error) = self.sent.note(&counted).await {
            tracing::warn!(error = %chain(&error), "the next batch notes how much has left");
        }
        let ready = Arc::into_inner(ready).unwrap_or_default();
        let leaving = ready.into_iter().filter(|row| ours.contains(&row.leased.id));
        self.transmit(leaving.collect(), &messages, &organisation.email).await
    }

    /// Puts sending on hold if the database was restored. What is leased is due again when sending goes on.
    async fn hold(&self, noted: Arc<Noted>) -> Result<(), entity::Error> {
        let now = self.clock.now();
        let held = self.db.write(move |txn| {
            let noted = Arc::clone(&noted);
            async move { sending::hold_if_behind(txn, &noted, now).await }.boxed()
        });
        if held.await? {
            tracing::error!("sending is on hold: the database was restored from a backup");
        }
        Ok(())
    }

    /// Writes the messages; those that were written before keep their bytes.
    async fn write(&self, messages: Vec<message::Model>) -> Result<Vec<Written>, entity::Error> {
        let (old, new): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| message.body.is_some());
        let mut written: Vec<_> = old.into_iter().filter_map(again).collect();
        if new.is_empty() {
            return Ok(written);
        }
        let letters = Letter::all(self.db.reader(), new).await?;
        let sender = self.clone();
        let rendering = tokio::task::spawn_blocking(move || {
            let letters = letters.into_iter();
            letters.map(|(message, letter)| sender.render(&message, letter)).collect::<Vec<_>>()
        });
        written.extend(rendering.await.map_err(|_| entity::Error::Closed)?);
        Ok(written)
    }

    /// Writes one message, on a blocking thread.
    fn render(&self, message: &message::Model, letter: Option<Letter>) -> Written {
        let leased = Leased { id: message.id, fence: message.fence };
        let refused =
            |reason, detail: &str| Written::Refused(leased, reason, Some(detail.to_owned()));
        let Some(letter) = letter else {
            return refused(Reason::RenderError, "the record that it is about is incomplete");
        };
        let Some(email) = letter.email() else {
            return Written::Refused(leased, Reason::NoAddress, None);
        };
        let Ok(address) = email.parse::<Address>() else {
            return refused(Reason::BadAddress, "the address has no form that mail can be sent to");
        };
        let organisation = letter.organisation();
        let ours = organisation.email.as_deref().unwrap_or_default();
        let Ok(from) = ours.parse::<Address>() else {
            return refused(Reason::RenderError, "the organisation's own address is malformed");
        };
        let envelope = Envelope {
            from: Mailbox::new(Some(organisation.name.clone()), from),
            reply_to: None,
            to: Mailbox::new(Some(letter.addressee().to_owned()), address),
            message_id: format!("{}@{}", message.message_id, self.domain),
            date: message.created_at,
        };
        let rendered = match letter.write(&self.documents, &self.public_url) {
            Ok(rendered) => rendered,
            Err(error) => return refused(Reason::RenderError, &chain(&error)),
        };
        let body = match compose(&envelope, &rendered, self.dkim.as_deref()) {
            Ok(body) => body,
            Err(error) => return refused(Reason::RenderError, &chain(&error)),
        };
        Written::Ready(Box::new(Ready {
            leased,
            recipient: email.to_owned(),
            subject: rendered.subject,
            facts: letter.facts(),
            body_sha256: hex(&Sha256::digest(&body)),
            body,
            token: letter.token(),
        }))
    }

    async fn suppress(
        &self,
        leased: Leased<MessageId>,
        reason: Reason,
        detail: Option<String>,
    ) -> Result<(), entity::Error> {
        let now = self.clock.now();
        count(State::Suppressed);
        let suppressed = self.db.write(move |txn| {
            let detail = detail.clone();
            async move { message::suppress(txn, leased.id, leased.fence, reason, detail, now).await }
                .boxed()
        });
        suppressed.await
    }

    /// Puts messages on the wire at once, and writes the outcomes down as they come in.
    async fn transmit(
        &self,
        ready: Vec<Ready>,
        messages: &[message::Model],
        from: &str,
    ) -> Result<(), entity::Error> {
        let mut wire = JoinSet::new();
        let mut flying: Vec<_> = ready.iter().map(|row| row.leased).collect();
        for row in ready {
            let attempts = messages.iter().find(|message| message.id == row.leased.id);
            let attempts = attempts.map_or(0, |message| message.attempts);
            let sender = self.clone();
            let addresses = from.parse::<Address>().ok().zip(row.recipient.parse::<Address>().ok());
            wire.spawn(async move {
                let outcome = match addresses {
                    Some((from, to)) => sender.transport.send(&from, &to, &row.body).await,
                    None => Outcome::Permanent { reply: "an address is malformed".to_owned() },
                };
                sender.outcome(row.leased, attempts, outcome)
            });
        }
        let mut renewal = tokio::time::interval(self.lease / 3);
        renewal.tick().await;
        while !wire.is_empty() {
            let first = tokio::select! {
                first = wire.join_next() => first,
                _ = renewal.tick() => {
                    self.renew(flying.clone()).await;
                    continue;
                }
            };
            // Whatever else has come in by now goes into the same statement.
            let rest = std::iter::from_fn(|| wire.try_join_next());
            let outcomes: Vec<message::Outcome> =
                first.into_iter().chain(rest).filter_map(Result::ok).collect();
            flying.retain(|leased| outcomes.iter().all(|outcome| outcome.leased != *leased));
            self.settle(outcomes.into(), self.clock.now()).await?;
        }
        Ok(())
    }

    /// Failing to renew is harmless: the sweeper may call a message unknown that is still on the wire,
    /// and its outcome is accepted all the same.
    async fn renew(&self, flying: Vec<Leased<MessageId>>) {
        let (now, lease) = (self.clock.now(), self.lease());
        let renewed = self.db.write(move |txn| {
            let flying = flying.clone();
            async move { message::renew(txn, &flying, lease, now).await }.boxed()
        });
        if let Err(error) = renewed.await {
            tracing::warn!(error = %chain(&error), "a lease could not be renewed");
        }
    }

    fn lease(&self) -> TimeDelta {
        TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::minutes(1))
    }

    /// Writes outcomes down, and tries for a while when the database is away: they are known only here.
    async fn settle(
        &self,
        outcomes: Arc<[message::Outcome]>,
        now: DateTime<Utc>,
    ) -> Result<(), entity::Error> {
        for outcome in outcomes.iter() {
            count(outcome.state);
        }
        let mut tries = 0;
        loop {
            let settled = self.db.write(|txn| {
                let outcomes = Arc::clone(&outcomes);
                async move { message::settle(txn, &outcomes, now).await }.boxed()
            });
            match settled.await {
                Err(error) if tries < 20 => {
                    tries += 1;
                    tracing::warn!(error = %chain(&error), "outcomes are written again");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                settled => return settled,
            }
        }
    }

    fn outcome(
        &self,
        leased: Leased<MessageId>,
        attempts: i32,
        outcome: Outcome,
    ) -> message::Outcome {
        let now = self.clock.now();
        let (state, reason, detail) = match outcome {
            Outcome::Accepted { reply } => (State::Accepted, None, reply),
            Outcome::Temporary { reply } => (State::Deferred, Some(Reason::ProviderTemp), reply),
            Outcome::Permanent { reply } => (State::Refused, Some(Reason::ProviderPerm), reply),
            Outcome::Unknown { reply } => (State::Unknown, Some(Reason::UnknownOutcome), reply),
        };
        let due_at = now + pause(self.retry, attempts, &mut rand::rng());
        message::Outcome { leased, state, reason, detail: Some(detail), due_at }
    }
}

/// How long to wait after failure number `attempts + 1`: doubled each time, and jittered, so that
/// what failed together does not come back together.
fn pause(first: Duration, attempts: i32, random: &mut impl rand::Rng) -> TimeDelta {
    let doublings = u32::try_from(attempts.clamp(0, 16)).unwrap_or_default();
    let longest = first.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    let jittered = longest.mul_f64(random.random_range(0.5..=1.0));
    TimeDelta::from_std(jittered).unwrap_or(TimeDelta::hours(4))
}

/// A message that was written before: its bytes are sent again as they are.
fn again(message: message::Model) -> Option<Written> {
    Some(Written::Ready(Box::new(Ready {
        leased: Leased { id: message.id, fence: message.fence },
        recipient: message.recipient?,
        subject: message.subject?,
        facts: message.facts?,
        body: message.body?,
        body_sha256: message.body_sha256?,
        token: None,
    })))
}

fn count(state: State) {
    use sea_orm::ActiveEnum;
    metrics::counter!("rapport_messages_total", "state" => state.to_value()).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_with_jitter_and_end_at_four_hours() {
        let mut random = rand::rng();
        for (attempts, most) in [(0, 60), (1, 120), (5, 1_920), (30, 14_400)] {
            let pause = pause(Duration::from_mins(1), attempts, &mut random).num_seconds();
            assert!((most / 2..=most).contains(&pause), "{attempts}: {pause} s");
        }
    }
}
