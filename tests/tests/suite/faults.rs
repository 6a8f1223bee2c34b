//! Faults that other systems have had: what is in the middle of being done when machines die, hours end or clocks change is
//! done once, and at its time.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::access::Role;
use entity::id::Id;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use worker::mail::transport::Outcome;

use crate::gate::{policy, writing};
use crate::given::{CREATE_CUSTOMER, ISSUE_INVOICE};
use crate::workflows::published;

/// Customers whose addresses begin with numbers, in a zone.
async fn customers(
    app: &App,
    token: &str,
    numbers: std::ops::Range<usize>,
    zone: &str,
) -> Vec<Value> {
    let mut made = Vec::new();
    for number in numbers {
        let input = json!({
            "kind": "PERSON", "displayName": format!("K{number}"), "email": format!("{number}@example.vn"), "timeZone": zone,
        });
        let customer = app.make_as(token, "customer", CREATE_CUSTOMER, json!({ "input": input }));
        made.push(customer.await["id"].clone());
    }
    made
}

/// How many mails went to each address.
fn mails(app: &App) -> HashMap<String, usize> {
    let mut sent = HashMap::new();
    for mail in app.mailbox.mails() {
        *sent.entry(mail.to.to_string()).or_default() += 1;
    }
    sent
}

on_both_stacks! {
    /// Workers die again and again while they carry out steps and send mails: each step is done once, and no mail goes out
    /// twice. What was on the wire is said to be unknown, and is not sent again.
    async fn what_dying_workers_were_about_is_done_once(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        let mut definition = writing("SERVICE", "Welcome.");
        let send = definition["steps"][0].clone();
        definition["steps"] = json!([
            { "key": "task", "action": { "createTask": { "title": "Call" } } },
            send,
            { "key": "tell", "action": { "notify": { "text": "Written to", "userId": chief.global() } } },
        ]);
        published(app, chief, &definition).await;
        for pause in [3, 8, 15, 30, 60] {
            customers(app, &token, pause..pause + 3, "Asia/Ho_Chi_Minh").await;
            for extra in [pause, pause + 1] {
                tokio::time::sleep(Duration::from_millis(extra as u64)).await;
                app.kill_workers().await;
                app.start_workers();
            }
        }
        for _ in 0..8 {
            // What a dead worker had leased is free by then.
            app.advance(TimeDelta::minutes(10));
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        app.drain().await;
        for (table, what) in [("workflow_run WHERE state = 'COMPLETED'", "id"), ("task", "customer_id"), ("message", "customer_id"), ("notification WHERE kind = 'WORKFLOW'", "subject_id")] {
            for counted in ["*".to_owned(), format!("DISTINCT {what}")] {
                let sql = format!("SELECT count({counted}) AS n FROM {table}");
                assert_eq!(app.number(&sql).await, 15, "{sql}");
            }
        }
        let sent = mails(app);
        assert!(sent.values().all(|times| *times == 1), "{sent:?}");
        let in_state = async |state: &str| {
            app.number(&format!("SELECT count(*) AS n FROM message WHERE state = '{state}'")).await
        };
        let (accepted, unknown) = (in_state("ACCEPTED").await, in_state("UNKNOWN").await);
        let sent = i64::try_from(sent.len()).expect("a count");
        assert_eq!(accepted + unknown, 15);
        assert!(accepted <= sent && sent <= accepted + unknown, "{accepted} accepted, {unknown} unknown, {sent} sent");
    }

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
        let begun = async || {
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            app.drain().await;
            app.number("SELECT count(*) AS n FROM workflow_run").await
        };
        for (already, (zone, _, at)) in (0..).zip(comes) {
            let at: DateTime<Utc> = at.parse().expect("an instant");
            app.advance(at - TimeDelta::seconds(1) - app.clock.now());
            assert_eq!(begun().await, already, "a second before, in {zone}");
            app.advance(TimeDelta::seconds(1));
            assert_eq!(begun().await, already + 1, "in {zone}");
        }
        app.advance(TimeDelta::days(2));
        assert_eq!(begun().await, 4);
    }
}
