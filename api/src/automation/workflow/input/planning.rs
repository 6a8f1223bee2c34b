//! What steps plan for somebody to do, as it is given.

use async_graphql::{ID, InputObject, OneofObject};
use entity::automation::workflow::definition::Action;
use entity::collaboration::later::Later;
use entity::collaboration::{appointment, call};
use serde_json::json;

use super::ClockOf;
use crate::collaboration::{CallPurpose, TaskPriority};
use crate::scalar::{Duration, LocalTime};

/// When something is that a step plans.
#[derive(Clone, Debug, OneofObject)]
pub enum PlannedInput {
    /// So long after the step.
    After(Duration),
    /// At a time of a later day.
    On(OnInput),
}

/// At a time of a later day.
#[derive(Clone, Debug, InputObject)]
pub struct OnInput {
    /// How many days after the day of the step. For 0 days it is the next time that a clock shows the time.
    #[graphql(default = 1)]
    pub days: u32,
    /// At what time.
    pub at: LocalTime,
    /// On whose clock.
    #[graphql(default_with = "ClockOf::Customer")]
    pub clock: ClockOf,
}

/// A call that a step plans. It is with the customer; in workflows of calls with whom the call was with.
#[derive(Clone, Debug, InputObject)]
pub struct CreateCallStepInput {
    /// What it is about, up to 200 characters.
    pub subject: String,
    /// What it is for.
    #[graphql(default_with = "CallPurpose::FollowUp")]
    pub purpose: CallPurpose,
    /// When it is to be made. Outside of the times at which there are calls, 8:00 to 17:00 from Monday to Friday on the
    /// customer's clock, it becomes the next one of these.
    pub planned: PlannedInput,
    /// How many minutes it is thought to take, 1 to 480.
    #[graphql(default = 15)]
    pub planned_min: i32,
    /// The id of the user who has to make it; who looks after the customer when absent, and nobody yet when nobody does.
    pub assignee_id: Option<ID>,
    /// How much it matters.
    #[graphql(default_with = "TaskPriority::Normal")]
    pub priority: TaskPriority,
    /// What they need: plain text with line breaks, up to 2000 characters.
    pub needs: Option<String>,
    /// What to say: plain text with line breaks, up to 2000 characters.
    pub say: Option<String>,
    /// What not to say: plain text with line breaks, up to 2000 characters.
    pub avoid: Option<String>,
    /// What of value to offer: plain text with line breaks, up to 2000 characters.
    pub offer: Option<String>,
    /// How long before it who has to make it is reminded: up to 10.
    #[graphql(default, validator(max_items = 10))]
    pub reminders: Vec<Duration>,
}

/// An appointment that a step makes with the customer.
#[derive(Clone, Debug, InputObject)]
pub struct CreateAppointmentStepInput {
    /// What it is about, up to 200 characters.
    pub subject: String,
    /// When it begins.
    pub planned: PlannedInput,
    /// How many minutes it takes, 1 to 20160.
    #[graphql(default = 60)]
    pub duration_min: i32,
    /// What there is to say about it: plain text with line breaks, up to 5000 characters.
    pub description: Option<String>,
    /// Where, or the address of a meeting online, up to 500 characters.
    pub location: Option<String>,
    /// The id of the user who invites to it, who takes part; who looks after the customer when absent, and there is no
    /// appointment when nobody does.
    pub organizer_id: Option<ID>,
    /// How long before it the users who take part are reminded: up to 10.
    #[graphql(default, validator(max_items = 10))]
    pub reminders: Vec<Duration>,
}

impl From<PlannedInput> for Later {
    fn from(given: PlannedInput) -> Self {
        match given {
            PlannedInput::After(time) => Self::After(time.0.num_seconds()),
            PlannedInput::On(OnInput { days, at, clock }) => {
                Self::On { days, at: at.0, zone: clock.into() }
            }
        }
    }
}

impl CreateCallStepInput {
    pub(super) fn parse(self) -> Action {
        Action::Do { what: "createCall".to_owned(), with: json!(self.wanted()) }
    }

    /// The call that is meant.
    pub(super) fn wanted(self) -> call::Wanted {
        call::Wanted {
            subject: self.subject,
            purpose: self.purpose.into(),
            planned: self.planned.into(),
            planned_min: self.planned_min,
            assignee: self.assignee_id.map(|id| id.0),
            priority: self.priority.into(),
            needs: self.needs,
            say: self.say,
            avoid: self.avoid,
            offer: self.offer,
            remind_s: seconds(&self.reminders),
        }
    }
}

impl CreateAppointmentStepInput {
    pub(super) fn parse(self) -> Action {
        let wanted = appointment::Wanted {
            subject: self.subject,
            planned: self.planned.into(),
            duration_min: self.duration_min,
            description: self.description,
            location: self.location,
            organizer: self.organizer_id.map(|id| id.0),
            remind_s: seconds(&self.reminders),
        };
        Action::Do { what: "createAppointment".to_owned(), with: json!(wanted) }
    }
}

/// What is too long to be told is refused as what is too early.
fn seconds(before: &[Duration]) -> Vec<i32> {
    before.iter().map(|before| i32::try_from(before.0.num_seconds()).unwrap_or(-1)).collect()
}
