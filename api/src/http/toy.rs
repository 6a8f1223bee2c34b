//! A schema without Rapport behind it, for the tests of the HTTP surface.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_graphql::{Context, Error, ErrorExtensions, Object, Schema, SimpleObject, Subscription};
use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use chrono::DateTime;
use entity::clock::Clock;
use futures::{Stream, StreamExt, stream};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::sync::Semaphore;
use tower::ServiceExt;
use uuid::Uuid;

use super::admission::Admission;
use super::budget::{Allowance, Budget};
use super::documents::{Documents, Shelf};
use super::extension::Surface;
use super::failure::Failure;
use super::graphql::{Authenticate, Endpoint};
use super::guard::{Library, Limits};
use super::request::{Observer, Peer, RequestId};
use super::server::Stop;
use super::socket::{self, Origins, Rules};

/// The tests' hands on what the schema does.
#[derive(Clone, Debug)]
pub struct Hands {
    pub begun: Arc<AtomicUsize>,
    pub finished: Arc<AtomicUsize>,
    /// A slow field waits here until a test lets it go on.
    pub gate: Arc<Semaphore>,
    /// Makes every token bad.
    pub revoked: Arc<AtomicBool>,
}

pub struct Viewer(pub Option<String>);

pub struct Query;

#[derive(Clone, SimpleObject)]
struct Customer {
    name: &'static str,
}

#[Object]
#[expect(clippy::unused_async, reason = "async-graphql wants resolvers to be async")]
impl Query {
    /// A word.
    async fn hello(&self, name: Option<String>) -> String {
        format!("hello {}", name.unwrap_or_default())
    }
    /// Customers, charged by their number.
    #[graphql(complexity = "first.saturating_mul(child_complexity + 1)")]
    async fn customers(&self, first: usize) -> Vec<Customer> {
        vec![Customer { name: "Lan" }; first.min(3)]
    }
    async fn squared(&self, #[graphql(validator(minimum = 0))] number: i32) -> i32 {
        number * number
    }
    async fn whoami(&self, ctx: &Context<'_>) -> String {
        let viewer = ctx.data_unchecked::<Viewer>();
        let peer = ctx.data_unchecked::<Peer>();
        let name = viewer.0.clone().unwrap_or_else(|| "nobody".into());
        format!("{name} from {} in {}", peer.0, ctx.data_unchecked::<RequestId>())
    }
    async fn fault(&self) -> Result<i32, Error> {
        let source = std::io::Error::other("SELECT secret FROM user at /srv/rapport/db");
        Err(source.into())
    }
    async fn panic(&self, number: Option<i32>) -> i32 {
        number.expect("the secret of a panic")
    }
    async fn forbidden(&self) -> Result<i32, Error> {
        Err(Error::new("not yours").extend_with(|_, values| values.set("code", "FORBIDDEN")))
    }
    async fn slow(&self, ctx: &Context<'_>) -> bool {
        wait(ctx).await
    }
}

pub struct Mutation;

#[Object]
impl Mutation {
    async fn change(&self, ctx: &Context<'_>) -> bool {
        wait(ctx).await
    }
}

async fn wait(ctx: &Context<'_>) -> bool {
    let hands = ctx.data_unchecked::<Hands>();
    hands.begun.fetch_add(1, Ordering::SeqCst);
    let _ = hands.gate.acquire().await;
    hands.finished.fetch_add(1, Ordering::SeqCst);
    true
}

pub struct Ticks;

#[Subscription]
impl Ticks {
    async fn fault(&self) -> impl Stream<Item = Result<i32, Error>> {
        stream::iter([Err(std::io::Error::other("the secret of a stream").into())])
    }
    /// Counts up.
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        stream::iter(1..=to)
    }
    /// As many long words as somebody reads; counts what was made.
    async fn flood(&self, ctx: &Context<'_>) -> impl Stream<Item = String> + use<> {
        let begun = Arc::clone(&ctx.data_unchecked::<Hands>().begun);
        stream::repeat_with(move || {
            begun.fetch_add(1, Ordering::SeqCst);
            "x".repeat(64 << 10)
        })
    }
    /// Nothing, until it is given up.
    async fn silence(&self, ctx: &Context<'_>) -> impl Stream<Item = i32> + use<> {
        let ended = Ended(ctx.data_unchecked::<Hands>().clone());
        ended.0.begun.fetch_add(1, Ordering::SeqCst);
        stream::pending().inspect(move |_: &i32| drop(ended.0.clone()))
    }
    async fn panic(&self, number: Option<i32>) -> impl Stream<Item = i32> {
        stream::once(async move { number.expect("the secret of a panic") })
    }
}

