//! What users have to do, and who is told when nobody does it.

use serde_json::{Value, json};

use super::{DAY_S, Preset, act, nine, step};
use crate::automation::event;
use crate::automation::workflow::definition::{
    Action, Definition, Reentry, Step, Trigger, Wait, Zone,
};
use crate::automation::workflow::performer::Performer;
use crate::collaboration::call::{self, Purpose, Wanted};
use crate::collaboration::later::Later;
use crate::collaboration::notification;
use crate::collaboration::task::{self, Priority};

/// The cadence of calls says when it is tried again; here is what comes when that has given up, and after a promise.
pub(super) fn next_call() -> Preset {
    let given_up = json!({
        "outcome": { "in": ["NO_ANSWER", "BUSY", "VOICEMAIL", "THIRD_PARTY_ANSWERED"] }, "not": { "nextCall": {} },
    });
    let promised =
        json!({ "outcome": { "eq": "PROMISE_TO_PAY" }, "promisedOn": { "isNull": false } });
    let call = |subject: &str, purpose, say: &str, days| {
        let wanted = Wanted {
            subject: subject.to_owned(),
            purpose,
            planned: Later::On { days, at: nine(), zone: Zone::Customer },
            planned_min: 15,
            assignee: None,
            priority: Priority::Normal,
            needs: None,
            say: Some(say.to_owned()),
            avoid: None,
            offer: None,
            remind_s: vec![900],
        };
        act(call::CreateCall.name(), json!(wanted))
    };
    let goes_on = Action::Branch { filter: promised.clone(), otherwise: Some("again".to_owned()) };
    let day_after = Action::Wait(Wait::Date {
        field: "promisedOn".to_owned(),
        days: 1,
        at: nine(),
        zone: Zone::Customer,
    });
    let pay =
        call("Has it been paid?", Purpose::Collection, "Ask for the payment that was promised", 0);
    let again = call("Not reached before", Purpose::FollowUp, "Say what the last call was for", 14);
    Preset {
        key: "next-call",
        name: "Next call when nobody was reached, or after a promise to pay",
        active: false,
        definition: Definition {
            record: "Call".to_owned(),
            trigger: Trigger::Event { kinds: vec![event::Kind::CallCompleted], own: false },
            condition: json!({ "or": [given_up, promised] }),
            goal: Value::Null,
            reentry: Reentry::Once,
            most_per_hour: None,
            steps: vec![
                step("promised", goes_on),
                step("day-after", day_after),
                Step { then: Some("end".to_owned()), ..step("pay", pay) },
                step("again", again),
                step("end", Action::End),
            ],
        },
    }
}

pub(super) fn overdue_task() -> Preset {
    let due = |days| Trigger::Date {
        field: "dueAt".to_owned(),
        days,
        at: nine(),
        zone: Zone::Organisation,
    };
    Preset {
        key: "overdue-task",
        name: "Escalation of overdue tasks",
        active: false,
        definition: Definition {
            record: "Task".to_owned(),
            trigger: due(1),
            condition: json!({ "state": { "eq": "OPEN" } }),
            goal: json!({ "state": { "ne": "OPEN" } }),
            reentry: Reentry::AfterEnd,
            most_per_hour: None,
            steps: escalation(
                &[event::Kind::TaskUpdated, event::Kind::TaskCompleted, event::Kind::TaskDeleted],
                [
                    "A task of yours is overdue",
                    "A task of somebody who reports to you has been overdue for two days, untouched",
                    "A task has been overdue for four days, and nobody has touched it",
                ],
            ),
        },
    }
}

pub(super) fn forgotten_call() -> Preset {
    Preset {
        key: "forgotten-call",
        name: "Escalation of forgotten calls",
        active: false,
        definition: Definition {
            record: "Call".to_owned(),
            trigger: Trigger::Event { kinds: vec![event::Kind::CallForgotten], own: false },
            condition: Value::Null,
            goal: json!({ "state": { "ne": "PLANNED" } }),
            reentry: Reentry::AfterEnd,
            most_per_hour: None,
            steps: escalation(
                &[
                    event::Kind::CallUpdated,
                    event::Kind::CallStarted,
                    event::Kind::CallCompleted,
                    event::Kind::CallDeleted,
                ],
                [
                    "You have forgotten to call somebody",
                    "A call of somebody who reports to you was forgotten a day ago",
                    "A call was forgotten three days ago, and nobody has seen to it",
                ],
            ),
        },
    }
}

/// Whoever looks after the customer is told a month before a contract ends, and has a call with them as a task; a week
/// before, if it still ends then, their lead is told. A contract that is renewed gets another last day.
pub(super) fn contract_renewal() -> Preset {
    let before = |days: i32| (-days, nine());
    let (days, at) = before(30);
    let field = || "validUntil".to_owned();
    let zone = Zone::Organisation;
    let tell = |to: notification::To, text: &str| {
        act(notification::Notify.name(), json!({ "to": to, "text": text }))
    };
    let task = json!({
        "title": "Talk to the customer about renewing the contract", "priority": Priority::Normal,
        "dueInS": 14 * DAY_S,
    });
    let (week, _) = before(7);
    Preset {
        key: "contract-renewal",
        name: "Renewal of contracts and other documents before they end",
        active: false,
        definition: Definition {
            record: "Document".to_owned(),
            trigger: Trigger::Date { field: field(), days, at, zone },
            condition: Value::Null,
            goal: Value::Null,
            // Another last day starts anew, beside what waits for the one before.
            reentry: Reentry::Always,
            most_per_hour: None,
            steps: vec![
                step("owner", tell(notification::To::Owner, "A contract ends in thirty days")),
                step("talk", act(task::CreateTask.name(), task)),
                step("wait", Action::Wait(Wait::Date { field: field(), days: week, at, zone })),
                step(
                    "ends",
                    Action::Branch {
                        filter: json!({ "validUntil": { "within": { "unit": "DAY", "to": 7 } } }),
                        otherwise: None,
                    },
                ),
                step(
                    "lead",
                    tell(notification::To::Lead, "A contract ends in a week, and was not renewed"),
                ),
            ],
        },
    }
}

/// Who has to do it is told, a day later their lead, and two days after that whoever is above; until somebody touches it,
/// which is when something happens of these kinds.
fn escalation(touched: &[event::Kind], texts: [&str; 3]) -> Vec<Step> {
    let tell = |to: notification::To, text: &str| {
        act(notification::Notify.name(), json!({ "to": to, "text": text }))
    };
    let untouched = |days, next: &str| Action::WaitForEvent {
        kinds: touched.to_vec(),
        within_s: days * DAY_S,
        otherwise: Some(next.to_owned()),
    };
    let or_end = |key, action| Step { then: Some("end".to_owned()), ..step(key, action) };
    let [responsible, lead, manager] = texts;
    vec![
        step("responsible", tell(notification::To::Responsible, responsible)),
        or_end("a-day", untouched(1, "lead")),
        step("lead", tell(notification::To::Lead, lead)),
        or_end("two-days", untouched(2, "manager")),
        step("manager", tell(notification::To::Manager, manager)),
        step("end", Action::End),
    ]
}
