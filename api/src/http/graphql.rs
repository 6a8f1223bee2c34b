//! `/graphql`: the GraphQL over HTTP specification (<https://graphql.github.io/graphql-over-http/draft/>).
//!
//! Invariant: a change that was begun is finished. Every operation runs in a task of its own; a client that
//! leaves or a time limit ends a query's task, never a mutation's.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::ServerError;
use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, Request as GraphqlRequest, Response as GraphqlResponse};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;
use uuid::Uuid;

use super::admission::Admission;
use super::answer;
use super::errors::{Code, error};
use super::failure::Failure;
use super::guard::{Limits, admit};
use super::negotiate::{Media, require_json};
use super::params;
use super::request::{Peer, RequestId};

/// Finds out who is asking.
pub trait Authenticate: Send + Sync + 'static {
    /// What resolvers find in the request's data by its type.
    type Viewer: Send + Sync + 'static;

    /// The viewer by the request's headers: `Authorization: Bearer …`, or nobody.
    ///
    /// # Errors
    /// A [`Failure`]: `unauthenticated` for a token that is not valid (any more), `rate_limited`, `overloaded`.
    fn authenticate(
        &self,
        headers: &HeaderMap,
        peer: Peer,
    ) -> impl Future<Output = Result<Self::Viewer, Failure>> + Send;

    /// Whose requests and sockets the viewer's are counted among; `None` for nobody.
    fn account(viewer: &Self::Viewer) -> Option<Uuid>;
}

/// The GraphQL endpoint of a schema.
#[derive(Debug)]
pub struct Endpoint<E, A> {
    /// The schema, built with [`Surface`](super::extension::Surface) of the same limits.
    pub executor: E,
    /// Who may ask.
    pub access: A,
    /// What one request may cost.
    pub limits: Limits,
    /// What all requests together may cost.
    pub admission: Admission,
    /// How long an answer may take, from the first byte of the body.
    pub timeout: Duration,
}

impl<E: Executor, A: Authenticate> Endpoint<E, A> {
    /// The route `/graphql`.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().route("/graphql", any(handle::<E, A>)).with_state(Arc::clone(self))
    }

    async fn answer(&self, http: Request, id: &RequestId) -> Result<GraphqlAnswer, Failure> {
        let (parts, body) = http.into_parts();
        let is_get = parts.method == Method::GET;
        let mut request = if is_get {
            params::from_uri(&parts.uri)?
        } else if parts.method == Method::POST {
            require_json(&parts.headers)?;
            let body = params::read(&parts.headers, body, self.limits.body_bytes).await?;
            params::from_json(&body)?
        } else {
            return Err(Failure::method("GET, POST", "Use POST, or GET for queries."));
        };

        let place = self.admission.enter()?;
        let operation = match admit(&mut request, &self.limits) {
            Ok(admitted) => admitted.operation,
            Err(refused) => return Ok(GraphqlAnswer::refused(refused)),
        };
        match operation {
            OperationType::Mutation if is_get => {
                return Err(Failure::method("POST", "Send mutations by POST."));
            }
            OperationType::Subscription => {
                let message = "Subscribe through the WebSocket at /graphql/ws.";
                return Ok(GraphqlAnswer::refused(error(Code::BadRequest, message)));
            }
            OperationType::Query | OperationType::Mutation => {}
        }

        let peer = parts.extensions.get::<Peer>().copied();
        let peer = peer.unwrap_or(Peer([0, 0, 0, 0].into()));
        let viewer = self.access.authenticate(&parts.headers, peer).await?;
        let request = request.data(viewer).data(id.clone()).data(peer);
        let response = self.run(operation, request, place).await;
        response.map(GraphqlAnswer).map_err(|_| Failure::internal(id))
    }

    /// Executes in a task of its own, which keeps its `place` until it has ended.
    pub(super) async fn run(
        &self,
        operation: OperationType,
        request: GraphqlRequest,
        place: impl Send + 'static,
    ) -> Result<GraphqlResponse, tokio::task::JoinError> {
        let executor = self.executor.clone();
        let work = async move {
            let response = executor.execute(request).await;
            drop(place);
            response
        };
        let task = self.admission.running().spawn(work.in_current_span());
        if operation == OperationType::Mutation {
            task.await
        } else {
            AbortOnDropHandle::new(task).await
        }
    }
}

async fn handle<E: Executor, A: Authenticate>(
    State(endpoint): State<Arc<Endpoint<E, A>>>,
    request: Request,
) -> Response {
    let media = match Media::accepted(request.headers()) {
        Ok(media) => media,
        Err(refused) => return refused.into_response(),
    };
    let id = request.extensions().get::<RequestId>().cloned().unwrap_or_else(RequestId::unknown);
    let answer = tokio::time::timeout(endpoint.timeout, endpoint.answer(request, &id)).await;
    let answer = answer.unwrap_or_else(|_| Err(Failure::timeout()));
    match answer.and_then(|answer| answer.into_response(media, &id)) {
        Ok(response) => response,
        Err(refused) => refused.in_media(media).into_response(),
    }
}

struct GraphqlAnswer(GraphqlResponse);

impl GraphqlAnswer {
    fn refused(error: ServerError) -> Self {
        Self(GraphqlResponse::from_errors(vec![error]))
    }

    fn into_response(self, media: Media, id: &RequestId) -> Result<Response, Failure> {
        let begun = answer::has_begun(&self.0);
        let Self(response) = self;
        let body = answer::write(&response, begun).map_err(|cause| {
            tracing::error!(request_id = %id, %cause, "an answer cannot be written as JSON");
            Failure::internal(id)
        })?;
        let status = if begun { StatusCode::OK } else { media.status_of_refusal() };
        let mut http = (status, body).into_response();
        http.headers_mut().extend(response.http_headers);
        http.headers_mut().insert(CONTENT_TYPE, media.content_type());
        http.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(http)
    }
}

#[cfg(test)]
mod tests;
