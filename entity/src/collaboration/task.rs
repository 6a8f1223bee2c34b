//! Tasks: what somebody has to do, whether for a customer or not.
//!
//! Invariant: `done_at` says when a task was done as long as it is, and nothing otherwise.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

use super::reminder::{self, Due, Subject};
use super::{CollaborationError, overdue, parse_lines};
use crate::access::{Actor, Permission, Scope, Viewer, user};
use crate::automation::event;
use crate::catalog::catalog;
use crate::check::Check;
use crate::customers::{customer, parse_required, parse_text};
use crate::edit::{self, edited};
use crate::error::Error;
use crate::id::{CustomerId, TaskId, UserId};
use crate::search::searched;

mod perform;
mod update;

pub(crate) use perform::create_all;
pub use perform::{CreateTask, ToCreate};
pub(crate) use update::update_all;
pub use update::{TaskChange, ToUpdate, UpdateTask};

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Priority {
    /// It can wait.
    Low,
    /// As usual.
    Normal,
    /// Before others.
    High,
}

/// What has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum State {
    /// It is still to be done.
    Open,
    /// It was done.
    Done,
    /// Nobody has to do it any more.
    Cancelled,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "task")]
#[expect(missing_docs, reason = "the catalogue says below what each column is")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TaskId,
    pub title: String,
    pub description: Option<String>,
    pub customer_id: Option<CustomerId>,
    pub project: Option<String>,
    pub assignee_id: Option<UserId>,
    pub priority: Priority,
    pub state: State,
    pub due_at: Option<DateTimeUtc>,
    pub estimate_min: Option<i32>,
    pub spent_min: Option<i32>,
    pub done_at: Option<DateTimeUtc>,
    pub look_at: Option<DateTimeUtc>,
    pub noted_at: Option<DateTimeUtc>,
    pub search_text: String,
    pub deleted_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub created_by: Option<UserId>,
    pub updated_at: DateTimeUtc,
    pub updated_by: Option<UserId>,
    pub version: i32,
}

catalog! {
    /// A task: what somebody has to do. It is theirs who has to do it, and theirs who looks after its customer.
    Task (task, tasks) of Entity, read by Permission::ReadTasks,
        given to Column::AssigneeId, or with Column::CustomerId => customer::Entity,
        deleted by Column::DeletedAt, versioned by Column::Version, with history;
    /// Words that occur in title or project, without regard to case and diacritics. Every word has to occur.
    search: search(),
    /// What is to be done.
    title: text(Column::Title).filtered().ordered(),
    /// What there is to say about it: plain text with line breaks; null when nothing is.
    description: text(Column::Description),
    /// The id of the customer that it is done for.
    customer_id: uuid::<CustomerId>(Column::CustomerId).hidden(),
    /// The customer that it is done for; null when it is for none.
    customer: one::<customer::Entity>(Column::CustomerId).grouped(),
    /// The reference of the project that it is part of; null when it is part of none.
    project: text(Column::Project).filtered().ordered().grouped(),
    /// The id of who has to do it.
    assignee_id: uuid::<UserId>(Column::AssigneeId).hidden(),
    /// Who has to do it; null when nobody has yet.
    assignee: one::<user::Entity>(Column::AssigneeId).grouped(),
    /// How much it matters.
    priority: choice::<Priority>("TaskPriority", Column::Priority).filtered().grouped(),
    /// What has become of it.
    state: choice::<State>("TaskState", Column::State).filtered().grouped(),
    /// By when it has to be done; null when that is open. It is overdue when that is past and it is `OPEN`.
    due_at: instant(Column::DueAt).filtered().ordered().grouped(),
    /// How many minutes it was thought to take; null when nobody said.
    estimate_min: whole(Column::EstimateMin).filtered().ordered(),
    /// How many minutes it took so far; null when nobody said.
    spent_min: whole(Column::SpentMin).filtered().ordered(),
    /// When it was done; null unless it is `DONE`.
    done_at: instant(Column::DoneAt).filtered().ordered().grouped(),
    /// When who has to do it is told so, those that are told last first.
    reminders: list::<reminder::Entity, _>(
        reminder::Column::TaskId, reminder::Column::BeforeS, 2,
    ),
    /// Whether you may change and delete it.
    viewer_can_update: reach(Permission::WriteTasks),
    /// Since when it is deleted; null while it is not. Lists leave deleted ones out unless their filter
    /// compares this.
    deleted_at: instant(Column::DeletedAt).filtered(),
    /// When it was added.
    created_at: instant(Column::CreatedAt).filtered().ordered().grouped(),
    /// Who added it; null when Rapport did.
    created_by: one::<user::Entity>(Column::CreatedBy),
    /// When it was last changed.
    updated_at: instant(Column::UpdatedAt).filtered().ordered(),
}

