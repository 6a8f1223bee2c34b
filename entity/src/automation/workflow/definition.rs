//! What a workflow does: what starts it, for which records, and its steps, as a version keeps them.
//!
//! Invariant: what is stored is what was checked, so that whoever carries it out need not check again. The steps
//! that do something are open: each slice adds its own, and nothing here knows what they do.

use std::collections::BTreeMap;

use chrono::{NaiveTime, TimeDelta};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::automation::event;
use crate::id::SegmentId;

/// What a workflow does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// The kind of record that it is carried out for, by its name in the catalogue, such as `Customer`.
    pub record: String,
    /// What starts it.
    pub trigger: Trigger,
    /// For which records: a filter of theirs; for all when it is empty.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub condition: Json,
    /// Which records have reached what it is for: a filter of theirs. Their runs end at the next step.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub goal: Json,
    /// How often it is carried out for the same record.
    pub reentry: Reentry,
    /// How many steps that do something it begins in an hour, over all runs; as many as there are when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_per_hour: Option<u32>,
    /// What it does, in this order where a step does not say which one follows.
    pub steps: Vec<Step>,
}

/// What starts a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trigger {
    /// Somebody starts it for records that they choose.
    Manual,
    /// Something happens to the record, or, for a customer, to what is theirs.
    Event {
        /// Any of these.
        kinds: Vec<event::Kind>,
        /// Whether what its own runs do starts it, too.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        own: bool,
    },
    /// A field of the record gets another value.
    Change {
        /// The field.
        field: String,
        /// Which values it had, any of these; any at all when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Vec<Json>>,
        /// Which values it gets, any of these; any at all when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Vec<Json>>,
        /// Whether what its own runs do starts it, too.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        own: bool,
    },
    /// Again and again, for all records that pass the condition.
    Schedule {
        /// Minutes, hours, days, months and days of the week, as cron writes them.
        cron: String,
        /// On the clocks of this zone; the organisation's when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<String>,
    },
    /// Another system says that something has happened, by a signed request.
    Webhook {
        /// The field by whose value it names records.
        field: String,
        /// The place of that value, or of several, in the request's body: a JSON pointer, such as `/data/customer`.
        at: String,
    },
    /// Some days before or after the day that a field of the record has.
    Date {
        /// The field.
        field: String,
        /// How many days after it; before it when it is negative.
        days: i32,
        /// At what time.
        at: NaiveTime,
        /// On whose clock.
        zone: Zone,
    },
    /// The customer enters a segment, or leaves it.
    Segment {
        /// Which.
        segment: SegmentId,
        /// Which of both.
        turn: SegmentTurn,
        /// Whether what its own runs do starts it, too.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        own: bool,
    },
}

/// What a customer does with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SegmentTurn {
    /// It comes to belong to it.
    Entered,
    /// It does not belong to it any more.
    Left,
}

impl SegmentTurn {
    /// What happens then.
    #[must_use]
    pub fn kind(self) -> event::Kind {
        match self {
            Self::Entered => event::Kind::SegmentEntered,
            Self::Left => event::Kind::SegmentLeft,
        }
    }
}

/// Whose clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Zone {
    /// The customer's; the organisation's where it has none.
    Customer,
    /// The organisation's.
    Organisation,
}

/// How often a workflow is carried out for the same record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reentry {
    /// Once and never again.
    Once,
    /// Again, once it has ended.
    AfterEnd,
    /// As often as it is started, also beside one another.
    Always,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What others call it; it stays the same from version to version.
    pub key: String,
    /// What happens.
    pub action: Action,
    /// Which step follows; the next one when absent, and after the last one the run ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
}

/// What happens in a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Time passes.
    Wait(Wait),
    /// Something has to happen to the record, or, for a customer, to what is theirs.
    WaitForEvent {
        /// Any of these.
        kinds: Vec<event::Kind>,
        /// For how long it is waited for, in seconds.
        within_s: i64,
        /// Which step follows when it did not happen; the run ends when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        otherwise: Option<String>,
    },
    /// Records that pass a filter go on, others elsewhere.
    Branch {
        /// The filter, in the form of the record's list.
        filter: Json,
        /// Which step follows for others; their run ends when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        otherwise: Option<String>,
    },
    /// Each run goes one of several ways, by chance, and always the same one.
    Split {
        /// Which step follows, and how many out of the sum of all.
        ways: BTreeMap<String, u32>,
    },
    /// Something is done.
    Do {
        /// What, by the name that a slice gave it, such as `notify`.
        what: String,
        /// With what.
        with: Json,
    },
    /// The run ends.
    End,
}

/// How time passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Wait {
    /// For a while, in seconds.
    For(i64),
    /// Until a clock shows a time, which is the next time that it does.
    Until {
        /// The time.
        at: NaiveTime,
        /// On whose clock.
        zone: Zone,
    },
    /// Until so many business days have passed, and a clock shows a time on the last of them.
    #[serde(rename_all = "camelCase")]
    Business {
        /// How many. For none it is the next time that the clock shows the time on a business day.
        days: u32,
        /// At what time.
        at: NaiveTime,
        /// On whose clock.
        zone: Zone,
        /// In which country, as ISO 3166-1 alpha-2; where the customer is when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        country: Option<String>,
    },
    /// Until some days before or after the day that a field of the record has at that time. It goes on at once when
    /// that is over, or when there is no day.
    Date {
        /// The field.
        field: String,
        /// How many days after it; before it when it is negative.
        days: i32,
        /// At what time.
        at: NaiveTime,
        /// On whose clock.
        zone: Zone,
    },
}

impl Trigger {
    /// Whether clocks start it, so that it is looked for what has come.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        matches!(self, Self::Date { .. } | Self::Schedule { .. })
    }
}

impl Definition {
    /// Which of the steps has the key.
    #[must_use]
    pub fn step(&self, key: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.key == key)
    }

    /// Which step follows the one at `index`; none after the last one.
    #[must_use]
    pub fn following(&self, index: usize) -> Option<usize> {
        match &self.steps.get(index)?.then {
            Some(key) => self.step(key),
            None => Some(index + 1).filter(|next| *next < self.steps.len()),
        }
    }

    /// All steps that may follow the one at `index`.
    #[must_use]
    pub fn successors(&self, index: usize) -> Vec<usize> {
        let Some(step) = self.steps.get(index) else { return Vec::new() };
        let named = |key: &Option<String>| key.as_deref().and_then(|key| self.step(key));
        match &step.action {
            Action::End => Vec::new(),
            Action::Split { ways } => ways.keys().filter_map(|key| self.step(key)).collect(),
            Action::Branch { otherwise, .. } | Action::WaitForEvent { otherwise, .. } => {
                self.following(index).into_iter().chain(named(otherwise)).collect()
            }
            Action::Wait(_) | Action::Do { .. } => self.following(index).into_iter().collect(),
        }
    }
}

impl Action {
    /// Whether time passes in it whatever happens, so that steps may follow one another in a circle through it.
    #[must_use]
    pub fn takes_time(&self) -> bool {
        // The next time that a clock shows a time may be now, as may be an event.
        match self {
            Self::Wait(Wait::For(seconds)) => *seconds > 0,
            Self::Wait(Wait::Business { days, .. }) => *days > 0,
            _ => false,
        }
    }
}

/// The longest that a step waits.
pub const LONGEST: TimeDelta = TimeDelta::days(3_660);
