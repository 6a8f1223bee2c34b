//! Following records live: from "this record changed" to what one viewer may see of it.
//!
//! Invariant: what is told carries nothing but ids. For every event the viewer's rights are asked for
//! anew, and the record is read by the read executor as they see it then; one that they may not see
//! never shows. Who reads slowly gets fewer events, not older ones: what changed twice meanwhile comes
//! once.

mod customers;
mod jobs;
mod notifications;
mod shown;
mod workflows;

use std::sync::{Arc, LazyLock};

use async_graphql::{Context, ID, MergedSubscription, Subscription};
use chrono::TimeDelta;
use entity::access::{Permission, Viewer};
use entity::automation::job;
use entity::collaboration::notification;
use entity::customers::customer;
use entity::id::{CustomerId, Id, JobId, WorkflowId};
use futures::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::context::{Ask, Can, Follow};
use crate::error::Fault;
use crate::http::errors::Code;
use shown::Shown;
use workflows::WorkflowProgress;

/// How many events are read at once: followers must not take the database from those who ask.
static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(4)));

/// Transactions of this length may have been under way when something was heard last.
const OVERLAP: TimeDelta = TimeDelta::seconds(60);

/// How many records one subscription may name.
const MOST_IDS: usize = 100;

/// A place among the events that are read at once.
async fn turn() -> Option<OwnedSemaphorePermit> {
    // The semaphore is never closed.
    Arc::clone(&TURNS).acquire_owned().await.ok()
}

/// Refuses who may not, or not any more.
fn ensure(viewer: &Viewer, needed: Permission) -> Result<(), Fault> {
    if viewer.may(needed) {
        return Ok(());
    }
    Err(Fault::forbidden())
}

/// Following customers.
#[derive(Default)]
pub struct CustomerSubscription;

/// Following customers.
#[Subscription]
#[expect(clippy::unused_async, reason = "async-graphql wants resolvers to be async")]
impl CustomerSubscription {
    /// A customer to whom something has just happened: it was added or changed, or one of its invoices
    /// or payments was. Comes only for those that you may see; several changes at once may come as one.
    /// After an interruption of the server's, those come that may have changed meanwhile.
    #[graphql(guard = "Can(Permission::ReadCustomers)")]
    async fn customer_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Whom to follow: at most 100. All that you may see when absent or null; \
                          an id of nobody is never heard of."
        )]
        ids: Option<Vec<ID>>,
    ) -> Result<impl Stream<Item = Result<Shown<customer::Entity>, Fault>> + use<>, Fault> {
        if ids.as_ref().is_some_and(|ids| ids.len() > MOST_IDS) {
            return Err(Fault::bad_request(format!("follow at most {MOST_IDS} records by id")));
        }
        let wanted = ids.map(|ids| {
            let known = ids.iter().filter_map(|id| CustomerId::parse(id));
            known.map(Into::into).collect()
        });
        Ok(customers::changed(Follow::of(ctx)?, wanted))
    }
}

/// Following jobs.
#[derive(Default)]
pub struct JobSubscription;

/// Following jobs.
#[Subscription]
#[expect(clippy::unused_async, reason = "async-graphql wants resolvers to be async")]
impl JobSubscription {
    /// A job as it is now, and again whenever it has come further, at most once a second; ends with
    /// the job.
    async fn job_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which job.")] id: ID,
    ) -> Result<impl Stream<Item = Result<Shown<job::Entity>, Fault>> + use<>, Fault> {
        let id = JobId::parse(&id).ok_or_else(nothing)?;
        Ok(jobs::progress(Follow::of(ctx)?, id))
    }
}

/// Following workflows.
#[derive(Default)]
pub struct WorkflowSubscription;

/// Following workflows.
#[Subscription]
#[expect(clippy::unused_async, reason = "async-graphql wants resolvers to be async")]
impl WorkflowSubscription {
    /// How many runs of a workflow are in which state, now and again whenever that has changed, at most once a second.
    #[graphql(guard = "Can(Permission::ReadWorkflows)")]
    async fn workflow_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which workflow.")] id: ID,
    ) -> Result<impl Stream<Item = Result<WorkflowProgress, Fault>> + use<>, Fault> {
        let id = WorkflowId::parse(&id).ok_or_else(nothing)?;
        Ok(workflows::progress(Follow::of(ctx)?, id))
    }
}

/// Following what one is told.
#[derive(Default)]
pub struct NotificationSubscription;

/// Following what one is told.
#[Subscription]
#[expect(clippy::unused_async, reason = "async-graphql wants resolvers to be async")]
impl NotificationSubscription {
    /// A notification that you have just got, or one that counts further because a record which you follow
    /// was changed again. After an interruption of the server's, those of the last minute may come again.
    async fn notification_added(
        &self,
        ctx: &Context<'_>,
    ) -> Result<impl Stream<Item = Result<Shown<notification::Entity>, Fault>> + use<>, Fault> {
        let user = ctx.viewer()?.user;
        Ok(notifications::added(Follow::of(ctx)?, user.into()))
    }
}

/// Everything that can be followed, through the WebSocket at `/graphql/ws`.
#[derive(MergedSubscription, Default)]
pub struct Subscription(
    CustomerSubscription,
    JobSubscription,
    NotificationSubscription,
    WorkflowSubscription,
);

fn nothing() -> Fault {
    Fault::coded(Code::NotFound, "there is no such record")
}
