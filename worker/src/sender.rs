//! The sender: leases due messages, writes them, puts them on the wire, and notes what came of it.
//!
//! Invariant: the bytes and `TRANSMITTING` are committed before the first byte leaves. From then on
//! only the server's answer moves a message, or, when nobody can know it any more, `UNKNOWN`.

mod wire;
mod written;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use entity::access::Actor;
use entity::access::audit::Origin;
use entity::automation::AutomationError;
use entity::automation::lease::Leased;
use entity::automation::message::{self, Reason, State};
use entity::automation::sending::{self, Noted};
use entity::clock::Clock;
use entity::db::Db;
use entity::id::MessageId;
use futures::FutureExt;
use object_store::ObjectStore;
use url::Url;

use self::written::Written;
use crate::document::Documents;
use crate::link::Links;
use crate::mail::dkim::Dkim;
use crate::relay::chain;
use crate::sent::Sent;
use crate::ways::Ways;

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
    pub ways: Ways,
    /// Where it is noted how much has left.
    pub sent: Sent,
    /// Where files are that go with them.
    pub files: Arc<dyn ObjectStore>,
    /// What signs them.
    pub dkim: Option<Arc<Dkim>>,
    /// The right side of Message-IDs: a domain of ours.
    pub domain: Arc<str>,
    /// Where links lead.
    pub public_url: Url,
    /// What signs those that customers get.
    pub links: Links,
    /// How many bytes a kept document has at most that mails have attached.
    pub attachment_max: u64,
    /// How long a message is its worker's before others may think that worker dead. Renewed while the
    /// message is on the wire.
    pub lease: Duration,
    /// The pause after the first temporary failure; it doubles with each.
    pub retry: Duration,
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
        let origin = Origin::new(Actor::System, now);
        let ours = self.db.write_as(&origin, |txn| {
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
        self.transmit(leaving.collect(), messages, organisation.email).await
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

    fn lease(&self) -> TimeDelta {
        TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::minutes(1))
    }
}

fn count(state: State) {
    use sea_orm::ActiveEnum;
    metrics::counter!("rapport_messages_total", "state" => state.to_value()).increment(1);
}
