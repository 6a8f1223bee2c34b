//! `/graphql`: the GraphQL over HTTP specification (<https://graphql.github.io/graphql-over-http/draft/>).
//!
//! Invariant: a change that was begun is finished. A mutation runs in a task of its own, which ends neither
//! when the client leaves nor at the time limit; a query ends with its request.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::ServerError;
use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, Request as GraphqlRequest, Response as GraphqlResponse};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures::FutureExt;
use tracing::Instrument;
use uuid::Uuid;

use super::admission::{Admission, TRY_AGAIN_AFTER};
use super::answer;
use super::budget::{Budget, Meter};
use super::documents::{Documents, Fresh};
use super::errors::{Code, error, has_code};
use super::failure::Failure;
use super::guard::{Admitted, Library, Limits, admit, admitted};
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

/// An operation has panicked.
#[derive(Debug)]
pub(super) struct Panicked;

/// The GraphQL endpoint of a schema.
pub struct Endpoint<E, A> {
    /// The schema, built with [`Surface`](super::extension::Surface) of the same limits.
    pub executor: E,
    /// Who may ask.
    pub access: A,
    /// Which documents run, and how they are known by their hashes.
    pub documents: Documents,
    /// What each account may ask for in a minute.
    pub budget: Budget,
    /// The documents that were read before.
    pub library: Library,
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
        let (operation, fresh) = match self.read(&mut request).await {
            Ok(read) => read,
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
        let (request, meter) = self.know(request, fresh, &parts.headers, peer, id).await?;
        let response = self.run(operation, request, place).await;
        let response = response.map_err(|_| Failure::internal(id))?;
        let wait = response.errors.iter().any(is_rate_limited).then(|| meter.wait());
        Ok(GraphqlAnswer { response, wait })
    }

    /// What the request's document does, and the document if it is to be kept.
    pub(super) async fn read(
        &self,
        request: &mut GraphqlRequest,
    ) -> Result<(OperationType, Option<Fresh>), ServerError> {
        let fresh = self.documents.find(request).await?;
        Ok((admit(request, &self.limits, &self.library)?.operation, fresh))
    }

    /// The request with who asks, and what else its resolvers find in it.
    pub(super) async fn know(
        &self,
        request: GraphqlRequest,
        fresh: Option<Fresh>,
        headers: &HeaderMap,
        peer: Peer,
        id: &RequestId,
    ) -> Result<(GraphqlRequest, Arc<Meter>), Failure> {
        let viewer = self.access.authenticate(headers, peer).await?;
        // What nobody in particular sends does not push out what others use.
        let account = A::account(&viewer);
        let meter = Arc::new(self.budget.meter(account, peer));
        if account.is_some() {
            if let Some(Admitted { document, .. }) = admitted(&request) {
                self.library.keep(&request.query, document);
            }
            if let Some(fresh) = fresh {
                self.documents.keep(fresh).await;
            }
        }
        let request = request.data(viewer).data(id.clone()).data(peer).data(Arc::clone(&meter));
        Ok((request, meter))
    }

    /// Executes, and keeps its `place` until that has ended.
    pub(super) async fn run(
        &self,
        operation: OperationType,
        request: GraphqlRequest,
        place: impl Send + 'static,
    ) -> Result<GraphqlResponse, Panicked> {
        let executor = self.executor.clone();
        let work = async move {
            let response = executor.execute(request).await;
            drop(place);
            response
        };
        let work = AssertUnwindSafe(work).catch_unwind();
        let work = self.admission.running().track_future(work);
        let response = match operation {
            OperationType::Mutation => {
                tokio::spawn(work.in_current_span()).await.map_err(|_| Panicked)?
            }
            OperationType::Query | OperationType::Subscription => work.await,
        };
        response.map_err(|_| Panicked)
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

struct GraphqlAnswer {
    response: GraphqlResponse,
    /// After what to ask again, if the budget is spent.
    wait: Option<Duration>,
}

impl GraphqlAnswer {
    fn refused(error: ServerError) -> Self {
        Self { response: GraphqlResponse::from_errors(vec![error]), wait: None }
    }

    fn into_response(self, media: Media, id: &RequestId) -> Result<Response, Failure> {
        let Self { response, wait } = self;
        let begun = answer::has_begun(&response);
        let is_overloaded = response.errors.iter().any(|error| has_code(error, Code::Overloaded));
        let body = answer::write(&response, begun).map_err(|cause| {
            tracing::error!(request_id = %id, %cause, "an answer cannot be written as JSON");
            Failure::internal(id)
        })?;
        let status = match wait {
            _ if begun => StatusCode::OK,
            Some(_) => StatusCode::TOO_MANY_REQUESTS,
            None => media.status_of_refusal(),
        };
        let mut http = (status, body).into_response();
        http.headers_mut().extend(response.http_headers);
        if let Some(wait) = wait.or_else(|| is_overloaded.then_some(TRY_AGAIN_AFTER)) {
            http.headers_mut().insert(RETRY_AFTER, wait.as_secs().max(1).into());
        }
        http.headers_mut().insert(CONTENT_TYPE, media.content_type());
        http.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // For whatever stores answers all the same: they differ by who asks.
        http.headers_mut().insert(VARY, HeaderValue::from_static("accept, authorization, origin"));
        Ok(http)
    }
}

fn is_rate_limited(error: &ServerError) -> bool {
    has_code(error, Code::RateLimited)
}

#[cfg(test)]
mod tests;
