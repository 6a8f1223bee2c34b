//! Workflows that Rapport brings along: the receipt is carried out from the start, the others wait as drafts to be
//! copied, changed and published.
//!
//! Invariant: each is brought along once. What somebody has made of one since then is theirs.

use chrono::NaiveTime;
use futures::FutureExt;
use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use serde_json::{Value, json};

use super::definition::{Action, Definition, Reentry, Step, Trigger, Wait, Zone};
use super::performer::Performer;
use super::{Column, Entity, Model, State, version, written};
use crate::access::Actor;
use crate::access::audit::Origin;
use crate::automation::event;
use crate::automation::message::{Class, Content, Send, To};
use crate::collaboration::call::{self, Purpose, Wanted};
use crate::collaboration::later::Later;
use crate::collaboration::notification;
use crate::collaboration::task::Priority;
use crate::customers::customer::Channel;
use crate::db::Db;
use crate::error::Error;
use crate::id::{Id, WorkflowId};

/// How many seconds a day has.
const DAY_S: i64 = 86_400;

/// A workflow that Rapport brings along.
struct Preset {
    /// What it is known by.
    key: &'static str,
    /// What people call it.
    name: &'static str,
    /// Whether it is carried out from the start.
    active: bool,
    /// What it does.
    definition: Definition,
}

/// Brings along what is not there yet. Changes nothing when all is.
///
/// # Errors
/// The database.
pub async fn install(db: &Db, now: DateTimeUtc) -> Result<(), Error> {
    let origin = Origin::new(Actor::System, now);
    db.write_as(&origin, |txn| {
        async move {
            for preset in presets() {
                add(txn, preset, now).await?;
            }
            Ok(())
        }
        .boxed()
    })
    .await
}

async fn add(txn: &impl ConnectionTrait, preset: Preset, now: DateTimeUtc) -> Result<(), Error> {
    let Preset { key, name, active, definition } = preset;
    let mut row = Model {
        id: WorkflowId::new(now),
        name: name.to_owned(),
        state: State::Draft,
        draft: written(&definition)?,
        active_id: None,
        forecast_id: None,
        looked_at: None,
        problem: None,
        preset: Some(key.to_owned()),
        created_at: now,
        created_by: None,
        updated_at: now,
        updated_by: None,
        version: 1,
    };
    let once = OnConflict::column(Column::Preset).do_nothing().to_owned();
    let added = Entity::insert(row.clone().into_active_model().reset_all()).on_conflict(once);
    if added.exec_without_returning(txn).await? == 0 || !active {
        return Ok(());
    }
    let version = version::add(txn, &row, &definition, Actor::System, now).await?;
    (row.state, row.active_id) = (State::Active, Some(version.id));
    row.into_active_model().reset_all().update(txn).await?;
    Ok(())
}

fn presets() -> [Preset; 7] {
    [
        receipt(),
        welcome(),
        due_soon(),
        appointment_soon(),
        next_call(),
        overdue_task(),
        forgotten_call(),
    ]
}

fn receipt() -> Preset {
    let kinds = vec![event::Kind::PaymentRecorded, event::Kind::PaymentReversed];
    Preset {
        key: "receipt",
        name: "Receipt on payment",
        active: true,
        definition: Definition {
            record: "Payment".to_owned(),
            trigger: Trigger::Event { kinds, own: false },
            condition: Value::Null,
            goal: Value::Null,
            reentry: Reentry::Always,
            most_per_hour: None,
            steps: vec![step("receipt", act("sendReceipt", json!({})))],
        },
    }
}

fn welcome() -> Preset {
    let vietnamese = Content {
        language: "vi".to_owned(),
        subject: "Chào mừng {{ addressee }} đến với {{ organisation.name }}".to_owned(),
        text: "Kính gửi {{ addressee }},\n\nCảm ơn Quý khách đã tin tưởng {{ organisation.name }}. Nếu Quý khách cần hỗ trợ, \
               xin trả lời thư này, chúng tôi sẽ phản hồi sớm nhất.\n\nTrân trọng,\n{{ organisation.name }}"
            .to_owned(),
    };
    let english = Content {
        language: "en".to_owned(),
        subject: "Welcome to {{ organisation.name }}".to_owned(),
        text: "Dear {{ addressee }},\n\nThank you for choosing {{ organisation.name }}. If there is anything that we can \
               help you with, simply answer this mail.\n\nKind regards\n{{ organisation.name }}"
            .to_owned(),
    };
    Preset {
        key: "welcome",
        name: "Welcome",
        active: false,
        definition: Definition {
            record: "Customer".to_owned(),
            trigger: Trigger::Event { kinds: vec![event::Kind::CustomerCreated], own: false },
            condition: json!({ "email": { "isNull": false } }),
            goal: Value::Null,
            reentry: Reentry::Once,
            most_per_hour: None,
            steps: vec![
                step("morning", Action::Wait(Wait::Until { at: nine(), zone: Zone::Customer })),
                step("welcome", send(To::Customer, 3 * DAY_S, vec![english, vietnamese])),
            ],
        },
    }
}

