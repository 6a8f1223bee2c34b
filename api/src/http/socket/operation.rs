//! One operation over a socket: a query or mutation with its answer, or a subscription with its events.
//!
//! Invariant: its id is free before the client can know that it has ended.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, Request, Response, ServerError};
use axum::extract::ws::Message;
use axum::http::HeaderMap;
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::connection::{Active, say};
use super::protocol::{self, Close};
use super::{Authenticate, Code, Endpoint, Failure, Peer, RequestId};
use crate::http::answer;
use crate::http::errors::{fault, has_code};

/// An operation that a client has asked for.
pub struct Operation<E, A> {
    /// Where it is carried out.
    pub endpoint: Arc<Endpoint<E, A>>,
    /// What the client is known by.
    pub headers: HeaderMap,
    /// Where it is.
    pub peer: Peer,
    /// By which faults are found in the log.
    pub request_id: RequestId,
    /// What the client calls the operation.
    pub id: String,
    /// The operations of the same socket.
    pub active: Active,
    /// What is sent to the client.
    pub out: mpsc::Sender<Message>,
}

/// Why an operation ends before it has its answer.
enum Refused {
    /// The client is told.
    Error(Box<ServerError>),
    /// The socket is closed.
    Close(Close),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        match failure.code() {
            Code::Unauthenticated => Self::Close(Close::FORBIDDEN),
            _ => Self::Error(Box::new(failure.into_error())),
        }
    }
}

impl From<ServerError> for Refused {
    fn from(error: ServerError) -> Self {
        Self::Error(Box::new(error))
    }
}

impl From<Close> for Refused {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

impl<E: Executor, A: Authenticate> Operation<E, A> {
    /// Carries it out.
    ///
    /// # Errors
    /// How the socket is to be closed, if this operation is a reason to.
    pub async fn run(self, request: Request) -> Result<(), Close> {
        let carried_out = AssertUnwindSafe(self.carry_out(request)).catch_unwind().await;
        let last = match carried_out {
            Ok(Ok(())) => protocol::complete(&self.id),
            Ok(Err(Refused::Close(close))) => return Err(close),
            Ok(Err(Refused::Error(error))) => protocol::error(&self.id, &[*error]),
            Err(_) => protocol::error(&self.id, &[fault(&self.request_id)]),
        };
        if self.active.remove(&self.id).is_some() {
            say(&self.out, last).await?;
        }
        Ok(())
    }

    async fn carry_out(&self, mut request: Request) -> Result<(), Refused> {
        let endpoint = &self.endpoint;
        let place = endpoint.admission.enter()?;
        let (operation, fresh) = endpoint.read(&mut request).await?;
        let (headers, peer) = (&self.headers, self.peer);
        let (request, _) = endpoint.know(request, fresh, headers, peer, &self.request_id).await?;
        match operation {
            OperationType::Query | OperationType::Mutation => {
                let running = endpoint.run(operation, request, place);
                let response = timeout(endpoint.timeout, running).await;
                let response = response.map_err(|_| Failure::timeout())?;
                let response = response.map_err(|_| Failure::internal(&self.request_id))?;
                self.pass_on(response).await
            }
            OperationType::Subscription => {
                drop(place);
                self.follow(request).await
            }
        }
    }

    async fn follow(&self, request: Request) -> Result<(), Refused> {
        metrics::gauge!("rapport_subscriptions").increment(1);
        let counted = Counted;
        let mut events = self.endpoint.executor.execute_stream(request, None);
        while let Some(event) = events.next().await {
            if event.errors.iter().any(|error| has_code(error, Code::Unauthenticated)) {
                return Err(Close::FORBIDDEN.into());
            }
            self.pass_on(event).await?;
        }
        drop(counted);
        Ok(())
    }

    async fn pass_on(&self, mut response: Response) -> Result<(), Refused> {
        if !answer::has_begun(&response) {
            let first = response.errors.drain(..).next();
            return Err(first.unwrap_or_else(|| fault(&self.request_id)).into());
        }
        let text = protocol::next(&self.id, &response).map_err(|cause| {
            tracing::error!(request_id = %self.request_id, %cause, "an answer cannot be written as JSON");
            Failure::internal(&self.request_id)
        })?;
        Ok(say(&self.out, text).await?)
    }
}

/// A subscription in the figures until this is dropped, whatever ends it.
struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("rapport_subscriptions").decrement(1);
    }
}
