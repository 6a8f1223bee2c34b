//! From a trigger to the first thing that is done for it: customers are added through the API, 200 in a second, and a
//! workflow has a task for each of them.
//!
//! Invariant: what counts is when a request was due to be sent, whether or not the one before it was answered, and when
//! the task can be read.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use entity::automation::event;
use entity::automation::workflow::definition::{Action, Step, Trigger};
use entity::collaboration::task;
use entity::id::{CustomerId, Id, TaskId};
use futures::FutureExt;
use futures::future::try_join_all;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Target};
use crate::figure::{Failure, Figure, Reading, Scale};
use crate::house::{CONNECTIONS, House, On, Rapport};
use crate::workflows::published;

/// The figure.
pub const FIGURE: Figure = Figure {
    name: "from a trigger to its first action, 99 of 100",
    unit: "ms",
    limit: "250 ms at 200 triggers/s, the most that is promised (less is better)",
    measure: |house, scale| run(house, scale).boxed_local(),
};

const LIMIT_MS: f64 = 250.0;

/// Between one trigger and the next.
const PACE: Duration = Duration::from_millis(5);

/// Between one look for tasks and the next.
const LOOK: Duration = Duration::from_millis(5);

/// After which a request is sent again that the server was too busy for.
const BUSY: Duration = Duration::from_millis(20);

const CREATE: &str = "mutation ($input: CreateCustomerInput!) {
  createCustomer(input: $input) { customer { id } userErrors { message } } }";

async fn run(house: &House, scale: Scale) -> Result<Reading, Failure> {
    let rapport = house.rapport(On::Production).await?;
    let with = json!({ "title": "Call", "priority": "NORMAL" });
    let action = Action::Do { what: "createTask".to_owned(), with };
    let steps = vec![Step { key: "call".to_owned(), action, then: None }];
    let kinds = vec![event::Kind::CustomerCreated];
    published(&rapport, Trigger::Event { kinds, own: false }, steps).await?;
    let server = rapport.serve().await?;
    let stop = CancellationToken::new();
    let running = tokio::spawn(rapport.workers()?.run(stop.clone()));
    // Until everybody has a connection and a statement that is prepared.
    sleep(Duration::from_secs(1)).await;

    let count = usize::try_from(scale.patience.as_millis() / PACE.as_millis())?;
    let began = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let target = Target::graphql(&server);
    let clients = try_join_all((0..CONNECTIONS).map(|_| Client::connect(&target))).await?;
    let triggers =
        clients.into_iter().map(|client| trigger(client, Arc::clone(&next), count, began));
    let (triggers, seen) = tokio::try_join!(try_join_all(triggers), tasks(&rapport, count, scale))?;
    stop.cancel();
    running.await??;
    drop(server);
    rapport.end().await?;

    let due: HashMap<_, _> = triggers.into_iter().flatten().collect();
    let mut took = seen
        .iter()
        .filter_map(|(customer, at)| Some(at.duration_since(*due.get(customer)?).as_secs_f64()))
        .map(|seconds| seconds * 1000.0)
        .collect::<Vec<_>>();
    took.sort_by(f64::total_cmp);
    let of_100 = |share: usize| took.get(took.len().saturating_sub(1) * share / 100).copied();
    let (Some(half), Some(most)) = (of_100(50), of_100(99)) else {
        return Err("no task was added".into());
    };
    let note = format!("{} of {count} done, half of them in {half:.0} ms", took.len());
    Ok(Reading::Taken { measured: most, limit: LIMIT_MS, note: Some(note) })
}

/// Adds every customer whose turn comes, and gives who they are and when that was.
async fn trigger(
    mut client: Client,
    next: Arc<AtomicUsize>,
    count: usize,
    began: Instant,
) -> Result<Vec<(CustomerId, Instant)>, Failure> {
    let mut added = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(added);
        }
        let due = began + PACE * u32::try_from(number)?;
        sleep_until(due).await;
        let input = json!({ "kind": "PERSON", "displayName": format!("Nguyễn Văn {number}") });
        let reply = loop {
            match client.ask(CREATE, &json!({ "input": input })).await {
                // As a frontend does that is told so; it counts from when it was due.
                Err(busy) if busy.to_string().contains("OVERLOADED") => sleep(BUSY).await,
                reply => break reply?,
            }
        };
        let id = reply["createCustomer"]["customer"]["id"].as_str().ok_or("no customer")?;
        added.push((CustomerId::parse(id).ok_or("no id of a customer")?, due));
    }
}

/// The customers who have tasks, and when that was seen first.
async fn tasks(
    rapport: &Rapport,
    count: usize,
    scale: Scale,
) -> Result<Vec<(CustomerId, Instant)>, Failure> {
    let (mut seen, mut last) = (Vec::new(), None::<TaskId>);
    let end = Instant::now() + scale.patience * 2;
    while seen.len() < count && Instant::now() < end {
        sleep(LOOK).await;
        let mut tasks = task::Entity::find().select_only();
        tasks = tasks.column(task::Column::Id).column(task::Column::CustomerId);
        if let Some(last) = last {
            tasks = tasks.filter(task::Column::Id.gt(last));
        }
        let rows =
            tasks.order_by_asc(task::Column::Id).into_tuple::<(TaskId, Option<CustomerId>)>();
        let now = Instant::now();
        for (id, customer) in rows.all(rapport.db.reader()).await? {
            last = Some(id);
            seen.extend(customer.map(|customer| (customer, now)));
        }
    }
    Ok(seen)
}
