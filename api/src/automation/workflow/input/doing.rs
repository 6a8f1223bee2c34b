//! What steps do to records, as it is given.

use async_graphql::{ID, InputObject, MaybeUndefined};
use entity::automation::workflow::definition::Action;
use entity::collaboration::notification;
use entity::collaboration::task::{Priority, TaskChange};
use entity::customers::customer::Among;
use entity::customers::customer::bulk::BulkChange;
use entity::id::{Id, TeamId, UserId};
use serde_json::json;
use uuid::Uuid;

use crate::choice::choice;
use crate::collaboration::{TaskPriority, TaskState};
use crate::customers::BulkCustomerChangeInput;
use crate::payload::change;
use crate::scalar::Duration;

choice! {
    /// Whom a workflow tells something. Of who is away whoever stands in is told, too.
    NotifyTo mirrors "entity::collaboration::notification::To" {
        /// Who looks after the customer.
        Owner,
        /// Who has to do the task or the call, or holds the appointment; who looks after the customer where that is nobody,
        /// and for all other records.
        Responsible,
        /// To whom they report: whoever holds the next position above theirs that somebody holds.
        Lead,
        /// To whom their lead reports.
        Manager,
    }
}

/// What a user is told.
#[derive(Clone, Debug, InputObject)]
pub struct NotifyInput {
    /// Whom, when it is always the same user.
    pub user_id: Option<ID>,
    /// Whom, when no user is named; who looks after the customer when absent.
    pub to: Option<NotifyTo>,
    /// What, up to 500 characters.
    pub text: String,
}

impl NotifyInput {
    pub(super) fn parse(self) -> Action {
        let to = self.to.map(notification::To::from);
        let with = json!({ "user": self.user_id.map(|id| id.0), "to": to, "text": self.text });
        Action::Do { what: "notify".to_owned(), with }
    }
}

/// A task that a step adds.
#[derive(Clone, Debug, InputObject)]
pub struct CreateTaskStepInput {
    /// What is to be done, up to 200 characters.
    pub title: String,
    /// What there is to say about it: plain text with line breaks, up to 5000 characters.
    pub description: Option<String>,
    /// The id of the user who has to do it; who looks after the customer when absent, and nobody yet when nobody does.
    pub assignee_id: Option<ID>,
    /// How much it matters.
    #[graphql(default_with = "TaskPriority::Normal")]
    pub priority: TaskPriority,
    /// How long after the step it is due; open when absent.
    pub due_in: Option<Duration>,
    /// The reference of the project that it is part of, up to 100 characters.
    pub project: Option<String>,
    /// How many minutes it is thought to take, 0 or more.
    pub estimate_min: Option<i32>,
}

/// What a step changes of a task. What is absent stays; what is null is cleared.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateTaskStepInput {
    /// What is to be done, up to 200 characters.
    pub title: Option<String>,
    /// What there is to say about it: plain text with line breaks, up to 5000 characters.
    pub description: MaybeUndefined<String>,
    /// The reference of the project that it is part of, up to 100 characters.
    pub project: MaybeUndefined<String>,
    /// How much it matters.
    pub priority: Option<TaskPriority>,
    /// The id of the user who has to do it.
    pub assignee_id: MaybeUndefined<ID>,
    /// How long after the step it is due.
    pub due_in: MaybeUndefined<Duration>,
    /// How many minutes it is thought to take, 0 or more.
    pub estimate_min: MaybeUndefined<i32>,
    /// What becomes of it: `DONE` and `CANCELLED` end an open one, `OPEN` takes that back.
    pub becomes: Option<TaskState>,
}

/// Among whom customers are handed out in turn: users, or a team.
#[derive(Clone, Debug, InputObject)]
pub struct AssignStepInput {
    /// Users, who get as much as their weights say.
    #[graphql(default, validator(max_items = 50))]
    pub users: Vec<AssigneeInput>,
    /// The id of a team, all of whose members get as much as each other.
    pub team_id: Option<ID>,
    /// Who looks after as many customers gets no more; no limit when absent.
    pub most_customers: Option<u32>,
}

/// A user who takes turns.
#[derive(Clone, Debug, InputObject)]
pub struct AssigneeInput {
    /// The user's id.
    pub user_id: ID,
    /// How many they get, of the sum of all weights: 1 to 100.
    #[graphql(default = 1)]
    pub weight: u32,
}

/// Where a step posts the record to.
#[derive(Clone, Debug, InputObject)]
pub struct WebhookStepInput {
    /// The endpoint's id. It gets `workflow.step`, whichever events it asks for.
    pub endpoint_id: ID,
}

/// Another workflow.
#[derive(Clone, Debug, InputObject)]
pub struct OtherWorkflowInput {
    /// Its id; it is for the same kind of record.
    pub workflow_id: ID,
}

impl AssignStepInput {
    pub(super) fn parse(self) -> Action {
        // A user or a team whose id cannot be read is one that there is not.
        let user = |id: &ID| UserId::parse(id).unwrap_or(UserId(Uuid::nil()));
        let among = Among {
            users: self.users.iter().map(|one| (user(&one.user_id), one.weight)).collect(),
            team: self.team_id.map(|id| TeamId::parse(&id).unwrap_or(TeamId(Uuid::nil()))),
            most: self.most_customers,
        };
        Action::Do { what: "assign".to_owned(), with: json!(among) }
    }
}

impl WebhookStepInput {
    pub(super) fn parse(self) -> Action {
        let with = json!({ "endpoint": self.endpoint_id.0 });
        Action::Do { what: "webhook".to_owned(), with }
    }
}

impl OtherWorkflowInput {
    pub(super) fn parse(self, what: &str) -> Action {
        Action::Do { what: what.to_owned(), with: json!({ "workflow": self.workflow_id.0 }) }
    }
}

impl CreateTaskStepInput {
    pub(super) fn parse(self) -> Action {
        let priority: Priority = self.priority.into();
        Action::Do {
            what: "createTask".to_owned(),
            with: json!({
                "title": self.title, "description": self.description,
                "assignee": self.assignee_id.map(|id| id.0), "priority": priority,
                "dueInS": self.due_in.map(|time| time.0.num_seconds()),
                "project": self.project, "estimateMin": self.estimate_min,
            }),
        }
    }
}

impl UpdateTaskStepInput {
    pub(super) fn parse(self) -> Action {
        // A user whose id cannot be read is one that there is not.
        let user = |id: ID| UserId::parse(&id).unwrap_or(UserId(Uuid::nil()));
        let change = TaskChange {
            title: self.title,
            description: change(self.description),
            project: change(self.project),
            estimate_min: change(self.estimate_min),
            state: self.becomes.map(Into::into),
            priority: self.priority.map(Into::into),
            assignee: change(self.assignee_id).map(|set| set.map(user)),
            due_in_s: change(self.due_in).map(|set| set.map(|time| time.0.num_seconds())),
        };
        Action::Do { what: "updateTask".to_owned(), with: json!(change) }
    }
}

pub(super) fn update_customer(change: BulkCustomerChangeInput) -> Action {
    Action::Do { what: "updateCustomer".to_owned(), with: json!(BulkChange::from(change)) }
}