/// Counts what has ended.
struct Ended(Hands);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.finished.fetch_add(1, Ordering::SeqCst);
    }
}

pub struct Access(Arc<AtomicBool>);

impl Authenticate for Access {
    type Viewer = Viewer;

    async fn authenticate(&self, headers: &HeaderMap, _: Peer) -> Result<Viewer, Failure> {
        let Some(value) = headers.get(AUTHORIZATION) else {
            return Ok(Viewer(None));
        };
        match value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")) {
            Some("lan") if !self.0.load(Ordering::SeqCst) => Ok(Viewer(Some("lan".into()))),
            _ => Err(Failure::unauthenticated("Sign in again.")),
        }
    }

    fn account(viewer: &Viewer) -> Option<Uuid> {
        viewer.0.is_some().then_some(Uuid::from_u128(1))
    }
}

pub struct Toy {
    pub router: Router,
    pub hands: Hands,
    pub admission: Admission,
    pub stop: Stop,
}

pub fn schema(limits: Limits) -> (Schema<Query, Mutation, Ticks>, Hands) {
    let hands = Hands {
        begun: Arc::default(),
        finished: Arc::default(),
        gate: Arc::new(Semaphore::new(0)),
        revoked: Arc::default(),
    };
    let schema = Schema::build(Query, Mutation, Ticks)
        .data(hands.clone())
        .extension(Surface::new(limits))
        .finish();
    (schema, hands)
}

pub fn toy() -> Toy {
    toy_with(Admission::new(8), Duration::from_secs(30))
}

pub fn toy_with(admission: Admission, timeout: Duration) -> Toy {
    toy_of(admission, timeout, Rules::default())
}

pub fn toy_of(admission: Admission, timeout: Duration, rules: Rules) -> Toy {
    let limits = Limits::default();
    let (executor, hands) = schema(limits);
    let access = Access(Arc::clone(&hands.revoked));
    let clock = Clock::manual(DateTime::UNIX_EPOCH);
    let allowance = Allowance { account: Some(100_000), address: Some(50_000) };
    let budget = Budget::new(allowance, clock.clone(), None);
    let documents = Documents::automatic(Shelf::new(None, clock));
    let endpoint = Endpoint {
        executor,
        access,
        documents,
        budget,
        library: Library::default(),
        limits,
        admission: admission.clone(),
        timeout,
    };
    let endpoint = Arc::new(endpoint);
    let stop = Stop { running: admission.running().clone(), ..Stop::default() };
    let origins = Origins::new(["https://crm.example.com"]);
    let sockets = socket::router(Arc::clone(&endpoint), origins, rules, stop.clone());
    let cors = super::headers::cors(["https://crm.example.com"]).unwrap();
    let observer = Observer { clock: Clock::manual(DateTime::UNIX_EPOCH), proxies: 0 };
    let router = super::finish(endpoint.router().merge(sockets), observer, cors);
    Toy { router, hands, admission, stop }
}

impl Toy {
    pub async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Posts JSON; the status and the parsed answer.
    pub async fn post(&self, accept: &str, body: &str) -> (StatusCode, Value) {
        let request = Request::post("/graphql")
            .header(CONTENT_TYPE, "application/json")
            .header("accept", accept)
            .body(Body::from(body.to_owned()));
        read(self.send(request.unwrap()).await).await
    }

    /// Posts one document.
    pub async fn query(&self, query: &str) -> (StatusCode, Value) {
        let body = serde_json::json!({ "query": query }).to_string();
        self.post("application/graphql-response+json", &body).await
    }
}

pub async fn read(response: Response<Body>) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// The code of the first error.
pub fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

pub async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
