//! The relay: from what happened to what follows from it, and from what is due to the feed.
//!
//! Invariant: each step is a transaction that may be repeated. It is signalled and periodic, so a
//! lost signal costs a second, and a lost entry of the feed costs [`Pace::requeue`]. What happens, what is due and what
//! comes with time have rounds of their own, so that none waits for another.

use std::time::Duration;

use chrono::TimeDelta;
use entity::access::Actor;
use entity::access::audit::Origin;
use entity::automation::webhook::delivery;
use entity::automation::workflow::start;
use entity::automation::{event, job, message};
use entity::clock::Clock;
use entity::collaboration::notification;
use entity::db::{Db, which};
use entity::finance::promise;
use entity::marketing::segment;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::access::reset;
use crate::engine::Ground;
use crate::feed::{Changes, Due, DueKind, Publisher, Signal};

/// How many events are relayed at once.
const EVENTS: u64 = 500;

/// How many notifications are passed on at once.
const NOTIFICATIONS: u64 = 500;

/// How many rows are handed to the feed at once.
const ROWS: u64 = 512;

/// How many messages lie in the feed at most. The database waits for the workers, not Redis.
const AHEAD: u64 = 2048;

/// How long the relay waits for room in the feed.
const PAUSE: Duration = Duration::from_millis(100);

/// How many messages go into one entry of the feed, which one handler sends at once.
const BATCH: usize = 8;

/// How often the relay looks, and how long it waits for what it has handed over.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two looks without a signal.
    pub interval: Duration,
    /// After which a row that nobody has leased is handed over again.
    pub requeue: TimeDelta,
}

/// Carries events and due rows onwards.
#[derive(Clone)]
pub struct Relay {
    /// The truth.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// The feed of messages.
    pub messages: Publisher,
    /// The feed of jobs.
    pub jobs: Publisher,
    /// Wakes the relay, and tells followers what changed.
    pub signal: Signal,
    /// How often and how long.
    pub pace: Pace,
}

impl Relay {
    /// Relays until `shutdown`. A failure is logged and tried again at the next look.
    pub async fn run(self, shutdown: CancellationToken) {
        let signal = || Some(self.signal.clone());
        tokio::join!(
            self.rounds(&shutdown, signal(), |relay| relay.follow_up().boxed()),
            self.rounds(&shutdown, signal(), |relay| relay.publish().boxed()),
            self.rounds(&shutdown, None, |relay| relay.pass().boxed())
        );
    }

