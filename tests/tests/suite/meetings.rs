//! What a customer's people are sent about appointments: an invitation, each change of it, and that it does not take place.

use chrono::TimeDelta;
use entity::access::Role;
use mail_parser::{MessageParser, MimeHeaders};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::given::{self, CREATE_APPOINTMENT};

const UPDATE: &str = "mutation ($id: ID!, $input: UpdateAppointmentInput!, $part: OccurrenceInput) {
  updateAppointment(id: $id, input: $input, occurrence: $part) { appointment { id } userErrors { code message field } } }";

const CANCEL: &str =
    "mutation ($id: ID!, $part: OccurrenceInput) { cancelAppointment(id: $id, occurrence: $part) {
  appointment { id } userErrors { code field } } }";

/// A customer with a person there who has an address; gives both ids.
async fn company(app: &App, language: &str) -> (Value, Value) {
    let customer = json!(given::customer(app, "Công ty Ánh Dương", language, "VND").await);
    let create = "mutation ($id: ID!) { createContact(customerId: $id, input: {
      name: \"Trần <b>Đạt</b> {{ 7*7 }}\", email: \"dat@anhduong.example\" }) { contact { id } userErrors { code } } }";
    let contact = app.make("contact", create, json!({ "id": customer })).await["id"].clone();
    (customer, contact)
}

/// Makes an appointment with somebody; gives its id.
async fn invite(app: &App, (customer, contact): &(Value, Value), more: Value) -> Value {
    let mut input = json!({
        "subject": "Ký hợp đồng; bản 2", "location": "12 Nguyễn Huệ, Quận 1", "timeZone": "Asia/Ho_Chi_Minh",
        "when": { "at": { "startsAt": "2026-11-10T02:00:00Z", "durationMin": 45 } },
        "customerId": customer, "contactIds": [contact], "description": "Mang theo CCCD.",
    });
    for (field, value) in more.as_object().expect("an object") {
        input[field] = value.clone();
    }
    app.make("appointment", CREATE_APPOINTMENT, json!({ "input": input })).await["id"].clone()
}

/// The mails that went out by now: subject, text, and the lines of the calendar file with its type.
async fn mails(app: &App) -> Vec<(String, String, Vec<String>)> {
    app.drain().await;
    let read = |raw: &[u8]| {
        let mail = MessageParser::default().parse(raw).expect("a mail");
        let file = mail.attachments().next().expect("a file");
        let kind = file.content_type().expect("a type");
        let mut lines = vec![kind.attribute("method").unwrap_or_default().to_owned()];
        let text = String::from_utf8(file.contents().to_vec()).expect("text").replace("\r\n ", "");
        lines.extend(text.lines().map(str::to_owned));
        let subject = mail.subject().unwrap_or_default().to_owned();
        (subject, mail.body_text(0).expect("a text").replace("\r\n", "\n"), lines)
    };
    app.mailbox.mails().iter().map(|mail| read(&mail.raw)).collect()
}

fn has(lines: &[String], wanted: &str) -> bool {
    lines.iter().any(|line| line == wanted)
}

