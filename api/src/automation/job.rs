//! Jobs: long work that a person waits for.

use async_graphql::{Context, ID, Json, Object};
use chrono::{DateTime, Utc};
use entity::access::Permission;
use entity::automation::job;
use entity::id::{Id, JobId};
use sea_orm::EntityTrait;

use crate::choice::choice;
use crate::context::{Ask, Can};
use crate::error::Fault;
use crate::id::global;
use crate::scalar::Long;

choice! {
    /// What a job does.
    JobKind mirrors job::Kind as "entity::automation::job::Kind" {
        /// Reads a file of receivables.
        ImportReceivables,
    }
}

choice! {
    /// How far a job has come.
    JobState mirrors job::State as "entity::automation::job::State" {
        /// It will start soon.
        Queued,
        /// It is running.
        Running,
        /// It has ended; what it could not do is in its report.
        Succeeded,
        /// It has ended without effect; why is in its report.
        Failed,
    }
}

/// Long work that a person waits for. It goes on when a machine dies.
#[derive(Clone, Debug)]
pub struct Job(pub job::Model);

impl Job {
    pub(crate) async fn load(ctx: &Context<'_>, id: JobId) -> Result<Option<Self>, Fault> {
        Ok(job::Entity::find_by_id(id).one(ctx.reader()).await?.map(Self))
    }
}

/// Long work that a person waits for. It goes on when a machine dies.
#[Object]
impl Job {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// What it does.
    async fn kind(&self) -> JobKind {
        self.0.kind.into()
    }

    /// How far it has come.
    async fn state(&self) -> JobState {
        self.0.state.into()
    }

    /// How many rows are done.
    async fn done(&self) -> Long {
        Long(self.0.done)
    }

    /// Of how many; null before that is known.
    async fn total(&self) -> Option<Long> {
        self.0.total.map(Long)
    }

    /// What came of it, in a form that depends on the kind: counts, sums per currency, and the rows
    /// that were refused with line and reason. Null before it has ended.
    async fn report(&self) -> Option<Json<serde_json::Value>> {
        self.0.report.clone().map(Json)
    }

    /// When it first started; null while it is queued.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.started_at
    }

    /// When it ended; null before that.
    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.0.finished_at
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// Reading jobs.
#[derive(Default)]
pub struct JobQuery;

/// Reading jobs.
#[Object]
impl JobQuery {
    /// One job; null when there is none with the id.
    #[graphql(guard = "Can(Permission::Import)")]
    async fn job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job's id.")] id: ID,
    ) -> Result<Option<Job>, Fault> {
        match JobId::parse(&id) {
            Some(id) => Job::load(ctx, id).await,
            None => Ok(None),
        }
    }
}
