//! Adding and changing tasks in runs of workflows.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait};
use sea_orm::{ActiveEnum, DatabaseTransaction};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{ActiveModel, Column, Entity, Priority, State};
use crate::access::Actor;
use crate::automation::event;
use crate::automation::workflow::definition::LONGEST;
use crate::automation::workflow::interpreter::Done;
use crate::automation::workflow::performer::{Effect, Performer, Planned, Turn};
use crate::catalog::Record;
use crate::check::Check;
use crate::collaboration::later::{GONE, NO_SUCH_USER};
use crate::collaboration::{parse_lines, reminder};
use crate::customers::{customer, parse_required};
use crate::edit;
use crate::error::Error;
use crate::id::{CustomerId, Id, TaskId, UserId};

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
    /// The prefix of the id of the run's record.
    pub kind: &'static str,
    /// That record.
    pub subject: Uuid,
    /// Who adds it.
    pub actor: Actor,
}

/// A change of a task that a workflow makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToUpdate {
    /// Which.
    pub task: TaskId,
    /// The customer that it is done for.
    pub customer: Option<CustomerId>,
    /// What changes.
    pub change: TaskChange,
    /// When it is made; days and hours are counted from here.
    pub at: DateTimeUtc,
    /// Who makes it.
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

fn check_due(seconds: Option<i64>, check: &mut Check) {
    let near = |seconds: i64| (0..=LONGEST.num_seconds()).contains(&seconds);
    let message = format!("0 to {} days", LONGEST.num_days());
    check.that(seconds.is_none_or(near), "dueIn", message);
}

/// What a workflow changes of a task. The outer `None` keeps a field, an inner `None` clears it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TaskChange {
    /// How much it matters.
    pub priority: Option<Priority>,
    /// Who has to do it.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub assignee: Option<Option<UserId>>,
    /// After how many seconds it is due.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub due_in_s: Option<Option<i64>>,
}

/// A field that is there, if only as null.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(input: D) -> Result<Option<T>, D::Error> {
    T::deserialize(input).map(Some)
}

impl TaskChange {
    /// To whom it gives tasks.
    #[must_use]
    pub fn assignee(&self) -> Option<UserId> {
        self.assignee.flatten()
    }

    /// Whether it says by when tasks have to be done, or by whom.
    fn moves(&self) -> bool {
        self.assignee.is_some() || self.due_in_s.is_some()
    }

    /// The fields that it sets, by their names in the API, divided by commas.
    #[must_use]
    pub fn fields(&self) -> String {
        let named = [
            (self.priority.is_some(), "priority"),
            (self.assignee.is_some(), "assignee"),
            (self.due_in_s.is_some(), "dueAt"),
        ];
        let named = named.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name);
        named.collect::<Vec<_>>().join(", ")
    }

    /// When it is due after a change at `now` that says so.
    fn due_at(&self, now: DateTimeUtc) -> Option<DateTimeUtc> {
        Some(now + TimeDelta::seconds(self.due_in_s.flatten()?))
    }

    fn is_so(&self, row: &super::Model, now: DateTimeUtc) -> bool {
        self.priority.is_none_or(|priority| priority == row.priority)
            && self.assignee.is_none_or(|assignee| assignee == row.assignee_id)
            && (self.due_in_s.is_none() || self.due_at(now) == row.due_at)
    }
}

/// Changes the task that a run is for.
pub struct UpdateTask;

