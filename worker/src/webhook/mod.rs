//! The courier: sends webhooks.
//!
//! It leases what is due straight from the table. There are few webhooks, and each may take seconds, so
//! that a feed would gain nothing; several couriers skip each other's rows.
//!
//! Invariant: nothing is settled without an answer, or the lack of one. A courier that dies leaves leases
//! that end, and another one sends the same bytes with the same id.

mod address;
mod post;
pub mod signature;

use std::net::IpAddr;
use std::time::Duration;

use chrono::TimeDelta;
use entity::automation::lease::Leased;
use entity::automation::webhook::delivery::{self, Outcome};
use entity::automation::webhook::endpoint;
use entity::clock::Clock;
use entity::db::Db;
use entity::id::Id;
use futures::FutureExt;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::relay::chain;

pub use post::{Post, PostError};
pub use signature::sign;

/// How many webhooks a process sends at once.
const AT_ONCE: usize = 16;

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// Sends webhooks.
#[derive(Clone)]
pub struct Courier {
    /// The truth.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// What posts.
    pub post: Post,
    /// How long a courier may be silent before others send what it has.
    pub lease: Duration,
}

impl Courier {
    /// A courier that may send to `allowed` although they are private addresses.
    #[must_use]
    pub fn new(db: Db, clock: Clock, allowed: &[IpAddr], lease: Duration) -> Self {
        Self { db, clock, post: Post::new(allowed), lease }
    }

    /// Sends until `shutdown`, and then ends what is on its way. A failure of the database is logged and
    /// tried again at the next look.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut look = tokio::time::interval(INTERVAL);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut sending = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = look.tick() => {}
                Some(sent) = sending.join_next() => warn_of(sent),
            }
            // Whatever else has ended by now makes room for the same look.
            while let Some(sent) = sending.try_join_next() {
                warn_of(sent);
            }
            match self.take(AT_ONCE.saturating_sub(sending.len())).await {
                Ok(leased) => {
                    for (row, endpoint) in leased {
                        sending.spawn(self.clone().send(row, endpoint));
                    }
                }
                Err(error) => warn_of(Ok(Err(error))),
            }
        }
        while let Some(sent) = sending.join_next().await {
            warn_of(sent);
        }
    }

    /// Leases up to `limit` of what is due.
    async fn take(
        &self,
        limit: usize,
    ) -> Result<Vec<(delivery::Model, endpoint::Model)>, entity::Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let now = self.clock.now();
        let length = TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::seconds(30));
        self.db.write(move |txn| delivery::lease(txn, limit, length, now).boxed()).await
    }

    async fn send(
        self,
        row: delivery::Model,
        endpoint: endpoint::Model,
    ) -> Result<(), entity::Error> {
        let now = self.clock.now();
        let (id, timestamp) = (row.id.global(), now.timestamp());
        let signature = sign(&endpoint.secrets(now), &id, timestamp, &row.body);
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature),
        ];
        let outcome = match self.post.post(&endpoint.url, headers, row.body.clone()).await {
            Ok(status @ 200..=299) => Outcome::Taken(status),
            Ok(410) => Outcome::Gone(410),
            Ok(status @ 300..=399) => {
                let why =
                    "the endpoint points elsewhere, where nothing is sent; change its address";
                Outcome::NotTaken(Some(status), why.to_owned())
            }
            Ok(status) => {
                Outcome::NotTaken(Some(status), format!("the endpoint answered {status}"))
            }
            Err(error) => Outcome::NotTaken(None, error.to_string()),
        };
        let result = if matches!(outcome, Outcome::Taken(_)) { "taken" } else { "failed" };
        metrics::counter!("rapport_webhooks_total", "outcome" => result).increment(1);
        let leased = Leased { id: row.id, fence: row.fence };
        let now = self.clock.now();
        self.db
            .write(move |txn| {
                let outcome = outcome.clone();
                async move { delivery::settle(txn, leased, &outcome, now).await }.boxed()
            })
            .await
    }
}

fn warn_of(sent: Result<Result<(), entity::Error>, JoinError>) {
    match sent {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error = %chain(&error), "webhooks are due again"),
        Err(error) => tracing::error!(%error, "a webhook is due again"),
    }
}