    /// Does rounds again and again: at once after one that found something, when it is woken, and at its pace.
    async fn rounds(
        &self,
        shutdown: &CancellationToken,
        mut signal: Option<Signal>,
        round: fn(&Self) -> BoxFuture<'_, Result<bool, entity::Error>>,
    ) {
        let mut look = tokio::time::interval(self.pace.interval);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let more = match round(self).await {
                Ok(moved) => moved,
                Err(error) => {
                    metrics::counter!("rapport_relay_failures_total").increment(1);
                    tracing::warn!(error = %chain(&error), "the relay could not do its round");
                    false
                }
            };
            if more && !shutdown.is_cancelled() {
                continue;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = woken(signal.as_mut()) => {}
                _ = look.tick() => {}
            }
        }
    }

    /// What follows from what happened. True when there was something, so that another round may find more.
    pub(crate) async fn follow_up(&self) -> Result<bool, entity::Error> {
        // Looking takes no writer's place.
        let waiting = [event::is_pending(), notification::is_pending()];
        let [events, notifications] = which(self.db.reader(), waiting).await?;
        let relayed = (events && self.relay_events().await?)
            | (notifications && self.relay_notifications().await?);
        if relayed {
            // Runs that have begun, and mails that are planned, are due.
            self.signal.raise();
        }
        Ok(relayed)
    }

    /// What is due goes to the feed. True when there was something. What the feed does not take stays due.
    async fn publish(&self) -> Result<bool, entity::Error> {
        let (now, since) = self.times();
        let due = [message::any_due(since, now), job::any_due(since, now)];
        let [messages, jobs] = which(self.db.reader(), due).await?;
        Ok((messages && self.publish_messages().await?) | (jobs && self.publish_jobs().await?))
    }

    /// What comes with time: the clock is set, absences that have begun are told of, promises to pay whose time is over are
    /// settled, and messages given up that a dead worker had on the wire, or whose time is over.
    pub(crate) async fn pass(&self) -> Result<bool, entity::Error> {
        if let Some(now) = self.db.clock().await? {
            self.clock.synchronise(now);
        }
        let now = self.clock.now();
        let origin = Origin::new(Actor::System, now);
        let passed = self.db.write_as(&origin, move |txn| {
            async move {
                let told = notification::deputies_begun(txn, now).await?;
                let settled = promise::settle_due(txn, now).await?;
                Ok((told + settled, message::expire_leases(txn, now).await?))
            }
            .boxed()
        });
        let (told, (unknown, late)) = passed.await?;
        if told > 0 {
            self.signal.raise();
        }
        if unknown + late > 0 {
            tracing::warn!(unknown, late, "messages were given up");
        }
        Ok(false)
    }

    /// Plans what follows from events, and tells those who follow the customers they are about.
    async fn relay_events(&self) -> Result<bool, entity::Error> {
        let clock = self.clock.clone();
        let relayed = self.db.write(move |txn| {
            let clock = clock.clone();
            async move {
                let events = event::take_pending(txn, EVENTS).await?;
                // What follows from them is no older than they are, however long the database was waited for.
                let now = clock.now();
                if events.is_empty() {
                    return Ok(events);
                }
                let resets = reset::planned(txn, &events).await?;
                message::plan_resets(txn, &resets, now).await?;
                delivery::plan(txn, &events, now).await?;
                let ground = Ground::of(txn, now).await?;
                segment::follow(txn, &events, ground.scope(), now).await?;
                start::by_events(txn, &events, ground.scope(), now).await?;
                notification::tell_followers(txn, &events, now).await?;
                event::mark_relayed(txn, events.iter().map(|event| event.id), now).await?;
                Ok(events)
            }
            .boxed()
        });
        let relayed = relayed.await?;
        metrics::counter!("rapport_events_relayed_total").increment(relayed.len() as u64);
        self.signal.tell(Changes::customers(relayed.iter().filter_map(|event| event.customer_id)));
        Ok(!relayed.is_empty())
    }

    /// Plans the mails of notifications, and tells those who follow theirs.
    async fn relay_notifications(&self) -> Result<bool, entity::Error> {
        let now = self.clock.now();
        let relayed =
            self.db.write(move |txn| notification::relay(txn, NOTIFICATIONS, now).boxed()).await?;
        let told = relayed.iter().map(|told| (told.user.into(), told.id.into()));
        self.signal.tell(Changes::notifications(told));
        Ok(!relayed.is_empty())
    }

    async fn publish_messages(&self) -> Result<bool, entity::Error> {
        let (now, since) = self.times();
        let due = self.db.write(move |txn| {
            async move {
                if message::enqueued(txn, since).await? >= AHEAD {
                    return Ok(None);
                }
                let ids = message::due(txn, ROWS, since, now).await?;
                if !ids.is_empty() {
                    message::mark_enqueued(txn, &ids, Some(now)).await?;
                }
                Ok(Some(ids))
            }
            .boxed()
        });
        let Some(ids) = due.await? else {
            tokio::time::sleep(PAUSE).await;
            return Ok(true);
        };
        let batch: Vec<_> = ids.chunks(BATCH).map(|ids| due_rows(DueKind::Message, ids)).collect();
        if self.hand_over(&self.messages, &batch).await {
            return Ok(!ids.is_empty());
        }
        self.db
            .write(move |txn| {
                let ids = ids.clone();
                async move { message::mark_enqueued(txn, &ids, None).await }.boxed()
            })
            .await?;
        Ok(false)
    }

    async fn publish_jobs(&self) -> Result<bool, entity::Error> {
        let (now, since) = self.times();
        let due = self.db.write(move |txn| {
            async move {
                let ids = job::due(txn, ROWS, since, now).await?;
                if !ids.is_empty() {
                    job::mark_enqueued(txn, &ids, Some(now)).await?;
                }
                Ok(ids)
            }
            .boxed()
        });
        let ids = due.await?;
        let batch: Vec<_> = ids.chunks(1).map(|ids| due_rows(DueKind::Job, ids)).collect();
        if self.hand_over(&self.jobs, &batch).await {
            return Ok(!ids.is_empty());
        }
        self.db
            .write(move |txn| {
                let ids = ids.clone();
                async move { job::mark_enqueued(txn, &ids, None).await }.boxed()
            })
            .await?;
        Ok(false)
    }

    fn times(&self) -> (chrono::DateTime<chrono::Utc>, chrono::DateTime<chrono::Utc>) {
        let now = self.clock.now();
        (now, now - self.pace.requeue)
    }

    /// Whether the feed took the entries.
    async fn hand_over(&self, feed: &Publisher, batch: &[Due]) -> bool {
        if batch.is_empty() {
            return true;
        }
        match feed.publish(batch).await {
            Ok(()) => true,
            Err(error) => {
                metrics::counter!("rapport_relay_failures_total").increment(1);
                tracing::warn!(error = %chain(&error), "the feed took nothing; the rows stay due");
                false
            }
        }
    }
}

/// Waits for a signal, or for ever without one.
async fn woken(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => signal.wait().await,
        None => std::future::pending().await,
    }
}

fn due_rows<I: Copy + Into<uuid::Uuid>>(kind: DueKind, ids: &[I]) -> Due {
    Due { kind, ids: ids.iter().map(|id| (*id).into()).collect() }
}

/// An error with its causes, for the log.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
