//! The addresses by which other systems start workflows.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, ID, Object, SimpleObject};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use chrono::TimeDelta;
use entity::access::audit::Origin;
use entity::access::{Actor, Permission};
use entity::automation::workflow::hook;
use entity::id::{Id, WorkflowId};
use futures::FutureExt;
use serde_json::{Value, json};
use worker::webhook::signature::is_signed;

use crate::automation::webhook::secret;
use crate::context::{CanAll, Once, Shared, write};
use crate::error::{Fault, UserError, refused};
use crate::http::errors::Code;
use crate::http::failure::Failure;
use crate::http::request::RequestId;
use crate::id::parse;

/// How large a request's body may be, in bytes.
const LARGEST: usize = 256 * 1024;

/// How far the sender's clock may be from ours; what is older may have been recorded by somebody.
const APART: TimeDelta = TimeDelta::minutes(5);

/// After which it is worth asking again whether a workflow goes on.
const STANDS_STILL: Duration = Duration::from_mins(5);

/// How a workflow is started by another system.
#[derive(SimpleObject)]
pub struct CreateWorkflowHookPayload {
    /// The path that requests are posted to, to put after the address of this server; null when it was refused.
    path: Option<String>,
    /// What they are signed with, told this once; null when it was refused.
    secret: Option<String>,
    /// Why there is none; empty on success.
    user_errors: Vec<UserError>,
}

/// What came of closing the way by which another system starts a workflow.
#[derive(SimpleObject)]
pub struct RevokeWorkflowHookPayload {
    /// Whether no request starts it any more.
    revoked: bool,
    /// Why it does not; empty on success.
    user_errors: Vec<UserError>,
}

/// The addresses by which other systems start workflows.
#[derive(Default)]
pub struct WorkflowHookMutation;

/// The addresses by which other systems start workflows.
#[Object]
impl WorkflowHookMutation {
    /// Lets another system start a workflow whose trigger is `webhook`, by requests that are signed as Standard Webhooks says
    /// (<https://www.standardwebhooks.com>): a JSON body of up to 256 kB, posted with `webhook-id`, `webhook-timestamp` and
    /// `webhook-signature`. The answer is 202 with how many runs `started`; a request that comes again starts none. A
    /// secret before is good for nothing any more.
    #[graphql(guard = "CanAll(Permission::RunWorkflows)")]
    async fn create_workflow_hook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The workflow's id.")] id: ID,
    ) -> Result<CreateWorkflowHookPayload, Fault> {
        let refuse =
            |user_errors| Ok(CreateWorkflowHookPayload { path: None, secret: None, user_errors });
        let once = Once::new(None, "createWorkflowHook", &id);
        let id = match parse::<WorkflowId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return refuse(errors),
        };
        let made = secret();
        let signed = made.clone();
        let outcome = write(ctx, once, move |txn, actor, now| {
            let secret = signed.clone();
            async move {
                hook::open(txn, id, secret, actor, now).await?;
                Ok(id.into())
            }
            .boxed()
        });
        match outcome.await? {
            Ok(_) => Ok(CreateWorkflowHookPayload {
                path: Some(format!("/hooks/{}", id.global())),
                secret: Some(made),
                user_errors: Vec::new(),
            }),
            Err(errors) => refuse(errors),
        }
    }

    /// Lets no request of another system start a workflow any more. Doing so again changes nothing.
    #[graphql(guard = "CanAll(Permission::RunWorkflows)")]
    async fn revoke_workflow_hook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The workflow's id.")] id: ID,
    ) -> Result<RevokeWorkflowHookPayload, Fault> {
        let once = Once::new(None, "revokeWorkflowHook", &id);
        let user_errors = match parse::<WorkflowId>(&id, &["id"]) {
            Err(errors) => errors,
            Ok(id) => {
                let outcome = write(ctx, once, move |txn, _, _| {
                    async move {
                        hook::close(txn, id).await?;
                        Ok(id.into())
                    }
                    .boxed()
                });
                outcome.await?.err().unwrap_or_default()
            }
        };
        Ok(RevokeWorkflowHookPayload { revoked: user_errors.is_empty(), user_errors })
    }
}

/// The route under which other systems start workflows.
pub fn router(shared: Shared) -> Router {
    Router::new()
        .route("/hooks/{workflow}", post(start))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(shared)
}

async fn start(
    State(shared): State<Shared>,
    Path(workflow): Path<String>,
    Extension(request): Extension<RequestId>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let now = shared.clock.now();
    let fault = |error: &(dyn std::error::Error + 'static)| {
        tracing::error!(%error, request_id = request.as_str(), "a workflow could not be started");
        Failure::unavailable("Try again in a while.", Duration::from_secs(5))
    };
    let id = WorkflowId::parse(&workflow).ok_or_else(unsigned)?;
    let secret = hook::secret(shared.db.reader(), id).await.map_err(|error| fault(&error))?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(secret), Some(name), Some(sent), Some(signature)) = (
        secret,
        header("webhook-id").filter(|name| (1..=255).contains(&name.len())),
        header("webhook-timestamp").and_then(|sent| sent.parse::<i64>().ok()),
        header("webhook-signature"),
    ) else {
        return Err(unsigned());
    };
    let is_recent = (now.timestamp() - sent).abs() <= APART.num_seconds();
    if !is_recent || !is_signed(&secret, name, sent, &body, signature) {
        return Err(unsigned());
    }
    let body: Value = serde_json::from_slice(&body)
        .map_err(|error| Failure::bad_request(format!("The body is no JSON: {error}.")))?;
    let (name, body) = (Arc::<str>::from(name), Arc::new(body));
    let origin = Origin::new(Actor::System, now);
    let begun = shared.db.write_as(&origin, move |txn| {
        let (name, body) = (Arc::clone(&name), Arc::clone(&body));
        async move { hook::begin(txn, id, (&name, &body), now).await }.boxed()
    });
    match begun.await {
        Ok(started) => {
            shared.signal.raise();
            Ok((StatusCode::ACCEPTED, Json(json!({ "started": started }))).into_response())
        }
        Err(entity::Error::Automation(stands_still)) => {
            Err(Failure::unavailable(stands_still.to_string(), STANDS_STILL))
        }
        Err(error) => Err(match refused(error) {
            Ok(errors) => {
                let messages = errors.into_iter().map(|error| error.message).collect::<Vec<_>>();
                Failure::bad_request(messages.join("; "))
            }
            Err(_) => Failure::unavailable("Try again in a while.", Duration::from_secs(5)),
        }),
    }
}

/// The same for all that is not from who may: nobody learns which workflows there are.
fn unsigned() -> Failure {
    let message = "Sign the request as Standard Webhooks says, with the secret of this workflow and a clock that is right.";
    Failure::new(StatusCode::UNAUTHORIZED, Code::Unauthenticated, message)
}
