//! Adding tasks in runs of workflows.

use chrono::TimeDelta;
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::ActiveValue::Set;
use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::{ActiveModel, Entity, Priority};
use crate::access::Actor;
use crate::automation::workflow::definition::LONGEST;
use crate::automation::workflow::interpreter::Done;
use crate::automation::workflow::performer::{Effect, Performer, Planned, Turn};
use crate::catalog::Record;
use crate::check::Check;
use crate::collaboration::later::{GONE, NO_SUCH_USER};
use crate::collaboration::parse_lines;
use crate::customers::{customer, parse_required, parse_text};
use crate::edit;
use crate::error::Error;
use crate::id::{CustomerId, Id, UserId};

/// A task that a workflow adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToCreate {
    /// What is to be done.
    pub title: String,
    /// What there is to say about it.
    pub description: Option<String>,
    /// The customer that it is done for.
    pub customer: Option<CustomerId>,
    /// Who has to do it.
    pub assignee: Option<UserId>,
    /// How much it matters.
    pub priority: Priority,
    /// By when it has to be done.
    pub due_at: Option<DateTimeUtc>,
    /// The reference of the project that it is part of.
    pub project: Option<String>,
    /// How many minutes it is thought to take.
    pub estimate_min: Option<i32>,
    /// The prefix of the id of the run's record.
    pub kind: &'static str,
    /// That record.
    pub subject: Uuid,
    /// Who adds it.
    pub actor: Actor,
}

/// Adds a task for the customer whom a run concerns.
pub struct CreateTask;

/// With what it is done.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct With {
    title: String,
    description: Option<String>,
    /// Who has to do it; who looks after the customer when absent.
    assignee: Option<String>,
    priority: Priority,
    /// After how many seconds it is due.
    due_in_s: Option<i64>,
    project: Option<String>,
    estimate_min: Option<i32>,
}

impl Performer for CreateTask {
    fn name(&self) -> &'static str {
        "createTask"
    }

    fn check(&self, _: &Record, with: &Value, check: &mut Check) {
        match With::deserialize(with) {
            Err(error) => check.note(Error::invalid("with", error.to_string())),
            Ok(with) => {
                check.put(parse_required("title", &with.title, 200), &mut String::new());
                check.put(parse_lines("description", with.description, 5_000), &mut None);
                let named =
                    with.assignee.as_deref().is_none_or(|user| UserId::parse(user).is_some());
                check.that(named, "assigneeId", "there is no such user");
                check_due(with.due_in_s, check);
                check.put(parse_text("project", with.project, 100), &mut None);
                let some = with.estimate_min.is_none_or(|minutes| minutes >= 0);
                check.that(some, "estimateMin", "minutes are not negative");
            }
        }
    }

    fn plan<'a>(
        &'a self,
        db: &'a DatabaseTransaction,
        record: &'static Record,
        with: &'a Value,
        turns: &'a [Turn<'a>],
    ) -> BoxFuture<'a, Result<Vec<Planned>, Error>> {
        async move {
            let refuse = |why: &str| Ok(turns.iter().map(|_| Planned::failed(why)).collect());
            let Ok(with) = With::deserialize(with) else { return refuse("it cannot be read") };
            let named = with.assignee.as_deref().and_then(UserId::parse);
            if edit::active(db, named).await? != named {
                return refuse(NO_SUCH_USER);
            }
            let customers = turns.iter().filter_map(|turn| turn.run.customer_id);
            let owners = customer::owners(db, customers).await?;
            let planned = turns.iter().map(|turn| {
                let owner = turn.run.customer_id.map(|customer| owners.get(&customer));
                if owner == Some(None) {
                    return Planned::skipped(GONE);
                }
                let task = ToCreate {
                    title: with.title.clone(),
                    description: with.description.clone(),
                    customer: turn.run.customer_id,
                    assignee: named.or(owner.flatten().copied().flatten()),
                    priority: with.priority,
                    due_at: with.due_in_s.map(|seconds| turn.now + TimeDelta::seconds(seconds)),
                    project: with.project.clone(),
                    estimate_min: with.estimate_min,
                    kind: record.prefix,
                    subject: turn.run.record_id,
                    actor: turn.actor(),
                };
                Planned { done: Done::Yes, effects: vec![Effect::CreateTask(task)] }
            });
            Ok(planned.collect())
        }
        .boxed()
    }
}

/// Notes a time that is too far away.
pub(super) fn check_due(seconds: Option<i64>, check: &mut Check) {
    let near = |seconds: i64| (0..=LONGEST.num_seconds()).contains(&seconds);
    let message = format!("0 to {} days", LONGEST.num_days());
    check.that(seconds.is_none_or(near), "dueIn", message);
}

/// Adds tasks in one statement.
///
/// # Errors
/// The database.
pub(crate) async fn create_all(
    txn: &impl ConnectionTrait,
    created: Vec<ToCreate>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    edit::create_all::<Entity>(txn, created.into_iter().map(row), now).await.map(drop)
}

fn row(task: ToCreate) -> (ActiveModel, Actor) {
    let row = ActiveModel {
        title: Set(task.title),
        description: Set(task.description),
        customer_id: Set(task.customer),
        project: Set(task.project),
        assignee_id: Set(task.assignee),
        priority: Set(task.priority),
        due_at: Set(task.due_at),
        estimate_min: Set(task.estimate_min),
        spent_min: Set(None),
        ..Default::default()
    };
    (row, task.actor)
}
