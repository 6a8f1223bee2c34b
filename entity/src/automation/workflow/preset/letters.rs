//! What goes to customers.

use serde_json::{Value, json};

use super::{DAY_S, Preset, act, nine, step};
use crate::automation::event;
use crate::automation::message::{Class, Content, Send, To};
use crate::automation::workflow::definition::{Action, Definition, Reentry, Trigger, Wait, Zone};
use crate::customers::customer::Channel;

pub(super) fn receipt() -> Preset {
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

pub(super) fn welcome() -> Preset {
    let vietnamese = Content {
        language: "vi".to_owned(),
        subject: Some("Chào mừng {{ addressee }} đến với {{ organisation.name }}".to_owned()),
        text: "Kính gửi {{ addressee }},\n\nCảm ơn Quý khách đã tin tưởng {{ organisation.name }}. Nếu Quý khách cần hỗ trợ, \
               xin trả lời thư này, chúng tôi sẽ phản hồi sớm nhất.\n\nTrân trọng,\n{{ organisation.name }}"
            .to_owned(),
    };
    let english = Content {
        language: "en".to_owned(),
        subject: Some("Welcome to {{ organisation.name }}".to_owned()),
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

pub(super) fn due_soon() -> Preset {
    let vietnamese = Content {
        language: "vi".to_owned(),
        subject: Some("Hóa đơn {{ record.number }} đến hạn ngày {{ record.dueOn }}".to_owned()),
        text: "Kính gửi {{ addressee }},\n\nHóa đơn {{ record.number }}, tổng số tiền {{ record.total }}, đến hạn thanh toán ngày \
               {{ record.dueOn }}. Nếu Quý khách đã thanh toán, xin bỏ qua thư này.\n\nTrân trọng,\n{{ organisation.name }}"
            .to_owned(),
    };
    let english = Content {
        language: "en".to_owned(),
        subject: Some("Invoice {{ record.number }} is due on {{ record.dueOn }}".to_owned()),
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

pub(super) fn appointment_soon() -> Preset {
    let vietnamese = Content {
        language: "vi".to_owned(),
        subject: Some("Nhắc lịch hẹn: {{ record.subject }}".to_owned()),
        text: "Kính gửi {{ addressee }},\n\n{{ organisation.name }} xin nhắc Quý khách về lịch hẹn “{{ record.subject }}” lúc \
               {{ record.startsAt }}{% if record.location is defined %}, tại {{ record.location }}{% endif %}. Nếu Quý khách \
               không thể đến, xin trả lời thư này.\n\nTrân trọng,\n{{ organisation.name }}"
            .to_owned(),
    };
    let english = Content {
        language: "en".to_owned(),
        subject: Some("Your appointment: {{ record.subject }}".to_owned()),
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

/// Who has paid all that it was asked for, a day or less after it was asked, is told not to mind the notice: at most once a day.
pub(super) fn payment_crossed() -> Preset {
    let english = Content {
        language: "en".to_owned(),
        subject: Some("Thank you for your payment".to_owned()),
        text: "Dear {{ addressee }},\n\nthank you for your payment. It has crossed with our reminder: please disregard that, nothing \
               of it is open any more.\n\nKind regards\n{{ organisation.name }}"
            .to_owned(),
    };
    let vietnamese = Content {
        language: "vi".to_owned(),
        subject: Some("Cảm ơn Quý khách đã thanh toán".to_owned()),
        text: "Kính gửi {{ addressee }},\n\nCảm ơn Quý khách đã thanh toán. Khoản thanh toán và thư nhắc của chúng tôi đã được gửi \
               gần như cùng lúc, xin Quý khách bỏ qua thư nhắc đó: không còn khoản nào trong thư chưa thanh toán.\n\nTrân trọng,\n\
               {{ organisation.name }}"
            .to_owned(),
    };
    let asked = json!({
        "kind": { "eq": "DUNNING" }, "state": { "eq": "ACCEPTED" },
        "settledAt": { "within": { "unit": "DAY", "from": -1 } },
    });
    let still = json!({ "state": { "eq": "OPEN" }, "dunningLevel": { "gte": 1 } });
    Preset {
        key: "payment-crossed",
        name: "Thanks for a payment that crosses with a notice",
        active: false,
        definition: Definition {
            record: "Customer".to_owned(),
            trigger: Trigger::Event { kinds: vec![event::Kind::PaymentRecorded], own: false },
            condition: json!({ "messages": { "some": asked }, "invoices": { "none": still } }),
            goal: Value::Null,
            reentry: Reentry::AfterEnd,
            most_per_hour: None,
            steps: vec![
                step("thanks", send(To::Billing, DAY_S, vec![english, vietnamese])),
                step("day", Action::Wait(Wait::For(DAY_S))),
            ],
        },
    }
}

/// What goes to a customer, if it can within so many seconds.
fn send(to: To, within_s: i64, contents: Vec<Content>) -> Action {
    let send = Send {
        channel: Channel::Email,
        class: Class::Service,
        topic: None,
        to,
        within_s,
        plain: false,
        contents,
    };
    act("send", serde_json::to_value(send).unwrap_or_default())
}