fn due_soon() -> Preset {
    let vietnamese = Content {
        language: "vi".to_owned(),
        subject: "Hóa đơn {{ record.number }} đến hạn ngày {{ record.dueOn }}".to_owned(),
        text: "Kính gửi {{ addressee }},\n\nHóa đơn {{ record.number }}, tổng số tiền {{ record.total }}, đến hạn thanh toán ngày \
               {{ record.dueOn }}. Nếu Quý khách đã thanh toán, xin bỏ qua thư này.\n\nTrân trọng,\n{{ organisation.name }}"
            .to_owned(),
    };
    let english = Content {
        language: "en".to_owned(),
        subject: "Invoice {{ record.number }} is due on {{ record.dueOn }}".to_owned(),
        text: "Dear {{ addressee }},\n\nInvoice {{ record.number }} over {{ record.total }} is due on {{ record.dueOn }}. If you \
               have paid it already, please disregard this mail.\n\nKind regards\n{{ organisation.name }}"
            .to_owned(),
    };
    Preset {
        key: "due-soon",
        name: "Reminder before an invoice is due",
        active: false,
        definition: Definition {
            record: "Invoice".to_owned(),
            trigger: Trigger::Date {
                field: "dueOn".to_owned(),
                days: -3,
                at: nine(),
                zone: Zone::Customer,
            },
            condition: json!({ "state": { "eq": "OPEN" } }),
            goal: json!({ "state": { "ne": "OPEN" } }),
            reentry: Reentry::AfterEnd,
            most_per_hour: None,
            steps: vec![step("remind", send(To::Billing, 3 * DAY_S, vec![english, vietnamese]))],
        },
    }
}

fn appointment_soon() -> Preset {
    let vietnamese = Content {
        language: "vi".to_owned(),
        subject: "Nhắc lịch hẹn: {{ record.subject }}".to_owned(),
        text: "Kính gửi {{ addressee }},\n\n{{ organisation.name }} xin nhắc Quý khách về lịch hẹn “{{ record.subject }}” lúc \
               {{ record.startsAt }}{% if record.location is defined %}, tại {{ record.location }}{% endif %}. Nếu Quý khách \
               không thể đến, xin trả lời thư này.\n\nTrân trọng,\n{{ organisation.name }}"
            .to_owned(),
    };
    let english = Content {
        language: "en".to_owned(),
        subject: "Your appointment: {{ record.subject }}".to_owned(),
        text: "Dear {{ addressee }},\n\nThis is a reminder of your appointment “{{ record.subject }}” with \
               {{ organisation.name }} at {{ record.startsAt }}{% if record.location is defined %}, {{ record.location }}\
               {% endif %}. If you cannot come, simply answer this mail.\n\nKind regards\n{{ organisation.name }}"
            .to_owned(),
    };
    Preset {
        key: "appointment-soon",
        name: "Reminder before an appointment",
        active: false,
        definition: Definition {
            record: "Appointment".to_owned(),
            trigger: Trigger::Date {
                field: "startsAt".to_owned(),
                days: -1,
                at: nine(),
                zone: Zone::Customer,
            },
            // Of whole days there is no time to tell.
            condition: json!({ "state": { "eq": "PLANNED" }, "allDay": { "eq": false } }),
            goal: json!({ "state": { "ne": "PLANNED" } }),
            reentry: Reentry::AfterEnd,
            most_per_hour: None,
            steps: vec![step("remind", send(To::Customer, DAY_S / 2, vec![english, vietnamese]))],
        },
    }
}

/// The cadence of calls says when it is tried again; here is what comes when that has given up, and after a promise.
fn next_call() -> Preset {
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

fn overdue_task() -> Preset {
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

fn forgotten_call() -> Preset {
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

fn nine() -> NaiveTime {
    NaiveTime::from_hms_opt(9, 0, 0).unwrap_or_default()
}

fn step(key: &str, action: Action) -> Step {
    Step { key: key.to_owned(), action, then: None }
}

fn act(what: &str, with: Value) -> Action {
    Action::Do { what: what.to_owned(), with }
}

/// What goes to a customer, if it can within so many seconds.
fn send(to: To, within_s: i64, contents: Vec<Content>) -> Action {
    let send = Send {
        channel: Channel::Email,
        class: Class::Service,
        topic: None,
        to,
        within_s,
        contents,
    };
    act("send", serde_json::to_value(send).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Calendar, Viewer};
    use crate::automation::workflow::check::check;
    use crate::automation::workflow::performer::performers;

    #[tokio::test]
    async fn whatever_is_brought_along_can_be_published() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/rapport.db", folder.path().display());
        let db = Db::connect(&url, 1).await.unwrap();
        migration::migrate(db.reader()).await.unwrap();
        for preset in presets() {
            let now = DateTimeUtc::UNIX_EPOCH;
            let viewer = Viewer::rapport(
                db.reader().get_database_backend(),
                Calendar::at(now, chrono_tz::Tz::UTC),
            );
            let checked = check(db.reader(), &preset.definition, &performers(), &viewer).await;
            assert!(checked.is_ok(), "{}: {checked:?}", preset.key);
        }
    }
}
