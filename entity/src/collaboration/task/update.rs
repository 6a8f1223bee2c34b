//! Changing tasks in runs of workflows.
//!
//! Invariant: a task that is so already stays as it is, so that workflows that agree come to an end.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait};
use sea_orm::{ActiveEnum, DatabaseTransaction, QueryOrder, QuerySelect};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::perform::check_due;
use super::{Column, Entity, Model, Priority, State};
use crate::access::Actor;
use crate::automation::event;
use crate::automation::workflow::interpreter::Done;
use crate::automation::workflow::performer::{Effect, Performer, Planned, Turn};
use crate::catalog::Record;
use crate::check::Check;
use crate::collaboration::later::NO_SUCH_USER;
use crate::collaboration::{parse_lines, reminder};
use crate::customers::{parse_required, parse_text};
use crate::edit;
use crate::error::Error;
use crate::id::{CustomerId, TaskId, UserId};
use crate::search::searched;

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

/// What a workflow changes of a task. The outer `None` keeps a field, an inner `None` clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TaskChange {
    /// What is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What there is to say about it.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub description: Option<Option<String>>,
    /// The reference of the project that it is part of.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub project: Option<Option<String>>,
    /// How much it matters.
    pub priority: Option<Priority>,
    /// Who has to do it.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub assignee: Option<Option<UserId>>,
    /// After how many seconds it is due.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub due_in_s: Option<Option<i64>>,
    /// How many minutes it is thought to take.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub estimate_min: Option<Option<i32>>,
    /// What has become of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
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

    /// Whether it says by when tasks have to be done, or by whom, or whether at all.
    fn moves(&self) -> bool {
        self.assignee.is_some() || self.due_in_s.is_some() || self.state.is_some()
    }

    /// The fields that it sets, by their names in the API, divided by commas.
    #[must_use]
    pub fn fields(&self) -> String {
        let named = [
            (self.title.is_some(), "title"),
            (self.description.is_some(), "description"),
            (self.project.is_some(), "project"),
            (self.priority.is_some(), "priority"),
            (self.assignee.is_some(), "assignee"),
            (self.due_in_s.is_some(), "dueAt"),
            (self.estimate_min.is_some(), "estimateMin"),
            (self.state.is_some(), "state"),
        ];
        let named = named.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name);
        named.collect::<Vec<_>>().join(", ")
    }

    /// Brings every field into its stored form, and notes what is wrong.
    fn check(&mut self, check: &mut Check) {
        if let Some(title) = &mut self.title {
            check.put(parse_required("title", title, 200), title);
        }
        if let Some(description) = &mut self.description {
            check.put(parse_lines("description", description.take(), 5_000), description);
        }
        if let Some(project) = &mut self.project {
            check.put(parse_text("project", project.take(), 100), project);
        }
        let estimate = self.estimate_min.flatten();
        check.that(
            estimate.is_none_or(|minutes| minutes >= 0),
            "estimateMin",
            "minutes are not negative",
        );
        check_due(self.due_in_s.flatten(), check);
    }

    /// When it is due after a change at `now` that says so.
    fn due_at(&self, now: DateTimeUtc) -> Option<DateTimeUtc> {
        Some(now + TimeDelta::seconds(self.due_in_s.flatten()?))
    }

    /// The task as it is to be; its other columns follow.
    fn applied(&self, row: &Model, now: DateTimeUtc) -> Model {
        let mut row = row.clone();
        row.title = self.title.clone().unwrap_or(row.title);
        row.description = self.description.clone().unwrap_or(row.description);
        row.project = self.project.clone().unwrap_or(row.project);
        row.priority = self.priority.unwrap_or(row.priority);
        row.assignee_id = self.assignee.unwrap_or(row.assignee_id);
        if self.due_in_s.is_some() {
            row.due_at = self.due_at(now);
        }
        row.estimate_min = self.estimate_min.unwrap_or(row.estimate_min);
        row.state = self.state.unwrap_or(row.state);
        row.search_text = searched([Some(&row.title), row.project.as_ref()]);
        row
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
            Ok(mut change) => {
                check.that(change != TaskChange::default(), "with", "say what changes");
                change.check(check);
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
            let Ok(mut change) = TaskChange::deserialize(with) else {
                return refuse("it cannot be read");
            };
            change.check(&mut Check::default());
            if edit::active(db, change.assignee()).await? != change.assignee() {
                return refuse(NO_SUCH_USER);
            }
            let ids = turns.iter().map(|turn| turn.run.record_id);
            let rows = Entity::find().filter(Column::Id.is_in(ids));
            let rows = rows.filter(Column::DeletedAt.is_null()).all(db).await?;
            let rows: HashMap<_, _> = rows.into_iter().map(|row| (row.id.0, row)).collect();
            let planned = turns.iter().map(|turn| match rows.get(&turn.run.record_id) {
                Some(row) => plan(row, &change, turn),
                None => Planned::skipped("the task is gone"),
            });
            Ok(planned.collect())
        }
        .boxed()
    }
}

