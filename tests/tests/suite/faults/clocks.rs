//! Hours that end in the middle of a batch, and clocks that are changed at night.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::access::Role;
use entity::id::Id;
use serde_json::json;
use tests::on_both_stacks;
use worker::mail::transport::Outcome;

use super::{customers, mails};
use crate::gate::{policy, writing};
use crate::given::{CREATE_TASK, ISSUE_INVOICE};
use crate::workflows::{ask, change, published, runs};

on_both_stacks! {
    /// The hours end while some of a batch wait for a server that is slow: these wait for the morning, with the reason, and
    /// everybody gets one.
    async fn what_is_left_of_a_batch_when_the_hours_end_goes_out_in_the_morning(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        policy(app, &token, 0, json!({ "hours": [{ "from": "09:00", "until": "18:00" }] })).await;
        published(app, chief, &writing("SERVICE", "Welcome.")).await;
        app.advance(TimeDelta::hours(8) + TimeDelta::minutes(59)); // It is one minute to six in Viet Nam.
        let token = app.token_for(chief).await;
        let later = Outcome::Temporary { reply: "450 come back later".into() };
        app.mailbox.answer(std::iter::repeat_n(later, 8));
        customers(app, &token, 0..20, "Asia/Ho_Chi_Minh").await;
        app.drain().await;
        assert_eq!(mails(app).len(), 12);
        app.advance(TimeDelta::minutes(10));
        app.drain().await;
        assert_eq!(mails(app).len(), 12, "it is past six");
        let waiting = "SELECT count(*) AS n FROM message WHERE state = 'DEFERRED' AND reason = 'QUIET_HOURS'";
        assert_eq!(app.number(waiting).await, 8);
        app.advance(TimeDelta::hours(14) + TimeDelta::minutes(50));
        app.drain().await;
        assert_eq!(mails(app).len(), 12, "it is one minute to nine");
        app.advance(TimeDelta::minutes(1));
        app.drain().await;
        let sent = mails(app);
        assert_eq!((sent.len(), sent.values().max()), (20, Some(&1)));
    }

    /// Half past two in the night where the customer lives, on days on which clocks are put forward over it or back: it
    /// comes once, as late as the offset before says, or at its first coming.
    async fn a_time_at_night_comes_once_when_clocks_are_changed(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        published(app, chief, &json!({
            "record": "Invoice", "trigger": { "date": { "field": "dueOn", "days": 0, "at": "02:30" } },
            "steps": [{ "key": "tell", "action": { "notify": { "text": "Due", "userId": chief.global() } } }],
        })).await;
        let comes = [
            ("America/New_York", "2027-03-14", "2027-03-14T07:30:00Z"), ("Asia/Ho_Chi_Minh", "2027-03-28", "2027-03-27T19:30:00Z"),
            ("Europe/Paris", "2027-03-28", "2027-03-28T01:30:00Z"), ("Europe/Paris", "2027-10-31", "2027-10-31T00:30:00Z"),
        ];
        for (number, (zone, due, _)) in comes.iter().enumerate() {
            let customer = customers(app, &token, number..number + 1, zone).await;
            let line = json!({ "description": "Tư vấn", "unitPrice": "100" });
            let input = json!({ "customerId": customer[0], "currency": "EUR", "dueOn": due, "lines": [line] });
            app.make_as(&token, "invoice", ISSUE_INVOICE, json!({ "input": input })).await;
        }
        // Who looks every second may take a while to look through half a year.
        let begun = async |expected: i64| {
            let mut begun = 0;
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(1_200)).await;
                app.drain().await;
                begun = app.number("SELECT count(*) AS n FROM workflow_run").await;
                if begun >= expected {
                    break;
                }
            }
            begun
        };
        for (already, (zone, _, at)) in (0..).zip(comes) {
            let at: DateTime<Utc> = at.parse().expect("an instant");
            app.advance(at - TimeDelta::seconds(1) - app.clock.now());
            assert_eq!(begun(already).await, already, "a second before, in {zone}");
            app.advance(TimeDelta::seconds(1));
            assert_eq!(begun(already + 1).await, already + 1, "in {zone}");
        }
        app.advance(TimeDelta::days(2));
        assert_eq!(begun(4).await, 4);
    }

    /// The organisation is on UTC, who has to do something in Hanoi, and the customer in Paris: each is met on their own
    /// clock. What is due half an hour after midnight is of the day that begins then, neither late on the day before nor
    /// left for the next one.
    async fn everybody_is_met_on_their_own_clock(app: App) {
        app.execute("UPDATE organisation SET time_zone = 'UTC'").await;
        let (chief, token) = app.user(Role::Administrator.id()).await;
        let (seller, _) = app.user(Role::Sales.id()).await;
        let live = "mutation { setTimeZone(timeZone: \"Asia/Ho_Chi_Minh\") { userErrors { code } } }";
        assert_eq!(change(app, seller, live, json!({})).await["userErrors"], json!([]));
        let task = json!({ "title": "Just after midnight", "assigneeId": seller.global(), "dueAt": "2026-11-03T17:30:00Z" });
        assert_eq!(change(app, chief, CREATE_TASK, json!({ "input": task })).await["userErrors"], json!([]));
        let anne = customers(app, &token, 0..1, "Europe/Paris").await;
        let line = json!({ "description": "Conseil", "unitPrice": "100" });
        let input = json!({ "customerId": anne[0], "currency": "EUR", "dueOn": "2026-11-04", "lines": [line] });
        app.make_as(&token, "invoice", ISSUE_INVOICE, json!({ "input": input })).await;
        let at_nine = async |clock: &str| {
            let date = json!({ "date": { "field": "dueOn", "days": 0, "at": "09:00", "clock": clock } });
            let end = json!({ "key": "end", "action": { "end": true } });
            published(app, chief, &json!({ "record": "Invoice", "trigger": date, "steps": [end] })).await
        };
        let (hers, ours) = (at_nine("CUSTOMER").await, at_nine("ORGANISATION").await);
        let until = async |at: &str| {
            let at: DateTime<Utc> = at.parse().expect("an instant");
            app.advance(at - app.clock.now());
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            app.drain().await;
            let late = app.number("SELECT count(*) AS n FROM event WHERE kind = 'task.overdue'").await;
            let day = ask(app, seller, "{ myDay { myDay { on late { subject } entries { subject } } } }", json!({})).await;
            let day = day["myDay"]["myDay"].clone();
            let count = |list: &str| day[list].as_array().map_or(0, Vec::len);
            (day["on"].as_str().unwrap_or_default().to_owned(), count("entries"), count("late"), late)
        };
        let day = |on: &str, entries, late, overdue| (on.to_owned(), entries, late, overdue);
        assert_eq!(until("2026-11-03T16:59:00Z").await, day("2026-11-03", 0, 0, 0), "it is tomorrow's");
        assert_eq!(until("2026-11-03T17:29:00Z").await, day("2026-11-04", 1, 0, 0), "it is today's");
        let (on, _, _, overdue) = until("2026-11-03T17:31:00Z").await;
        assert_eq!((&*on, overdue), ("2026-11-04", 1), "it was to be done by then");
        let begun = async |id: &String| runs(app, chief, id).await.len();
        until("2026-11-04T07:59:00Z").await;
        assert_eq!((begun(&hers).await, begun(&ours).await), (0, 0));
        until("2026-11-04T08:00:00Z").await;
        assert_eq!((begun(&hers).await, begun(&ours).await), (1, 0), "it is nine in Paris");
        until("2026-11-04T09:00:00Z").await;
        assert_eq!((begun(&hers).await, begun(&ours).await), (1, 1), "it is nine in UTC");
    }
}
