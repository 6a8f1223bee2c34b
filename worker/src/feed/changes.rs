//! Which records changed, for those who follow them live.
//!
//! Invariant: ids and nothing else, so whoever overhears them learns nothing; and bounded, since beyond
//! a number of ids "anything may have changed" says it shorter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use uuid::Uuid;

/// Beyond this many ids they are not listed any more.
const MOST: usize = 2_000;

/// Which records changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changes {
    /// Customers to whom something happened.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub customers: BTreeSet<Uuid>,
    /// Jobs that began or ended.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub jobs: BTreeSet<Uuid>,
    /// Users with the notifications that they have just got.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub notifications: BTreeMap<Uuid, BTreeSet<Uuid>>,
    /// Anything may have changed: something was lost on the way.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub missed: bool,
}

impl Changes {
    /// Anything may have changed.
    #[must_use]
    pub fn missed() -> Self {
        Self { missed: true, ..Self::default() }
    }

    /// Something happened to customers.
    #[must_use]
    pub fn customers(ids: impl IntoIterator<Item = impl Into<Uuid>>) -> Self {
        Self { customers: ids.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// A job began or ended.
    #[must_use]
    pub fn job(id: impl Into<Uuid>) -> Self {
        Self { jobs: [id.into()].into(), ..Self::default() }
    }

    /// Users got notifications: each user's id with a notification's.
    #[must_use]
    pub fn notifications(told: impl IntoIterator<Item = (Uuid, Uuid)>) -> Self {
        let mut changes = Self::default();
        for (user, notification) in told {
            changes.notifications.entry(user).or_default().insert(notification);
        }
        changes
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what changed besides.
    pub fn merge(&mut self, other: Self) {
        let Self { customers, jobs, notifications, missed } = other;
        self.customers.extend(customers);
        self.jobs.extend(jobs);
        for (user, told) in notifications {
            self.notifications.entry(user).or_default().extend(told);
        }
        self.missed |= missed;
        let notifications: usize = self.notifications.values().map(BTreeSet::len).sum();
        if self.customers.len() + self.jobs.len() + notifications > MOST {
            *self = Self::missed();
        }
    }
}

/// Hears what changed.
pub struct Follower(Receiver<Arc<Changes>>);

impl Follower {
    pub(super) fn new(news: Receiver<Arc<Changes>>) -> Self {
        Self(news)
    }

    /// Waits for what changed since it was last asked; what came too fast is [`Changes::missed`].
    pub async fn next(&mut self) -> Arc<Changes> {
        match self.0.recv().await {
            Ok(changes) => changes,
            Err(RecvError::Lagged(_)) => Arc::new(Changes::missed()),
            // The runtime is going down.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    /// What changed since it was last asked, without waiting.
    pub fn try_next(&mut self) -> Option<Arc<Changes>> {
        match self.0.try_recv() {
            Ok(changes) => Some(changes),
            Err(TryRecvError::Lagged(_)) => Some(Arc::new(Changes::missed())),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}
