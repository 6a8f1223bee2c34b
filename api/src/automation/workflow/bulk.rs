//! Many runs at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_graphql::{Context, ID, Object, OneofObject, SimpleObject};
use entity::access::Permission;
use entity::automation::workflow::{MOST_AT_ONCE, Which, cancel_runs, retry_runs, run, skip_steps};
use entity::id::{Id, WorkflowRunId};
use futures::FutureExt;
use uuid::Uuid;

use crate::context::{Ask, CanAll, Once, write};
use crate::error::{Fault, UserError};
use crate::read::FilterOf;

/// Which runs.
#[derive(Clone, Debug, OneofObject)]
pub enum WorkflowRunsInput {
    /// These, by their ids, at most 1,000; those that there are not are left out.
    Ids(Vec<ID>),
    /// Those of a filter.
    Filter(FilterOf<run::Entity>),
}

/// What came of changing many runs.
#[derive(SimpleObject)]
pub struct WorkflowRunsPayload {
    /// How many were changed, at most 10,000; those that it does not apply to are left out.
    pub changed: i32,
    /// Whether there may be more: ask again with another key.
    pub more: bool,
    /// Why none were changed; empty on success.
    pub user_errors: Vec<UserError>,
}

/// What is done with runs.
#[derive(Clone, Copy)]
enum Doing {
    Retry,
    Cancel,
    Skip,
}

/// Many runs at once.
#[derive(Default)]
pub struct WorkflowRunsMutation;

/// Many runs at once.
#[Object]
impl WorkflowRunsMutation {
    /// Tries the steps again at which runs have failed.
    #[graphql(guard = "CanAll(Permission::RunWorkflows)")]
    async fn retry_workflow_runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which runs.")] runs: WorkflowRunsInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key changes nothing more."
        )]
        idempotency_key: String,
    ) -> Result<WorkflowRunsPayload, Fault> {
        change(ctx, "retryWorkflowRuns", runs, &idempotency_key, Doing::Retry).await
    }

    /// Lets runs that have failed or wait in a step go on with the one that follows it.
    #[graphql(guard = "CanAll(Permission::RunWorkflows)")]
    async fn skip_workflow_steps(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which runs.")] runs: WorkflowRunsInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key changes nothing more."
        )]
        idempotency_key: String,
    ) -> Result<WorkflowRunsPayload, Fault> {
        change(ctx, "skipWorkflowSteps", runs, &idempotency_key, Doing::Skip).await
    }

    /// Calls runs off. What has ended stays as it is.
    #[graphql(guard = "CanAll(Permission::RunWorkflows)")]
    async fn cancel_workflow_runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which runs.")] runs: WorkflowRunsInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key changes nothing more."
        )]
        idempotency_key: String,
    ) -> Result<WorkflowRunsPayload, Fault> {
        change(ctx, "cancelWorkflowRuns", runs, &idempotency_key, Doing::Cancel).await
    }
}

async fn change(
    ctx: &Context<'_>,
    operation: &'static str,
    runs: WorkflowRunsInput,
    key: &str,
    doing: Doing,
) -> Result<WorkflowRunsPayload, Fault> {
    let once = Once::new(Some(key), operation, &runs);
    let which = Arc::new(match runs {
        WorkflowRunsInput::Ids(ids) => {
            Which::These(ids.iter().take(1_000).filter_map(|id| WorkflowRunId::parse(id)).collect())
        }
        WorkflowRunsInput::Filter(filter) => Which::Filter(filter.json),
    });
    let (viewer, changed) = (ctx.viewer()?, Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&changed);
    let outcome = write(ctx, once, move |txn, _, now| {
        let (which, viewer) = (Arc::clone(&which), viewer.clone());
        let counted = Arc::clone(&counted);
        async move {
            let number = match doing {
                Doing::Retry => retry_runs(txn, &which, &viewer, now).await?,
                Doing::Cancel => cancel_runs(txn, &which, &viewer, now).await?,
                Doing::Skip => skip_steps(txn, &which, &viewer, now).await?,
            };
            counted.store(number, Ordering::Relaxed);
            Ok(Uuid::nil())
        }
        .boxed()
    });
    let user_errors = outcome.await?.err().unwrap_or_default();
    let changed = changed.load(Ordering::Relaxed);
    Ok(WorkflowRunsPayload {
        changed: i32::try_from(changed).unwrap_or(i32::MAX),
        more: changed >= MOST_AT_ONCE,
        user_errors,
    })
}
