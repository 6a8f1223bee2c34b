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
use super::{Column, Entity, Model, State, version, written};
use crate::access::Actor;
use crate::access::audit::Origin;
use crate::automation::event;
use crate::automation::message::{Class, Content, Send, To};
use crate::customers::customer::Channel;
use crate::db::Db;
use crate::error::Error;
use crate::id::{Id, WorkflowId};

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

fn presets() -> [Preset; 4] {
    [receipt(), welcome(), due_soon(), overdue_task()]
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
                step("welcome", send(To::Customer, vec![english, vietnamese])),
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
            steps: vec![step("remind", send(To::Billing, vec![english, vietnamese]))],
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
    let tell = |text: &str| act("notify", json!({ "text": text }));
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
            steps: vec![
                step("remind", tell("A task for your customer is overdue")),
                step("wait", Action::Wait(Wait::For(2 * 86_400))),
                step("again", tell("A task for your customer has been overdue for three days")),
            ],
        },
    }
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

fn send(to: To, contents: Vec<Content>) -> Action {
    let send = Send {
        channel: Channel::Email,
        class: Class::Service,
        topic: None,
        to,
        within_s: 3 * 86_400,
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
