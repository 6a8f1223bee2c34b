//! How far the runs of a workflow have come.
//!
//! Invariant: what is told is counted from the rows, as the viewer sees them then.

use std::time::Duration;

use async_graphql::SimpleObject;
use entity::access::{Permission, Viewer};
use entity::automation::workflow::{self, run};
use entity::catalog::{Cataloged, by_keys};
use entity::id::WorkflowId;
use futures::{Stream, stream};
use sea_orm::{ConnectionTrait, DbErr};

use super::{ensure, nothing, turn};
use crate::automation::WorkflowRunState;
use crate::context::Follow;
use crate::error::Fault;

/// How often the runs are counted.
const LOOK: Duration = Duration::from_secs(1);

/// How far the runs of a workflow have come.
#[derive(Clone, Debug, SimpleObject)]
pub struct WorkflowProgress {
    /// How many there are in each state in which there are any.
    pub states: Vec<WorkflowStateCount>,
}

/// How many runs are in a state.
#[derive(Clone, Debug, SimpleObject)]
pub struct WorkflowStateCount {
    /// The state.
    pub state: WorkflowRunState,
    /// How many.
    pub runs: i32,
}

struct Following {
    follow: Follow,
    id: WorkflowId,
    shown: Option<Vec<(run::State, i64)>>,
}

/// The counts as they are, and whenever they are others.
pub(super) fn progress(
    follow: Follow,
    id: WorkflowId,
) -> impl Stream<Item = Result<WorkflowProgress, Fault>> + use<> {
    let following = Following { follow, id, shown: None };
    stream::try_unfold(following, |mut following| async move {
        let next = following.next().await?;
        Ok(Some((next, following)))
    })
}

impl Following {
    async fn next(&mut self) -> Result<WorkflowProgress, Fault> {
        loop {
            if self.shown.is_some() {
                tokio::time::sleep(LOOK).await;
            }
            let _turn = turn().await;
            let viewer = self.follow.viewer().await?;
            ensure(&viewer, Permission::ReadWorkflows)?;
            if self.shown.is_none() && !self.is_there(&viewer).await? {
                return Err(nothing());
            }
            let db = self.follow.shared.db.reader();
            let counts = run::counts(db, self.id, &viewer).await?;
            if self.shown.as_ref() != Some(&counts) {
                let states = counts.iter().map(|(state, runs)| WorkflowStateCount {
                    state: (*state).into(),
                    runs: i32::try_from(*runs).unwrap_or(i32::MAX),
                });
                let progress = WorkflowProgress { states: states.collect() };
                self.shown = Some(counts);
                return Ok(progress);
            }
        }
    }

    async fn is_there(&self, viewer: &Viewer) -> Result<bool, DbErr> {
        let db = self.follow.shared.db.reader();
        let (id, record) = (self.id.0, workflow::Entity::record());
        let keys = ("id", &[id][..]);
        let statement = by_keys(db.get_database_backend(), record, viewer, &["id"], keys, None);
        Ok(db.query_one(&statement).await?.is_some())
    }
}
