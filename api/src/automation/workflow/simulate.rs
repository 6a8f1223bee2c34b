//! Asking what would come of a workflow, and keeping the answer.

use async_graphql::{Context, ID, Json, Object};
use entity::access::{Permission, Viewer};
use entity::automation::job;
use entity::automation::workflow::advance::Engine;
use entity::automation::workflow::forecast::{self, TOLERANCE};
use entity::automation::workflow::performer::performers;
use entity::automation::workflow::simulate::{Forecast, Question, Which, definition, simulate};
use entity::automation::workflow::{self, Definition};
use entity::catalog::Scope;
use entity::customers::custom::CustomFields;
use entity::id::WorkflowId;
use futures::FutureExt;
use sea_orm::{DatabaseTransaction, EntityTrait};
use worker::letter::Letter;

use super::forecast::{
    CompareSimulationsPayload, ForecastDifference, SimulateWorkflowInput, SimulateWorkflowPayload,
    WorkflowForecast, Written,
};
use crate::context::{Ask, CanAll, Once, write};
use crate::error::{Fault, refused};
use crate::id::parse;
use crate::payload::payload;

payload! {
    /// What came of asking for a forecast that is kept.
    KeepForecastPayload {
        /// The job that makes it; null when it was refused.
        job: job::Entity
    }
}

/// What would come of workflows.
#[derive(Default)]
pub struct ForecastQuery;

/// What would come of workflows.
#[Object]
impl ForecastQuery {
    /// What would come of a workflow: who would get what and when, over the records as they are and as far as you see them,
    /// on a clock that is turned by hand. Nothing is done, and nothing happens meanwhile that a step waits for. What takes
    /// longer than a request may take is asked with `keepForecast`.
    #[graphql(guard = "CanAll(Permission::WriteWorkflows)", complexity = "1000 + child_complexity")]
    async fn simulate_workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The workflow's id.")] id: ID,
        #[graphql(desc = "For when, and for whom.")] input: SimulateWorkflowInput,
        #[graphql(desc = "Which of its versions, by its number; its draft when absent.")]
        version: Option<i32>,
    ) -> Result<SimulateWorkflowPayload, Fault> {
        let refuse = |user_errors| Ok(SimulateWorkflowPayload { forecast: None, user_errors });
        let id = match parse::<WorkflowId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return refuse(errors),
        };
        let is_shown = ctx.look_ahead().field("forecast").field("messages").exists();
        let snapshot = ctx.shared().db.snapshot().await?;
        let which = version.map_or(Which::Draft, Which::Version);
        let (question, viewer) = (input.parse(), ctx.viewer()?);
        match foresee(ctx, &viewer, &snapshot, (id, which), (&question, is_shown)).await {
            Ok(forecast) => {
                Ok(SimulateWorkflowPayload { forecast: Some(forecast), user_errors: Vec::new() })
            }
            Err(error) => refuse(refused(error)?),
        }
    }

    /// What would come of a workflow by one of its versions and by another, over the same records as they are at one moment.
    #[graphql(guard = "CanAll(Permission::WriteWorkflows)", complexity = "2000 + child_complexity")]
    async fn compare_simulations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The workflow's id.")] id: ID,
        #[graphql(desc = "For when, and for whom.")] input: SimulateWorkflowInput,
        #[graphql(desc = "The number of the one version; of what it does now when absent.")]
        before: Option<i32>,
        #[graphql(desc = "The number of the other version; the draft when absent.")] after: Option<
            i32,
        >,
    ) -> Result<CompareSimulationsPayload, Fault> {
        let refuse = |user_errors| {
            Ok(CompareSimulationsPayload {
                before: None,
                after: None,
                difference: None,
                user_errors,
            })
        };
        let id = match parse::<WorkflowId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return refuse(errors),
        };
        let shown = |side: &str| ctx.look_ahead().field(side).field("messages").exists();
        let snapshot = ctx.shared().db.snapshot().await?;
        let (question, viewer) = (input.parse(), ctx.viewer()?);
        let compared = async {
            let before = match before {
                Some(number) => Which::Version(number),
                None => active(&snapshot, id).await?,
            };
            let after = after.map_or(Which::Draft, Which::Version);
            let asked = (&question, shown("before"));
            let before = foresee(ctx, &viewer, &snapshot, (id, before), asked).await?;
            let asked = (&question, shown("after"));
            let after = foresee(ctx, &viewer, &snapshot, (id, after), asked).await?;
            Ok::<_, entity::Error>((before, after))
        };
        match compared.await {
            Ok((before, after)) => Ok(CompareSimulationsPayload {
                difference: Some(ForecastDifference::between(&before, &after)),
                before: Some(before),
                after: Some(after),
                user_errors: Vec::new(),
            }),
            Err(error) => refuse(refused(error)?),
        }
    }
}

