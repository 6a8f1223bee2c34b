//! Customers to whom something happened.

use std::collections::{BTreeSet, VecDeque};

use chrono::{DateTime, Utc};
use entity::access::{Permission, Viewer};
use entity::automation::event;
use entity::catalog::{Cataloged, by_keys};
use entity::customers::customer;
use futures::{Stream, stream};
use sea_orm::{ConnectionTrait, DbErr};
use uuid::Uuid;
use worker::feed::{Changes, Follower};

use super::{OVERLAP, Shown, ensure, turn};
use crate::context::Follow;
use crate::error::Fault;

/// How many changed customers are looked at together.
const TOGETHER: usize = 100;

/// How many customers are looked for after something was missed.
const MOST_MISSED: u64 = 1_000;

struct Following {
    follow: Follow,
    follower: Follower,
    /// Whom; everybody if `None`.
    wanted: Option<BTreeSet<Uuid>>,
    /// To whom something happened.
    changed: BTreeSet<Uuid>,
    /// Those of them that may be seen.
    seen: VecDeque<Uuid>,
    /// Until when nothing was missed.
    heard_at: DateTime<Utc>,
}

/// Each of `wanted` (everybody if `None`) whenever something happened to it.
pub(super) fn changed(
    follow: Follow,
    wanted: Option<BTreeSet<Uuid>>,
) -> impl Stream<Item = Result<Shown<customer::Entity>, Fault>> + use<> {
    let following = Following {
        follower: follow.shared.signal.follow(),
        heard_at: follow.shared.clock.now(),
        follow,
        wanted,
        changed: BTreeSet::new(),
        seen: VecDeque::new(),
    };
    stream::try_unfold(following, |mut following| async move {
        let next = following.next().await?;
        Ok(Some((next, following)))
    })
}

impl Following {
    async fn next(&mut self) -> Result<Shown<customer::Entity>, Fault> {
        loop {
            if self.seen.is_empty() && self.changed.is_empty() {
                let changes = self.follower.next().await;
                self.hear(&changes).await?;
            }
            while let Some(changes) = self.follower.try_next() {
                self.hear(&changes).await?;
            }
            if self.seen.is_empty() && self.changed.is_empty() {
                continue;
            }
            let turn = turn().await;
            let viewer = self.follow.viewer().await?;
            ensure(&viewer, Permission::ReadCustomers)?;
            if self.seen.is_empty() {
                self.seen = self.visible(&viewer).await?;
            }
            if let Some(id) = self.seen.pop_front() {
                return Ok(Shown::to(viewer, id, turn));
            }
        }
    }

    async fn hear(&mut self, changes: &Changes) -> Result<(), Fault> {
        let now = self.follow.shared.clock.now();
        match (&self.wanted, changes.missed) {
            (Some(wanted), true) => self.changed.extend(wanted),
            (None, true) => {
                let since = self.heard_at - OVERLAP;
                let db = self.follow.shared.db.reader();
                let missed = event::customers_since(db, since, MOST_MISSED).await?;
                self.changed.extend(missed.into_iter().map(Uuid::from));
            }
            (Some(wanted), false) => self.changed.extend(changes.customers.intersection(wanted)),
            (None, false) => self.changed.extend(&changes.customers),
        }
        self.heard_at = now;
        // What waits to be shown and changed again is shown once, as it is then.
        self.seen.iter().for_each(|id| {
            self.changed.remove(id);
        });
        Ok(())
    }

    /// Those of the next changed ones that `viewer` may see.
    async fn visible(&mut self, viewer: &Viewer) -> Result<VecDeque<Uuid>, DbErr> {
        let rest = self.changed.iter().nth(TOGETHER).copied();
        let rest = rest.map(|first| self.changed.split_off(&first)).unwrap_or_default();
        let ids: Vec<_> = std::mem::replace(&mut self.changed, rest).into_iter().collect();
        let db = self.follow.shared.db.reader();
        let keys = ("id", ids.as_slice());
        let backend = db.get_database_backend();
        let statement = by_keys(backend, customer::Entity::record(), viewer, &["id"], keys, None);
        let rows = db.query_all(&statement).await?;
        rows.iter().map(|row| row.try_get_by_index(0)).collect()
    }
}