impl Performer for UpdateTask {
    fn name(&self) -> &'static str {
        "updateTask"
    }

    fn check(&self, record: &Record, with: &Value, check: &mut Check) {
        check.that(record.table == "task", "what", "this is done in workflows of tasks");
        match TaskChange::deserialize(with) {
            Err(error) => check.note(Error::invalid("with", error.to_string())),
            Ok(change) => {
                check.that(change != TaskChange::default(), "with", "say what changes");
                check_due(change.due_in_s.flatten(), check);
            }
        }
    }

    fn plan<'a>(
        &'a self,
        db: &'a DatabaseTransaction,
        _: &'static Record,
        with: &'a Value,
        turns: &'a [Turn<'a>],
    ) -> BoxFuture<'a, Result<Vec<Planned>, Error>> {
        async move {
            let refuse = |why: &str| Ok(turns.iter().map(|_| Planned::failed(why)).collect());
            let Ok(change) = TaskChange::deserialize(with) else {
                return refuse("it cannot be read");
            };
            if edit::active(db, change.assignee()).await? != change.assignee() {
                return refuse(NO_SUCH_USER);
            }
            let ids = turns.iter().map(|turn| turn.run.record_id);
            let rows = Entity::find().filter(Column::Id.is_in(ids));
            let rows = rows.filter(Column::DeletedAt.is_null()).all(db).await?;
            let rows: HashMap<_, _> = rows.into_iter().map(|row| (row.id.0, row)).collect();
            let planned = turns.iter().map(|turn| {
                let Some(row) = rows.get(&turn.run.record_id) else {
                    return Planned::skipped("the task is gone");
                };
                if change.is_so(row, turn.now) {
                    return Planned::skipped("it is so already");
                }
                let update = ToUpdate {
                    task: row.id,
                    customer: row.customer_id,
                    change,
                    at: turn.now,
                    actor: turn.actor(),
                };
                Planned { done: Done::Yes, effects: vec![Effect::UpdateTask(update)] }
            });
            Ok(planned.collect())
        }
        .boxed()
    }
}

/// Adds tasks in one statement, and changes others in as many as there are different changes.
///
/// # Errors
/// The database.
pub(crate) async fn carry_out(
    txn: &impl ConnectionTrait,
    created: Vec<ToCreate>,
    updates: Vec<ToUpdate>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    edit::create_all::<Entity>(txn, created.into_iter().map(row), now).await?;
    let mut events = Vec::with_capacity(updates.len());
    let moved = updates.iter().filter(|update| update.change.moves()).map(|update| update.task);
    let moved = moved.collect::<Vec<_>>();
    let mut alike: Vec<(TaskChange, DateTimeUtc, HashSet<TaskId>)> = Vec::new();
    for ToUpdate { task, customer, change, at, actor } in updates {
        events.push(event::new(event::Kind::TaskUpdated, task.0, customer, actor, now));
        match alike.iter_mut().find(|(other, when, _)| (*other, *when) == (change, at)) {
            Some((.., tasks)) => drop(tasks.insert(task)),
            None => alike.push((change, at, HashSet::from([task]))),
        }
    }
    for (change, at, tasks) in alike {
        let mut update = Entity::update_many();
        if let Some(priority) = change.priority {
            update = update.col_expr(Column::Priority, Expr::val(priority.to_value()));
        }
        if let Some(assignee) = change.assignee {
            update = update.col_expr(Column::AssigneeId, Expr::val(assignee.map(|user| user.0)));
        }
        if change.due_in_s.is_some() {
            let due = change.due_at(at);
            update = update
                .col_expr(Column::DueAt, Expr::val(due))
                .col_expr(Column::LookAt, look_at(due));
        }
        update
            .col_expr(Column::UpdatedAt, Expr::val(now))
            .col_expr(Column::UpdatedBy, Expr::val(None::<Uuid>))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .filter(Column::Id.is_in(tasks))
            .exec(txn)
            .await?;
    }
    if !moved.is_empty() {
        let tasks = Entity::find().filter(Column::Id.is_in(moved)).all(txn).await?;
        reminder::follow(txn, tasks.iter().filter_map(|task| edit::Form::reminds(task, now)), now)
            .await?;
    }
    if !events.is_empty() {
        event::Entity::insert_many(events).exec_without_returning(txn).await?;
    }
    Ok(())
}

/// When tasks are looked at that have to be done by `due`: open ones of which it was not said for that time that they are
/// overdue.
fn look_at(due: Option<DateTimeUtc>) -> Expr {
    let is_said = Expr::col(Column::NotedAt).is_not_null().and(Column::NotedAt.eq(due));
    let is_ended = Column::State.ne(State::Open);
    let never = is_ended.or(is_said);
    CaseStatement::new().case(never, Expr::val(None::<DateTimeUtc>)).finally(Expr::val(due)).into()
}

fn row(task: ToCreate) -> (ActiveModel, Actor) {
    let row = ActiveModel {
        title: Set(task.title),
        description: Set(task.description),
        customer_id: Set(task.customer),
        project: Set(None),
        assignee_id: Set(task.assignee),
        priority: Set(task.priority),
        due_at: Set(task.due_at),
        estimate_min: Set(None),
        spent_min: Set(None),
        ..Default::default()
    };
    (row, task.actor)
}
