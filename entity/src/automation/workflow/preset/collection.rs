//! What is asked for that is not paid.

use serde_json::{Value, json};

use super::{Preset, act, nine, step};
use crate::automation::message::Content;
use crate::automation::workflow::definition::{Definition, Reentry, Trigger, Zone};
use crate::collaboration::call::{Purpose, Wanted};
use crate::collaboration::later::Later;
use crate::collaboration::task::Priority;
use crate::customers::customer::Channel;
use crate::finance::dunning::Ladder;
use crate::finance::dunning::ladder::{Level, Scope, Wording};

/// Consumers and companies in Viet Nam: friendly at first, no threats, a call at the end.
pub(super) fn viet_nam() -> Preset {
    let levels = vec![
        level(-3, courtesy()),
        level(3, reminder()),
        level(14, second()),
        level(30, last()),
        Level { call: Some(call()), ..level(45, Vec::new()) },
    ];
    ladder("dunning-vn", "Dunning, Viet Nam", levels, 5)
}

/// Companies in the European Union: payment is late from the day after it was due, without a reminder.
pub(super) fn european_union() -> Preset {
    let levels = vec![
        level(-5, courtesy()),
        level(5, reminder()),
        level(15, second()),
        level(30, last()),
        Level { call: Some(call()), ..level(40, Vec::new()) },
    ];
    ladder("dunning-eu", "Dunning, European Union", levels, 7)
}

fn ladder(key: &'static str, name: &'static str, levels: Vec<Level>, between_days: u32) -> Preset {
    let ladder = Ladder {
        own_only: false,
        scope: Scope::Customer,
        at: nine(),
        zone: Zone::Customer,
        between_days,
        minimum: Vec::new(),
        levels,
    };
    Preset {
        key,
        name,
        active: false,
        definition: Definition {
            record: "Invoice".to_owned(),
            // Every night, so that what was imported, or is open again, is asked for, too.
            trigger: Trigger::Schedule { cron: "0 3 * * *".to_owned(), zone: None },
            condition: json!({ "state": { "eq": "OPEN" }, "kind": { "eq": "INVOICE" } }),
            goal: Value::Null,
            reentry: Reentry::AfterEnd,
            most_per_hour: None,
            steps: vec![step("dun", act("dun", json!(ladder)))],
        },
    }
}

fn level(days: i32, notices: Vec<Wording>) -> Level {
    Level {
        enclose: Vec::new(),
        days,
        minimum: Vec::new(),
        notices,
        call: None,
        fee: Vec::new(),
        waived_days: 0,
        interest: None,
        approval: false,
    }
}

fn mail(english: (&str, &str), vietnamese: (&str, &str)) -> Vec<Wording> {
    let content = |language: &str, (subject, text): (&str, &str)| Content {
        language: language.to_owned(),
        subject: Some(subject.to_owned()),
        text: text.to_owned(),
    };
    let contents = vec![content("en", english), content("vi", vietnamese)];
    vec![Wording { channel: Channel::Email, plain: false, contents }]
}

fn courtesy() -> Vec<Wording> {
    mail(
        (
            "Payment due soon: {{ record.total }}",
            "Dear {{ addressee }},\n\nthis is a friendly note that the payment below is about to fall due. If you have arranged \
             it already, thank you, and please disregard this mail.\n\nKind regards\n{{ organisation.name }}",
        ),
        (
            "Sắp đến hạn thanh toán: {{ record.total }}",
            "Kính gửi {{ addressee }},\n\nChúng tôi xin nhắc Quý khách về khoản thanh toán sắp đến hạn dưới đây. Nếu Quý khách \
             đã thanh toán, xin cảm ơn và xin bỏ qua thư này.\n\nTrân trọng,\n{{ organisation.name }}",
        ),
    )
}

fn reminder() -> Vec<Wording> {
    mail(
        (
            "Payment reminder: {{ record.total }}",
            "Dear {{ addressee }},\n\nthe amount below is overdue, the oldest part of it since {{ record.firstDueOn }}. It may \
             simply have been overlooked: please pay {{ record.total }} within seven days. If something is not right with an \
             invoice, let us know by answering this mail.\n\nKind regards\n{{ organisation.name }}",
        ),
        (
            "Nhắc thanh toán: {{ record.total }}",
            "Kính gửi {{ addressee }},\n\nKhoản tiền dưới đây đã quá hạn, phần lâu nhất từ ngày {{ record.firstDueOn }}. Có thể \
             Quý khách chưa kịp để ý, kính mong Quý khách thanh toán {{ record.total }} trong vòng bảy ngày. Nếu có hóa đơn \
             chưa đúng, xin trả lời thư này để chúng tôi biết.\n\nTrân trọng,\n{{ organisation.name }}",
        ),
    )
}

fn second() -> Vec<Wording> {
    mail(
        (
            "Second reminder: {{ record.total }} overdue",
            "Dear {{ addressee }},\n\nwe have not received {{ record.total }}, the oldest part of which has been due since \
             {{ record.firstDueOn }}. Please pay it within seven days, or call us at \
             {{ organisation.phone | default(organisation.email) }} to agree on how you can.\n\nKind regards\n\
             {{ organisation.name }}",
        ),
        (
            "Nhắc thanh toán lần hai: {{ record.total }} quá hạn",
            "Kính gửi {{ addressee }},\n\nChúng tôi chưa nhận được {{ record.total }}, phần lâu nhất đến hạn từ ngày \
             {{ record.firstDueOn }}. Kính đề nghị Quý khách thanh toán trong vòng bảy ngày, hoặc liên hệ \
             {{ organisation.phone | default(organisation.email) }} để thống nhất cách thanh toán.\n\nTrân trọng,\n\
             {{ organisation.name }}",
        ),
    )
}

fn last() -> Vec<Wording> {
    mail(
        (
            "Final notice: {{ record.total }} overdue",
            "Dear {{ addressee }},\n\nin spite of our reminders {{ record.total }} is still unpaid. Please pay it within seven \
             days. If that is not possible, talk to us now at {{ organisation.phone | default(organisation.email) }}: we can \
             agree on instalments. After that we shall call you.\n\nKind regards\n{{ organisation.name }}",
        ),
        (
            "Thông báo cuối: {{ record.total }} quá hạn",
            "Kính gửi {{ addressee }},\n\nMặc dù chúng tôi đã nhắc, {{ record.total }} vẫn chưa được thanh toán. Kính đề nghị \
             Quý khách thanh toán trong vòng bảy ngày. Nếu chưa thể, xin liên hệ ngay \
             {{ organisation.phone | default(organisation.email) }}: hai bên có thể thống nhất trả góp. Sau thời hạn này chúng \
             tôi sẽ gọi điện cho Quý khách.\n\nTrân trọng,\n{{ organisation.name }}",
        ),
    )
}

fn call() -> Wanted {
    Wanted {
        subject: "Unpaid after the final notice".to_owned(),
        purpose: Purpose::Collection,
        planned: Later::On { days: 1, at: nine(), zone: Zone::Customer },
        planned_min: 15,
        assignee: None,
        priority: Priority::High,
        needs: Some(
            "When and how it will be paid, or what is not right with the invoice".to_owned(),
        ),
        say: Some(
            "Make sure that you speak to the customer before you mention what is owed".to_owned(),
        ),
        avoid: Some("Threats; telling anybody else about the debt".to_owned()),
        offer: Some("Payment by instalments".to_owned()),
        remind_s: Vec::new(),
    }
}
