//! Workflows: what Rapport does by itself.

mod bulk;
mod forecast;
pub mod hook;
mod input;
mod simulate;

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::access::Permission;
use entity::automation::workflow::{self, StepMap, run, start};
use entity::id::{WorkflowId, WorkflowRunId};
use futures::FutureExt;

use crate::choice::choice;
use crate::context::{Ask, CanAll, Once, write};
use crate::error::{Fault, UserError, refused};
use crate::id::parse;
use crate::payload::payload;

pub use bulk::WorkflowRunsMutation;
pub use hook::WorkflowHookMutation;
use input::WorkflowDefinitionInput;
pub use simulate::{ForecastMutation, ForecastQuery};

choice! {
    /// What becomes of a workflow's triggers.
    WorkflowState mirrors "entity::automation::workflow::State" {
        /// It was never published.
        Draft,
        /// Its triggers start runs.
        Active,
        /// Its triggers start runs, and runs stand still, since it had more for customers than was foreseen: see its problem.
        /// `resumeWorkflow` lets them go on.
        Held,
        /// Nothing starts, and runs stand still.
        Paused,
        /// Nothing starts; runs come to their end.
        Retired,
    }
}

choice! {
    /// What becomes of the runs of earlier versions when another one is published.
    WorkflowRunning mirrors "entity::automation::workflow::Running" {
        /// They come to their end with the version that they began with.
        RunOut,
        /// They end.
        Cancel,
        /// They go on with the new version, in the steps with the same keys or those that `steps` names; those whose
        /// step is not there any more come to their end with the version that they began with.
        Migrate,
    }
}

/// A step that takes the place of another one, for runs that go on with the new version.
#[derive(Clone, Debug, InputObject)]
pub struct StepMoveInput {
    /// The key of the step in which runs are.
    pub from: String,
    /// The key of the step of the new version in which they go on.
    pub to: String,
}

choice! {
    /// How far a run has come.
    WorkflowRunState mirrors "entity::automation::workflow::run::State" {
        /// It goes on as soon as a worker has time.
        Running,
        /// It waits for time to pass, or for an event.
        Waiting,
        /// It came to its end.
        Completed,
        /// Its record has reached what the workflow is for.
        GoalReached,
        /// A step could not be done; it can be tried again.
        Failed,
        /// It was called off, or its record is gone.
        Cancelled,
    }
}

choice! {
    /// What happened in a step.
    WorkflowStepOutcome mirrors "entity::automation::workflow::step::Outcome" {
        /// It was done.
        Done,
        /// There was nothing to do; see the detail.
        Skipped,
        /// It could not be done; see the detail.
        Failed,
        /// The run waits in it.
        Waiting,
        /// The time has come, or the event.
        Passed,
        /// The run went another way than to the next step.
        Turned,
    }
}

/// A workflow to be.
#[derive(Clone, Debug, InputObject)]
pub struct CreateWorkflowInput {
    /// What it is called, up to 200 characters.
    pub name: String,
    /// What it would do if it were published.
    pub definition: WorkflowDefinitionInput,
}

/// A change of a workflow. What is absent stays.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateWorkflowDraftInput {
    /// What it is called, up to 200 characters.
    pub name: Option<String>,
    /// What it would do if it were published.
    pub definition: Option<WorkflowDefinitionInput>,
}

payload! {
    /// What came of changing a workflow.
    WorkflowPayload {
        /// The workflow as it is now; null when the change was refused.
        workflow: workflow::Entity
    }
}

payload! {
    /// What came of changing a run.
    WorkflowRunPayload {
        /// The run as it is now; null when the change was refused.
        workflow_run: run::Entity
    }
}

/// Whether a workflow may be published.
#[derive(SimpleObject)]
pub struct ValidateWorkflowPayload {
    /// What has to be put right first; empty when it may be published.
    pub user_errors: Vec<UserError>,
}

/// What came of starting a workflow.
#[derive(SimpleObject)]
pub struct StartWorkflowPayload {
    /// How many runs began: none for records that do not pass the workflow's condition, or for which it may not be
    /// carried out again.
    pub started: i32,
    /// Why none did; empty on success.
    pub user_errors: Vec<UserError>,
}

/// What Rapport does by itself.
#[derive(Default)]
pub struct WorkflowQuery;

