//! What somebody has to do today, on one page.

use chrono::TimeDelta;
use entity::access::Role;
use entity::id::{Id, UserId};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::given::{self, COMPLETE_TASK, CREATE_APPOINTMENT, CREATE_CALL, CREATE_TASK};
use crate::workflows::change;

const MY_DAY: &str = "{ myDay { userErrors { message } myDay { timeZone on
  late { subject kind call { state } task { priority } } entries { subject kind startsAt occurrenceAt appointment { rule } call { state } task { title } } } } }";

/// What somebody has to do, and how many statements it took to read that.
async fn day(app: &App, user: UserId) -> (Value, Value) {
    let reply = app.send_as(Some(&app.token_for(user).await), MY_DAY, json!({})).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    assert_eq!(reply.data["myDay"]["userErrors"], json!([]));
    (reply.data["myDay"]["myDay"].clone(), reply.extensions["cost"]["statements"].clone())
}

fn subjects(entries: &Value) -> Vec<&str> {
    let entries = entries.as_array().expect("entries").iter();
    entries.map(|entry| entry["subject"].as_str().expect("a subject")).collect()
}

on_both_stacks! {
    /// It is Tuesday at nine in Hanoi: what was left over comes first, then what the day brings.
    async fn a_day_has_what_was_left_over_and_what_comes(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let (seller, _) = app.user(Role::Sales.id()).await;
        let lan = given::customer(app, "Lan", "vi", "VND").await;
        let mine = seller.global();
        let task = async |title: &str, user: &str, due: &str| {
            let input = json!({ "title": title, "assigneeId": user, "dueAt": due });
            change(app, chief, CREATE_TASK, json!({ "input": input })).await["task"]["id"].clone()
        };
        let call = async |subject: &str, at: &str| {
            let input = json!({ "subject": subject, "purpose": "SALES", "assigneeId": mine, "plannedAt": at });
            let made = change(app, chief, CREATE_CALL, json!({ "customer": lan, "input": input })).await;
            assert_eq!(made["userErrors"], json!([]));
        };
        task("Yesterday's", &mine, "2026-11-02T08:00:00Z").await;
        let done = task("Done", &mine, "2026-11-02T09:00:00Z").await;
        assert_eq!(change(app, chief, COMPLETE_TASK, json!({ "id": done })).await["userErrors"], json!([]));
        task("This afternoon's", &mine, "2026-11-03T10:00:00Z").await;
        task("Tomorrow's", &mine, "2026-11-03T17:00:00Z").await;
        task("Somebody else's", &chief.global(), "2026-11-03T10:00:00Z").await;
        call("Last week's", "2026-10-27T03:00:00Z").await;
        call("At eight", "2026-11-03T01:00:00Z").await;
        call("A while ago", "2026-11-03T01:50:00Z").await;
        call("At ten", "2026-11-03T03:00:00Z").await;
        call("Tomorrow", "2026-11-04T03:00:00Z").await;
        let meet = json!({ "input": {
            "subject": "Every Tuesday", "organizerId": mine, "timeZone": "Asia/Ho_Chi_Minh", "repeats": "FREQ=WEEKLY",
            "when": { "at": { "startsAt": "2026-10-27T07:00:00Z", "durationMin": 30 } },
        } });
        assert_eq!(change(app, chief, CREATE_APPOINTMENT, meet).await["userErrors"], json!([]));

        let (day_there, statements) = day(app, seller).await;
        assert_eq!((&day_there["timeZone"], &day_there["on"]), (&json!("Asia/Ho_Chi_Minh"), &json!("2026-11-03")));
        assert_eq!(subjects(&day_there["late"]), ["Last week's", "Yesterday's", "At eight"]);
        assert_eq!(day_there["late"][0]["call"]["state"], json!("PLANNED"));
        assert_eq!(subjects(&day_there["entries"]), ["A while ago", "At ten", "Every Tuesday", "This afternoon's"]);
        assert_eq!(day_there["entries"][2]["occurrenceAt"], json!("2026-11-03T07:00:00+00:00"));
        assert_eq!(day_there["entries"][2]["appointment"]["rule"], json!("FREQ=WEEKLY"));

        for number in 0..12 {
            task(&number.to_string(), &mine, "2026-11-02T08:00:00Z").await;
            call(&number.to_string(), "2026-11-03T05:00:00Z").await;
        }
        let (more, as_many) = day(app, seller).await;
        assert_eq!((subjects(&more["late"]).len(), subjects(&more["entries"]).len()), (15, 16));
        assert_eq!(as_many, statements, "more to do is no more to ask the database");

        // In Los Angeles it is still Monday, which is over before the afternoon in Hanoi.
        let live = "mutation { setTimeZone(timeZone: \"America/Los_Angeles\") { userErrors { code } } }";
        assert_eq!(change(app, seller, live, json!({})).await["userErrors"], json!([]));
        let (elsewhere, _) = day(app, seller).await;
        assert_eq!((&elsewhere["timeZone"], &elsewhere["on"]), (&json!("America/Los_Angeles"), &json!("2026-11-02")));
        assert!(!subjects(&elsewhere["entries"]).contains(&"This afternoon's"));
        app.advance(TimeDelta::hours(9));
        let (evening, _) = day(app, seller).await;
        assert!(subjects(&evening["late"]).contains(&"This afternoon's"));
    }
}
