//! What starts a workflow, as it is given.

use async_graphql::{ID, InputObject, Json, OneofObject};
use entity::automation::workflow::definition::Trigger;
use entity::id::{Id, SegmentId};
use serde_json::Value;
use uuid::Uuid;

use super::{DayInput, Wrong};
use crate::choice::choice;

/// What starts a workflow.
#[derive(Clone, Debug, OneofObject)]
pub enum WorkflowTriggerInput {
    /// Somebody who starts it for records that they choose, with `startWorkflow`. Always true.
    Manual(bool),
    /// Something that happens to the record, or, for a customer, to what is theirs.
    Event(EventTriggerInput),
    /// A field of the record that gets another value.
    Change(ChangeTriggerInput),
    /// Again and again, for all records that pass the condition.
    Schedule(ScheduleInput),
    /// Another system, by a signed request to the address that `createWorkflowHook` gives.
    Webhook(WebhookTriggerInput),
    /// A day.
    Date(DayInput),
    /// A customer who enters a segment, or leaves it.
    Segment(SegmentTriggerInput),
}

choice! {
    /// What a customer does with a segment.
    SegmentTurn mirrors "entity::automation::workflow::definition::SegmentTurn" {
        /// It comes to belong to it.
        Entered,
        /// It does not belong to it any more.
        Left,
    }
}

/// A segment that customers enter, or leave.
#[derive(Clone, Debug, InputObject)]
pub struct SegmentTriggerInput {
    /// The segment's id.
    pub segment_id: ID,
    /// Which of both.
    #[graphql(default_with = "SegmentTurn::Entered")]
    pub turn: SegmentTurn,
    /// Whether what its own steps do starts it, too. Such a chain ends after the ninth run.
    #[graphql(default)]
    pub own: bool,
}

/// A field that gets another value.
#[derive(Clone, Debug, InputObject)]
pub struct ChangeTriggerInput {
    /// The field, such as `stage` or `owner`, or a custom field, such as `customFields.vip`.
    pub field: String,
    /// Which values it had, any of these: as the record shows them, the ids of records, null for none. Any at all when
    /// absent.
    #[graphql(validator(max_items = 50))]
    pub from: Option<Vec<Option<Json<Value>>>>,
    /// Which values it gets, any of these. Any at all when absent.
    #[graphql(validator(max_items = 50))]
    pub to: Option<Vec<Option<Json<Value>>>>,
    /// Whether what its own steps do starts it, too. Such a chain ends after the ninth run.
    #[graphql(default)]
    pub own: bool,
}

/// When a workflow starts again and again. Of what was missed while nothing was carried out, the last time counts.
#[derive(Clone, Debug, InputObject)]
pub struct ScheduleInput {
    /// Minutes, hours, days of the month, months and days of the week, as cron writes them: `0 9 * * MON-FRI`. For each
    /// record, `reentry` says whether it starts again.
    pub cron: String,
    /// The IANA time zone whose clocks count, such as `Asia/Ho_Chi_Minh`; the organisation's when absent.
    pub time_zone: Option<String>,
}

/// Which records a request of another system means.
#[derive(Clone, Debug, InputObject)]
pub struct WebhookTriggerInput {
    /// The field by whose value it names records, such as `number` or `email`.
    pub field: String,
    /// The place of that value, or of a list of up to 1,000, in the request's body: a JSON pointer, such as
    /// `/data/customer/number`.
    pub at: String,
}

/// Something that happens.
#[derive(Clone, Debug, InputObject)]
pub struct EventTriggerInput {
    /// Any of these kinds of events, such as `payment.recorded`.
    #[graphql(validator(max_items = 50))]
    pub kinds: Vec<String>,
    /// Whether what its own steps do starts it, too. Such a chain ends after the ninth run.
    #[graphql(default)]
    pub own: bool,
}

impl WorkflowTriggerInput {
    pub(super) fn parse(self, wrong: &mut Wrong) -> Trigger {
        match self {
            Self::Manual(_) => Trigger::Manual,
            Self::Event(event) => Trigger::Event {
                kinds: wrong.kinds(&event.kinds, "definition.trigger.event.kinds"),
                own: event.own,
            },
            Self::Change(ChangeTriggerInput { field, from, to, own }) => {
                let values = |given: Option<Vec<Option<Json<Value>>>>| {
                    let value = |one: Option<Json<Value>>| one.map_or(Value::Null, |one| one.0);
                    given.map(|given| given.into_iter().map(value).collect())
                };
                Trigger::Change { field, from: values(from), to: values(to), own }
            }
            Self::Schedule(ScheduleInput { cron, time_zone }) => {
                Trigger::Schedule { cron, zone: time_zone }
            }
            Self::Webhook(WebhookTriggerInput { field, at }) => Trigger::Webhook { field, at },
            Self::Segment(SegmentTriggerInput { segment_id, turn, own }) => {
                // One whose id cannot be read is one that there is not.
                let segment = SegmentId::parse(&segment_id).unwrap_or(SegmentId(Uuid::nil()));
                Trigger::Segment { segment, turn: turn.into(), own }
            }
            Self::Date(DayInput { field, days, at, clock }) => {
                Trigger::Date { field, days, at: at.0, zone: clock.into() }
            }
        }
    }
}