/// What Rapport does by itself.
#[Object]
impl WorkflowQuery {
    /// What keeps a workflow's draft from being published.
    #[graphql(guard = "CanAll(Permission::WriteWorkflows)")]
    async fn validate_workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The workflow's id.")] id: ID,
    ) -> Result<ValidateWorkflowPayload, Fault> {
        let user_errors = match parse::<WorkflowId>(&id, &["id"]) {
            Ok(id) => match workflow::validate(ctx.reader(), id, &ctx.viewer()?).await {
                Ok(()) => Vec::new(),
                Err(error) => refused(error)?,
            },
            Err(errors) => errors,
        };
        Ok(ValidateWorkflowPayload { user_errors })
    }
}

/// What Rapport does by itself.
#[derive(Default)]
pub struct WorkflowMutation;

/// What Rapport does by itself.
#[Object]
impl WorkflowMutation {
    /// Adds a workflow, as a draft that does nothing yet.
    #[graphql(guard = "CanAll(Permission::WriteWorkflows)")]
    async fn create_workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The workflow.")] input: CreateWorkflowInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's workflow."
        )]
        idempotency_key: Option<String>,
    ) -> Result<WorkflowPayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "createWorkflow", &input);
        let draft = match input.definition.parse() {
            Ok(draft) => draft,
            Err(error) => return Ok(Err(refused(error)?).into()),
        };
        let outcome = write(ctx, once, move |txn, actor, now| {
            let (name, draft) = (input.name.clone(), draft.clone());
            async move { Ok(workflow::create(txn, &name, &draft, actor, now).await?.id.into()) }
                .boxed()
        });
        outcome.await.map(Into::into)
    }

    /// Adds a workflow that is to do what another one does, such as one that Rapport brings along: as a draft, to be
    /// changed and published.
    #[graphql(guard = "CanAll(Permission::WriteWorkflows)")]
    async fn copy_workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The other workflow's id.")] id: ID,
        #[graphql(desc = "What the new one is called, up to 200 characters.")] name: String,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's workflow."
        )]
        idempotency_key: Option<String>,
    ) -> Result<WorkflowPayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "copyWorkflow", &name).about(&id);
        let id = match parse::<WorkflowId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let outcome = write(ctx, once, move |txn, actor, now| {
            let name = name.clone();
            async move { Ok(workflow::copy(txn, id, &name, actor, now).await?.id.into()) }.boxed()
        });
        outcome.await.map(Into::into)
    }

    /// Changes a workflow's name or draft. What is published goes on as it was until it is published again.
    #[graphql(guard = "CanAll(Permission::WriteWorkflows)")]
    async fn update_workflow_draft(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The workflow's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdateWorkflowDraftInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<WorkflowPayload, Fault> {
        let once = Once::new(None, "updateWorkflowDraft", &input).about(&id);
        let id = match parse::<WorkflowId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let draft = match input.definition.map(WorkflowDefinitionInput::parse).transpose() {
            Ok(draft) => draft,
            Err(error) => return Ok(Err(refused(error)?).into()),
        };
        let change = workflow::Change { name: input.name, draft };
        let outcome = write(ctx, once, move |txn, actor, now| {
            let change = change.clone();
            async move {
                let row = workflow::update(txn, id, change, expected_version, actor, now).await?;
                Ok(row.id.into())
            }
            .boxed()
        });
        outcome.await.map(Into::into)
    }

    /// Publishes a workflow's draft as its next version, which is carried out from now on.
    #[graphql(guard = "CanAll(Permission::RunWorkflows)")]
    async fn publish_workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The workflow's id.")] id: ID,
        #[graphql(
            desc = "What becomes of the runs of earlier versions.",
            default_with = "WorkflowRunning::RunOut"
        )]
        running: WorkflowRunning,
        #[graphql(
            desc = "With `MIGRATE`: where runs go on whose step has another key now.",
            default,
            validator(max_items = 100)
        )]
        steps: Vec<StepMoveInput>,
        #[graphql(
            desc = "The version that was looked at; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<WorkflowPayload, Fault> {
        let once = Once::new(None, "publishWorkflow", &id);
        let id = match parse::<WorkflowId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let viewer = ctx.viewer()?;
        let steps: StepMap = steps.into_iter().map(|step| (step.from, step.to)).collect();
        let outcome = write(ctx, once, move |txn, _, now| {
            let (viewer, steps) = (viewer.clone(), steps.clone());
            async move {
                let going = (running.into(), &steps);
                let row = workflow::publish(txn, id, going, expected_version, &viewer, now).await?;
                Ok(row.id.into())
            }
            .boxed()
        });
        outcome.await.map(Into::into)
    }

    /// Lets a workflow stand still: nothing starts, and no run goes on. What would have started meanwhile does not
    /// start later.
    #[graphql(guard = "CanAll(Permission::RunWorkflows)")]
    async fn pause_workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The workflow's id.")] id: ID,
    ) -> Result<WorkflowPayload, Fault> {
        turn(ctx, "pauseWorkflow", &id, workflow::State::Paused).await
    }

    /// Lets a workflow go on that stands still, or was retired.
    #[graphql(guard = "CanAll(Permission::RunWorkflows)")]
    async fn resume_workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The workflow's id.")] id: ID,
    ) -> Result<WorkflowPayload, Fault> {
        turn(ctx, "resumeWorkflow", &id, workflow::State::Active).await
    }

    /// Lets a workflow end: nothing starts any more, and its runs come to their end.
    #[graphql(guard = "CanAll(Permission::RunWorkflows)")]
    async fn retire_workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The workflow's id.")] id: ID,
    ) -> Result<WorkflowPayload, Fault> {
        turn(ctx, "retireWorkflow", &id, workflow::State::Retired).await
    }

    /// Starts a workflow for records, whatever its trigger is.
    #[graphql(guard = "CanAll(Permission::RunWorkflows)")]
    async fn start_workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The workflow's id.")] id: ID,
        #[graphql(
            desc = "The ids of records of its kind; those that you do not see are left out.",
            validator(max_items = 1000)
        )]
        record_ids: Vec<ID>,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key starts nothing more."
        )]
        idempotency_key: String,
    ) -> Result<StartWorkflowPayload, Fault> {
        let asked = (id.clone(), record_ids.clone());
        let once = Once::new(Some(&idempotency_key), "startWorkflow", &asked.1).about(&asked.0);
        let id = match parse::<WorkflowId>(&id, &["id"]) {
            Ok(id) => id,
            Err(user_errors) => return Ok(StartWorkflowPayload { started: 0, user_errors }),
        };
        let records: Arc<[String]> = record_ids.into_iter().map(|id| id.0).collect();
        let viewer = ctx.viewer()?;
        let started = Arc::new(AtomicI32::new(0));
        let (counted, name) = (Arc::clone(&started), idempotency_key.clone());
        let outcome = write(ctx, once, move |txn, _, now| {
            let (records, viewer) = (Arc::clone(&records), viewer.clone());
            let (counted, name) = (Arc::clone(&counted), name.clone());
            async move {
                let number = start::by_hand(txn, id, &records, &name, &viewer, now).await?;
                counted.store(number, Ordering::Relaxed);
                Ok(id.into())
            }
            .boxed()
        });
        Ok(match outcome.await? {
            Ok(_) => StartWorkflowPayload {
                started: started.load(Ordering::Relaxed),
                user_errors: Vec::new(),
            },
            Err(user_errors) => StartWorkflowPayload { started: 0, user_errors },
        })
    }

    /// Tries the step again at which a run has failed.
    #[graphql(guard = "CanAll(Permission::RunWorkflows)")]
    async fn retry_workflow_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run's id.")] id: ID,
    ) -> Result<WorkflowRunPayload, Fault> {
        change(ctx, "retryWorkflowRun", &id, true).await
    }

    /// Calls a run off. What has ended stays as it is.
    #[graphql(guard = "CanAll(Permission::RunWorkflows)")]
    async fn cancel_workflow_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run's id.")] id: ID,
    ) -> Result<WorkflowRunPayload, Fault> {
        change(ctx, "cancelWorkflowRun", &id, false).await
    }
}

async fn turn(
    ctx: &Context<'_>,
    operation: &'static str,
    id: &ID,
    state: workflow::State,
) -> Result<WorkflowPayload, Fault> {
    let once = Once::new(None, operation, id);
    let id = match parse::<WorkflowId>(id, &["id"]) {
        Ok(id) => id,
        Err(errors) => return Ok(Err(errors).into()),
    };
    let outcome = write(ctx, once, move |txn, actor, now| {
        async move { Ok(workflow::turn(txn, id, state, actor, now).await?.id.into()) }.boxed()
    });
    outcome.await.map(Into::into)
}

async fn change(
    ctx: &Context<'_>,
    operation: &'static str,
    id: &ID,
    again: bool,
) -> Result<WorkflowRunPayload, Fault> {
    let once = Once::new(None, operation, id);
    let id = match parse::<WorkflowRunId>(id, &["id"]) {
        Ok(id) => id,
        Err(errors) => return Ok(Err(errors).into()),
    };
    let outcome = write(ctx, once, move |txn, actor, now| {
        async move {
            match again {
                true => run::retry(txn, id, now).await?,
                false => run::call_off(txn, id, actor, now).await?,
            }
            Ok(id.into())
        }
        .boxed()
    });
    outcome.await.map(Into::into)
}
