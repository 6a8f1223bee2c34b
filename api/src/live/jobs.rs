//! A job until it ends.
//!
//! Invariant: how far it has come is read from its row. What is told only shortens the wait.

use std::time::Duration;

use entity::automation::job;
use entity::catalog::{Cataloged, by_keys};
use entity::id::JobId;
use futures::{Stream, stream};
use sea_orm::{ActiveEnum, ConnectionTrait, DbErr};
use tokio::time::timeout;
use uuid::Uuid;
use worker::feed::Follower;

use super::{Shown, nothing, turn};
use crate::context::Follow;
use crate::error::Fault;

/// How often a job's row is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// State, how many rows are done, and of how many.
type Standing = (String, i64, Option<i64>);

struct Following {
    follow: Follow,
    follower: Follower,
    id: Uuid,
    shown: Option<Standing>,
}

/// The job as it is, and whenever it has come further; ends with it.
pub(super) fn progress(
    follow: Follow,
    id: JobId,
) -> impl Stream<Item = Result<Shown<job::Entity>, Fault>> + use<> {
    let follower = follow.shared.signal.follow();
    let following = Following { follow, follower, id: id.into(), shown: None };
    stream::try_unfold(following, |mut following| async move {
        let next = following.next().await?;
        Ok(next.map(|next| (next, following)))
    })
}

impl Following {
    async fn next(&mut self) -> Result<Option<Shown<job::Entity>>, Fault> {
        loop {
            if let Some((state, ..)) = &self.shown {
                let goes_on = [job::State::Preview, job::State::Queued, job::State::Running];
                if goes_on.iter().all(|going| going.to_value() != *state) {
                    return Ok(None);
                }
                self.wait().await;
            }
            let turn = turn().await;
            let viewer = self.follow.viewer().await?;
            let standing = self.standing(&viewer).await?.ok_or_else(nothing)?;
            if self.shown.as_ref() != Some(&standing) {
                self.shown = Some(standing);
                return Ok(Some(Shown::to(viewer, self.id, turn)));
            }
        }
    }

    /// Waits until the job may have come further.
    async fn wait(&mut self) {
        let told = async {
            loop {
                let changes = self.follower.next().await;
                if changes.missed || changes.jobs.contains(&self.id) {
                    return;
                }
            }
        };
        let _ = timeout(LOOK, told).await;
    }

    async fn standing(&self, viewer: &entity::access::Viewer) -> Result<Option<Standing>, DbErr> {
        let db = self.follow.shared.db.reader();
        let cells = ["state", "done", "total"];
        let keys = ("id", &[self.id][..]);
        let backend = db.get_database_backend();
        let statement = by_keys(backend, job::Entity::record(), viewer, &cells, keys, None);
        let row = db.query_one(&statement).await?;
        row.map(|row| {
            Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?))
        })
        .transpose()
    }
}