on_both_stacks! {
    /// Who is invited gets a mail in their language with a file for their calendar, and another one with each change.
    async fn a_customers_people_are_invited_and_told_of_changes(app: App) {
        let id = invite(app, &company(app, "vi").await, json!({})).await;
        let sent = mails(app).await;
        assert_eq!(sent.len(), 1);
        let (subject, text, lines) = &sent[0];
        assert_eq!(subject, "Lời mời: Ký hợp đồng; bản 2");
        assert!(text.contains("Kính gửi Trần <b>Đạt</b> {{ 7*7 }},"), "{text}");
        assert!(text.contains("10/11/2026, 09:00 – 09:45 (Asia/Ho_Chi_Minh)"), "{text}");
        assert!(text.contains("12 Nguyễn Huệ, Quận 1") && text.contains("Mang theo CCCD."), "{text}");
        for line in ["REQUEST", "METHOD:REQUEST", "DTSTART:20261110T020000Z", "DTEND:20261110T024500Z", "SUMMARY:Ký hợp đồng\\; bản 2", "SEQUENCE:0"] {
            assert!(has(lines, line), "{line} in {lines:#?}");
        }
        assert!(lines.iter().any(|line| line.starts_with("ATTENDEE;") && line.ends_with("mailto:dat@anhduong.example")), "{lines:#?}");
        app.make("appointment", UPDATE, json!({ "id": id, "input": {} })).await;
        assert_eq!(mails(app).await.len(), 1, "what does not change is no news");
        let later = json!({ "when": { "at": { "startsAt": "2026-11-11T02:00:00Z", "durationMin": 45 } } });
        app.kill_workers().await;
        app.make("appointment", UPDATE, json!({ "id": id, "input": later })).await;
        app.make("appointment", CANCEL, json!({ "id": id })).await;
        app.make("appointment", CANCEL, json!({ "id": id })).await;
        app.start_workers();
        let sent = mails(app).await;
        let subjects: Vec<_> = sent.iter().map(|(subject, ..)| subject.as_str()).collect();
        // What was changed and called off before anything went out is one mail.
        assert_eq!(subjects, ["Lời mời: Ký hợp đồng; bản 2", "Đã hủy: Ký hợp đồng; bản 2"]);
        let (_, text, lines) = &sent[1];
        assert!(has(lines, "METHOD:CANCEL") && has(lines, "STATUS:CANCELLED") && has(lines, "SEQUENCE:2"), "{lines:#?}");
        let uid = |lines: &[String]| lines.iter().find(|line| line.starts_with("UID:")).cloned();
        assert_eq!(uid(lines), uid(&sent[0].2), "it is the same appointment");
        assert!(text.contains("Cuộc hẹn này không diễn ra."), "{text}");
    }

    /// Of a series one occurrence is changed by its place in it, and what takes its end is told, too.
    async fn a_changed_occurrence_takes_its_place_in_the_series(app: App) {
        let id = invite(app, &company(app, "en").await, json!({ "repeats": "FREQ=WEEKLY;BYDAY=TU" })).await;
        let first = mails(app).await;
        assert!(has(&first[0].2, "RRULE:FREQ=WEEKLY;BYDAY=TU"), "{:#?}", first[0].2);
        assert!(has(&first[0].2, "DTSTART;TZID=Asia/Ho_Chi_Minh:20261110T090000"), "{:#?}", first[0].2);
        app.advance(TimeDelta::minutes(1));
        let at = |day: u32| json!({ "at": format!("2026-11-{day}T02:00:00Z") });
        let moved = json!({ "when": { "at": { "startsAt": "2026-11-18T02:00:00Z", "durationMin": 45 } } });
        app.make("appointment", UPDATE, json!({ "id": id, "input": moved, "part": at(17) })).await;
        let (subject, text, lines) = mails(app).await.pop().expect("a mail");
        assert_eq!(subject, "Changed: Ký hợp đồng; bản 2");
        assert!(text.contains("18 November 2026, 09:00 – 09:45 (Asia/Ho_Chi_Minh)"), "{text}");
        assert!(has(&lines, "RECURRENCE-ID;TZID=Asia/Ho_Chi_Minh:20261117T090000"), "{lines:#?}");
        app.make("appointment", CANCEL, json!({ "id": id, "part": at(24) })).await;
        let (.., lines) = mails(app).await.pop().expect("a mail");
        assert!(has(&lines, "METHOD:CANCEL") && has(&lines, "RECURRENCE-ID;TZID=Asia/Ho_Chi_Minh:20261124T090000"), "{lines:#?}");
        let rest = json!({ "at": "2026-12-08T02:00:00Z", "part": "THIS_AND_FOLLOWING" });
        app.make("appointment", CANCEL, json!({ "id": id, "part": rest })).await;
        let (.., lines) = mails(app).await.pop().expect("a mail");
        assert!(lines.iter().any(|line| line.starts_with("RRULE:FREQ=WEEKLY;UNTIL=")), "{lines:#?}");
        assert!(has(&lines, "EXDATE;TZID=Asia/Ho_Chi_Minh:20261124T090000"), "{lines:#?}");
    }

    /// Nobody is sent anything about what is over or only users take part in, and a wish for nothing counts.
    async fn invitations_pass_the_gate_and_go_to_customers_alone(app: App) {
        let (customer, contact) = company(app, "vi").await;
        invite(app, &(customer.clone(), contact.clone()), json!({ "contactIds": [] })).await;
        invite(app, &(customer.clone(), contact.clone()), json!({ "when": { "at": { "startsAt": "2026-11-01T02:00:00Z", "durationMin": 30 } } })).await;
        assert_eq!(mails(app).await.len(), 0);
        let suppress = "mutation { suppressAddress(input: { channel: EMAIL, address: \"DAT@anhduong.example\", cause: HARD_BOUNCED }) {
          userErrors { code message field } } }";
        let refused = app.send(suppress, json!({})).await;
        assert_eq!(refused.errors, Vec::<Value>::new());
        invite(app, &(customer, contact), json!({})).await;
        assert_eq!(mails(app).await.len(), 0);
        let token = app.token_of(Role::Administrator).await;
        let asked = "{ messages { nodes { kind state reason subject } } }";
        let found = app.send_as(Some(&token), asked, json!({})).await.data;
        assert_eq!(found["messages"]["nodes"][0]["kind"], "MEETING");
        assert_eq!((&found["messages"]["nodes"][0]["state"], &found["messages"]["nodes"][0]["reason"]), (&json!("SUPPRESSED"), &json!("HARD_BOUNCED")));
    }
}