edited!(
    TaskId, TaskCreated / TaskUpdated / TaskDeleted,
    {
        state: State::Open, done_at: None, look_at: None, noted_at: None, search_text: String::new(),
        deleted_at: None
    },
    part of customer_id, given to assignee_id, reminding by due, deleted by deleted_at / TaskRestored
);

impl Model {
    fn check(&mut self, check: &mut Check) {
        check.put(parse_required("title", &self.title, 200), &mut self.title);
        check
            .put(parse_lines("description", self.description.take(), 5_000), &mut self.description);
        check.put(parse_text("project", self.project.take(), 100), &mut self.project);
        for (minutes, field) in [(self.estimate_min, "estimateMin"), (self.spent_min, "spentMin")] {
            check.that(
                minutes.is_none_or(|minutes| minutes >= 0),
                field,
                "minutes are not negative",
            );
        }
        self.search_text = searched([Some(&self.title), self.project.as_ref()]);
        self.watch();
    }

    /// What there is to remind of.
    fn due(&self, _: DateTimeUtc) -> Due {
        let is_open = self.state == State::Open && self.deleted_at.is_none();
        let at = self.due_at.filter(|_| is_open);
        Due { subject: Subject::Task(self.id), at, user: self.assignee_id }
    }

    /// Says when it is overdue unless it is done by then.
    fn watch(&mut self) {
        self.look_at = overdue::look_at(self.due_at, self.state == State::Open, self.noted_at);
    }
}

impl ActiveModel {
    /// The task as `viewer` adds it: who reaches some tasks only, and names neither a customer nor who has to do it, gets
    /// it themselves, since they would not see it otherwise.
    #[must_use]
    pub fn added_by(mut self, viewer: &Viewer) -> Self {
        let is_nobodys = matches!((&self.customer_id, &self.assignee_id), (Set(None), Set(None)));
        if is_nobodys && viewer.scope(Permission::WriteTasks) != Scope::All {
            self.assignee_id = Set(Some(viewer.user));
        }
        self
    }
}

/// What becomes of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is done, and took so many minutes; what was known of them stays when that is not said.
    Complete(Option<i32>),
    /// Nobody has to do it any more.
    Cancel,
    /// It is to be done all the same.
    Reopen,
}

/// Says what became of a task. What is so already stays as it is.
///
/// # Errors
/// That there is none, [`CollaborationError::TaskNotOpen`], [`CollaborationError::NegativeMinutes`],
/// [`Error::StaleVersion`].
pub async fn turn(
    txn: &impl ConnectionTrait,
    id: TaskId,
    turn: Turn,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    if matches!(turn, Turn::Complete(Some(..0))) {
        return Err(CollaborationError::NegativeMinutes.into());
    }
    let mut row = edit::lock_present::<Entity>(txn, id, expected_version).await?;
    let (state, kind) = match turn {
        Turn::Complete(_) => (State::Done, event::Kind::TaskCompleted),
        Turn::Cancel => (State::Cancelled, event::Kind::TaskUpdated),
        Turn::Reopen => (State::Open, event::Kind::TaskUpdated),
    };
    if row.state == state {
        return Ok(row);
    }
    if row.state != State::Open && state != State::Open {
        return Err(CollaborationError::TaskNotOpen.into());
    }
    if let Turn::Complete(Some(spent)) = turn {
        row.spent_min = Some(spent);
    }
    row.state = state;
    row.done_at = (state == State::Done).then_some(now);
    row.watch();
    edit::note(txn, kind, &row, actor, now).await?;
    edit::save::<Entity>(txn, row, actor, now).await
}