/// Keeping what would come of workflows.
#[derive(Default)]
pub struct ForecastMutation;

/// Keeping what would come of workflows.
#[Object]
impl ForecastMutation {
    /// Foresees what would come of a workflow's draft, as a job, and keeps it as its `forecast`. What is published then is
    /// measured by it: before it plans more for customers than is let through, the workflow is held, with the reason as
    /// its `problem`, and who published it is told. `resumeWorkflow` lets it go on nevertheless. A draft that is changed
    /// afterwards has to be foreseen anew.
    #[graphql(guard = "CanAll(Permission::WriteWorkflows)")]
    async fn keep_forecast(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The workflow's id.")] id: ID,
        #[graphql(desc = "For when, and for whom.")] input: SimulateWorkflowInput,
        #[graphql(
            desc = "By how much more than is foreseen is let through, in percent, from 0 to 1,000; 50 when absent. 20 messages more always are."
        )]
        tolerance: Option<i32>,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's job."
        )]
        idempotency_key: Option<String>,
    ) -> Result<KeepForecastPayload, Fault> {
        let (question, tolerance) = (input.parse(), tolerance.unwrap_or(TOLERANCE));
        let asked = Json((question.clone(), tolerance));
        let once = Once::new(idempotency_key.as_deref(), "keepForecast", &asked).about(&id);
        let id = match parse::<WorkflowId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let viewer = ctx.viewer()?;
        let outcome = write(ctx, once, move |txn, _, now| {
            let (viewer, asked) = (viewer.clone(), (question.clone(), tolerance));
            async move { Ok(forecast::request(txn, id, asked, &viewer, now).await?.id.into()) }
                .boxed()
        });
        outcome.await.map(Into::into)
    }
}

/// What a workflow does now.
async fn active(db: &DatabaseTransaction, id: WorkflowId) -> Result<Which, entity::Error> {
    let row = workflow::Entity::find_by_id(id).one(db).await?;
    let row = row.ok_or_else(|| entity::Error::no_such::<workflow::Entity>().at(&["id"]))?;
    let active = match row.active_id {
        Some(active) => workflow::version::Entity::find_by_id(active).one(db).await?,
        None => None,
    };
    let active = active.ok_or(entity::automation::AutomationError::NeverPublished)?;
    Ok(Which::Version(active.number))
}

/// What would come of a workflow, with its messages written out if they are asked for.
async fn foresee(
    ctx: &Context<'_>,
    viewer: &Viewer,
    snapshot: &DatabaseTransaction,
    (id, which): (WorkflowId, Which),
    (question, is_shown): (&Question, bool),
) -> Result<WorkflowForecast, entity::Error> {
    let definition = definition(snapshot, id, which).await?;
    let custom = CustomFields::loaded(snapshot).await?;
    let (scope, zone) = (Scope::of(snapshot, viewer, &custom), viewer.calendar().zone);
    let engine = Engine { performers: &performers(), scope, zone };
    let forecast = simulate(&engine, snapshot, (id, &definition), question).await?;
    let written = match is_shown {
        true => written(ctx, snapshot, &definition, &forecast).await?,
        false => Vec::new(),
    };
    Ok(WorkflowForecast::new(forecast, &definition, written))
}

/// What the messages of a forecast say, in their order.
async fn written(
    ctx: &Context<'_>,
    snapshot: &DatabaseTransaction,
    definition: &Definition,
    forecast: &Forecast,
) -> Result<Vec<Option<Written>>, entity::Error> {
    let messages = forecast.messages.iter().map(|foreseen| foreseen.message.clone());
    let messages = messages.collect::<Vec<_>>();
    let letters = Letter::foreseen(snapshot, definition, &messages).await?;
    let words = ctx.shared().words.clone();
    let write = move || {
        let write = |letter: Letter| {
            let recipient = letter.address().ok().map(str::to_owned);
            let shown = letter.shown(&words).map_err(|wrong| wrong.to_string()).transpose()?;
            Some(Written { recipient, shown })
        };
        letters.into_iter().map(|letter| write(letter?)).collect()
    };
    // A receipt is typeset.
    let written = tokio::task::spawn_blocking(write).await;
    Ok(written.unwrap_or_default())
}