fn plan(row: &Model, change: &TaskChange, turn: &Turn<'_>) -> Planned {
    let after = change.applied(row, turn.now);
    if after == *row {
        return Planned::skipped("it is so already");
    }
    if after.state != row.state && after.state != State::Open && row.state != State::Open {
        return Planned::failed("the task is not open any more");
    }
    let mut change = change.clone();
    // What has become of it is said once.
    change.state = change.state.filter(|state| *state != row.state);
    let update = ToUpdate {
        task: row.id,
        customer: row.customer_id,
        change,
        at: turn.now,
        actor: turn.actor(),
    };
    Planned { done: Done::Yes, effects: vec![Effect::UpdateTask(Box::new(update))] }
}

/// Changes tasks: as many statements as there are different changes.
///
/// # Errors
/// The database.
pub(crate) async fn update_all(
    txn: &impl ConnectionTrait,
    updates: Vec<ToUpdate>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let updates = current(txn, updates).await?;
    let mut events = Vec::with_capacity(updates.len());
    let moved = updates.iter().filter(|(update, _)| update.change.moves());
    let moved = moved.map(|(update, _)| update.task).collect::<Vec<_>>();
    let mut alike: Vec<(ToUpdate, Option<String>, HashSet<TaskId>)> = Vec::new();
    for (update, search_text) in updates {
        let kind = match update.change.state {
            Some(State::Done) => event::Kind::TaskCompleted,
            _ => event::Kind::TaskUpdated,
        };
        events.push(event::new(kind, update.task.0, update.customer, update.actor, now));
        let same = alike.iter_mut().find(|(other, found_by, _)| {
            (&other.change, other.at, found_by) == (&update.change, update.at, &search_text)
        });
        if let Some((.., tasks)) = same {
            tasks.insert(update.task);
        } else {
            let tasks = HashSet::from([update.task]);
            alike.push((update, search_text, tasks));
        }
    }
    for (update, search_text, tasks) in alike {
        write(txn, update, search_text, tasks, now).await?;
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

/// The changes of those tasks that are there, held from now on, and that nobody has ended meanwhile, nor a change before;
/// with what a task is found by then, where that changes.
async fn current(
    txn: &impl ConnectionTrait,
    updates: Vec<ToUpdate>,
) -> Result<Vec<(ToUpdate, Option<String>)>, Error> {
    if updates.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Entity::find()
        .filter(Column::Id.is_in(updates.iter().map(|update| update.task)))
        .filter(Column::DeletedAt.is_null())
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .all(txn)
        .await?;
    let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
    let current = updates.into_iter().filter_map(|update| {
        let row = rows.get_mut(&update.task)?;
        let ends = update.change.state.is_some_and(|state| state != State::Open);
        if ends && row.state != State::Open {
            return None;
        }
        let before = std::mem::take(&mut row.search_text);
        *row = update.change.applied(row, update.at);
        let search_text = (row.search_text != before).then(|| row.search_text.clone());
        Some((update, search_text))
    });
    Ok(current.collect())
}

/// Makes a change of tasks.
async fn write(
    txn: &impl ConnectionTrait,
    ToUpdate { change, at, .. }: ToUpdate,
    search_text: Option<String>,
    tasks: HashSet<TaskId>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let due = match change.due_in_s {
        Some(_) => Expr::val(change.due_at(at)),
        None => Expr::col(Column::DueAt),
    };
    let mut columns = vec![
        (Column::UpdatedAt, Expr::val(now)),
        (Column::UpdatedBy, Expr::val(None::<Uuid>)),
        (Column::Version, Expr::col(Column::Version).add(1)),
    ];
    if change.due_in_s.is_some() || change.state.is_some() {
        columns.push((Column::LookAt, look_at(due.clone(), change.state)));
    }
    if change.due_in_s.is_some() {
        columns.push((Column::DueAt, due));
    }
    if let Some(state) = change.state {
        columns.push((Column::State, Expr::val(state.to_value())));
        columns.push((Column::DoneAt, Expr::val((state == State::Done).then_some(at))));
    }
    columns.extend(change.title.map(|title| (Column::Title, Expr::val(title))));
    columns.extend(change.description.map(|text| (Column::Description, Expr::val(text))));
    columns.extend(change.project.map(|project| (Column::Project, Expr::val(project))));
    columns.extend(change.priority.map(|one| (Column::Priority, Expr::val(one.to_value()))));
    columns.extend(
        change.assignee.map(|user| (Column::AssigneeId, Expr::val(user.map(|user| user.0)))),
    );
    columns.extend(change.estimate_min.map(|minutes| (Column::EstimateMin, Expr::val(minutes))));
    columns.extend(search_text.map(|text| (Column::SearchText, Expr::val(text))));
    let update = columns
        .into_iter()
        .fold(Entity::update_many(), |update, (column, value)| update.col_expr(column, value));
    update.filter(Column::Id.is_in(tasks)).exec(txn).await?;
    Ok(())
}

/// When tasks are looked at that have to be done by `due`: open ones of which it was not said for that time that they are
/// overdue.
fn look_at(due: Expr, state: Option<State>) -> Expr {
    let is_said =
        Expr::col(Column::NotedAt).is_not_null().and(Expr::col(Column::NotedAt).eq(due.clone()));
    let is_ended = match state {
        Some(state) => Expr::val(state != State::Open),
        None => Column::State.ne(State::Open),
    };
    let never = is_ended.or(is_said);
    CaseStatement::new().case(never, Expr::val(None::<DateTimeUtc>)).finally(due).into()
}
