//! Notifications of one user, as they come.

use std::collections::{BTreeSet, VecDeque};

use chrono::{DateTime, Utc};
use entity::catalog::{Cataloged, by_keys};
use entity::collaboration::notification;
use futures::{Stream, stream};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ConnectionTrait, DbErr};
use uuid::Uuid;
use worker::feed::{Changes, Follower};

use super::{OVERLAP, Shown, turn};
use crate::context::Follow;
use crate::error::Fault;

/// How many notifications are looked for after something was missed.
const MOST_MISSED: u64 = 100;

struct Following {
    follow: Follow,
    follower: Follower,
    /// Whose.
    user: Uuid,
    /// What has come.
    told: BTreeSet<Uuid>,
    /// What of it is there to be shown.
    seen: VecDeque<Uuid>,
    /// Until when nothing was missed.
    heard_at: DateTime<Utc>,
}

/// Each notification of `user` as it comes, and again when it counts further.
pub(super) fn added(
    follow: Follow,
    user: Uuid,
) -> impl Stream<Item = Result<Shown<notification::Entity>, Fault>> + use<> {
    let following = Following {
        follower: follow.shared.signal.follow(),
        heard_at: follow.shared.clock.now(),
        follow,
        user,
        told: BTreeSet::new(),
        seen: VecDeque::new(),
    };
    stream::try_unfold(following, |mut following| async move {
        let next = following.next().await?;
        Ok(Some((next, following)))
    })
}

impl Following {
    async fn next(&mut self) -> Result<Shown<notification::Entity>, Fault> {
        loop {
            if self.seen.is_empty() && self.told.is_empty() {
                let changes = self.follower.next().await;
                self.hear(&changes).await?;
            }
            while let Some(changes) = self.follower.try_next() {
                self.hear(&changes).await?;
            }
            if self.seen.is_empty() && self.told.is_empty() {
                continue;
            }
            let turn = turn().await;
            let viewer = self.follow.viewer().await?;
            if self.seen.is_empty() {
                let ids: Vec<_> = std::mem::take(&mut self.told).into_iter().collect();
                let db = self.follow.shared.db.reader();
                let record = notification::Entity::record();
                let backend = db.get_database_backend();
                let keys = ("id", ids.as_slice());
                let mut statement = by_keys(backend, record, &viewer, &["id"], keys, None);
                statement.and_where(record.column("deleted_at").is_null());
                let rows = db.query_all(&statement).await?;
                let seen = rows.iter().map(|row| row.try_get_by_index(0));
                self.seen = seen.collect::<Result<_, DbErr>>()?;
            }
            if let Some(id) = self.seen.pop_front() {
                return Ok(Shown::to(viewer, id, turn));
            }
        }
    }

    async fn hear(&mut self, changes: &Changes) -> Result<(), Fault> {
        let now = self.follow.shared.clock.now();
        if changes.missed {
            let db = self.follow.shared.db.reader();
            let since = self.heard_at - OVERLAP;
            let missed = notification::since(db, self.user.into(), since, MOST_MISSED);
            self.told.extend(missed.await?);
        } else if let Some(told) = changes.notifications.get(&self.user) {
            self.told.extend(told);
        }
        self.heard_at = now;
        // What waits to be shown is shown as it is then.
        self.seen.iter().for_each(|id| {
            self.told.remove(id);
        });
        Ok(())
    }
}
