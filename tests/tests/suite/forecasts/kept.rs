//! Forecasts that are kept, compared and shown: what was foreseen is what a workflow is measured by.

use chrono::TimeDelta;
use entity::access::Role;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::gate::writing;
use crate::given::{CREATE_CUSTOMER, CREATE_WORKFLOW, PUBLISH_WORKFLOW};

const KEEP: &str =
    "mutation ($id: ID!, $input: SimulateWorkflowInput!, $tolerance: Int, $key: String) {
  keepForecast(id: $id, input: $input, tolerance: $tolerance, idempotencyKey: $key) {
    job { id kind state } userErrors { code field message } } }";

const KEPT: &str = "query ($id: ID!) { workflow(id: $id) { state problem version
  forecast { runs sent tolerance planned createdBy { id } }
  active { forecast { runs sent planned exceededAt acceptedAt figures } } } }";

const RESUME: &str = "mutation ($id: ID!) { resumeWorkflow(id: $id) { workflow { state problem } userErrors { message } } }";

const COMPARE: &str =
    "query ($id: ID!, $input: SimulateWorkflowInput!, $before: Int, $after: Int) {
  compareSimulations(id: $id, input: $input, before: $before, after: $after) {
    before { sent } after { sent busiest { customer { displayName } sent } }
    difference { runs effects sent customersLost customersGained steps { step outcome times } }
    userErrors { code field message } } }";

const SHOWN: &str = "query ($id: ID!, $input: SimulateWorkflowInput!, $version: Int) {
  simulateWorkflow(id: $id, input: $input, version: $version) {
    forecast { sent customers suppressed { reason times }
      messages { at customer { displayName } recordId step suppressed recipient language subject text html problem } }
    userErrors { code field message } } }";

/// Customers with addresses of their own, or without one.
async fn customers(app: &App, token: &str, numbers: std::ops::Range<usize>, with_address: bool) {
    for number in numbers {
        let input = json!({
            "kind": "PERSON", "displayName": format!("Nguyễn Văn {number}"), "language": if number % 2 == 0 { "vi" } else { "en" },
            "email": with_address.then(|| format!("{number}@example.vn")), "number": (number != 1).then(|| format!("KH-{number}")),
        });
        app.make_as(token, "customer", CREATE_CUSTOMER, json!({ "input": input })).await;
    }
}

/// A draft that writes to customers when they are added.
async fn draft(app: &App, token: &str, text: &str) -> String {
    let input = json!({ "name": "Chào mừng", "definition": writing("SERVICE", text) });
    let made = app.make_as(token, "workflow", CREATE_WORKFLOW, json!({ "input": input })).await;
    made["id"].as_str().expect("an id").to_owned()
}

async fn kept(app: &App, token: &str, id: &str) -> Value {
    app.send_as(Some(token), KEPT, json!({ "id": id })).await.data["workflow"].clone()
}

/// The next 30 days.
fn month(app: &App) -> Value {
    let from = app.clock.now();
    json!({ "from": from, "until": from + TimeDelta::days(30) })
}

on_both_stacks! {
    /// Ten customers were foreseen and a hundred come: the workflow stands still before more is planned than is let through,
    /// says why, and tells who published it. Whoever lets it go on lets all of it go.
    async fn a_workflow_that_exceeds_its_forecast_stands_still(app: App) {
        let (_, token) = app.user(Role::Administrator.id()).await;
        customers(app, &token, 0..10, true).await;
        app.drain().await;
        let id = draft(app, &token, "Welcome.").await;
        let asked = json!({ "id": id, "input": month(app), "tolerance": 100, "key": "once" });
        let job = app.make_as(&token, "job", KEEP, asked.clone()).await;
        assert_eq!(job["kind"], "FORECAST");
        assert_eq!(app.make_as(&token, "job", KEEP, asked.clone()).await["id"], job["id"], "a second click");
        let mut other = asked;
        other["tolerance"] = json!(10);
        let other = app.send_as(Some(&token), KEEP, other).await.data["keepForecast"]["userErrors"].clone();
        assert_eq!(other[0]["code"], "IDEMPOTENCY_KEY_REUSED", "{other}");
        app.drain().await;
        let seen = kept(app, &token, &id).await;
        assert_eq!((&seen["forecast"]["runs"], &seen["forecast"]["sent"]), (&json!(10), &json!(10)), "{seen}");
        app.make_as(&token, "workflow", PUBLISH_WORKFLOW, json!({ "id": id })).await;

        customers(app, &token, 10..20, true).await;
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 10);
        customers(app, &token, 20..120, true).await;
        app.drain().await;
        customers(app, &token, 120..123, true).await;
        app.drain().await;
        let seen = kept(app, &token, &id).await;
        assert_eq!((&seen["state"], &seen["forecast"]), (&json!("HELD"), &Value::Null));
        let problem = seen["problem"].as_str().expect("a reason");
        assert!(problem.contains("10 were foreseen") && problem.contains("30 are let through"), "{problem}");
        let mails = app.mailbox.mails().len();
        assert!((10..=30).contains(&mails), "{mails} went out");
        assert_eq!(seen["active"]["forecast"]["planned"], mails, "what was planned is what went");
        let news = "{ notifications(filter: { kind: { eq: WORKFLOW_HELD } }) { nodes { text subjectId } } }";
        let news = app.send_as(Some(&token), news, json!({})).await.data["notifications"]["nodes"].clone();
        assert_eq!(news.as_array().map(Vec::len), Some(1), "{news}");
        assert_eq!(news[0]["subjectId"], id);
        assert!(news[0]["text"].as_str().is_some_and(|text| text.contains("Chào mừng")), "{news}");

        let resumed = app.make_as(&token, "workflow", RESUME, json!({ "id": id })).await;
        assert_eq!(resumed, json!({ "state": "ACTIVE", "problem": null }));
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 113, "also to those who came meanwhile");
        assert!(!kept(app, &token, &id).await["active"]["forecast"]["acceptedAt"].is_null());
    }

    /// What was foreseen of a draft says nothing of another one, and a tolerance has to be one.
    async fn a_draft_that_changes_is_foreseen_anew(app: App) {
        let (_, token) = app.user(Role::Administrator.id()).await;
        let id = draft(app, &token, "Welcome.").await;
        app.make_as(&token, "job", KEEP, json!({ "id": id, "input": month(app) })).await;
        app.drain().await;
        assert_eq!(kept(app, &token, &id).await["forecast"]["tolerance"], 50);
        let update = "mutation ($id: ID!, $input: UpdateWorkflowDraftInput!) { updateWorkflowDraft(id: $id, input: $input) {
          workflow { forecast { sent } } userErrors { message } } }";
        let named = json!({ "id": id, "input": { "name": "Renamed" } });
        assert!(!app.make_as(&token, "workflow", update, named).await["forecast"].is_null());
        let changed = json!({ "id": id, "input": { "definition": writing("SERVICE", "Hello.") } });
        assert!(app.make_as(&token, "workflow", update, changed).await["forecast"].is_null());
        // Who asks before somebody else changes the draft is told that it was not kept.
        let job = app.make_as(&token, "job", KEEP, json!({ "id": id, "input": month(app) })).await;
        let changed = json!({ "id": id, "input": { "definition": writing("SERVICE", "Good day.") } });
        app.make_as(&token, "workflow", update, changed).await;
        app.drain().await;
        let report = "query ($id: ID!) { job(id: $id) { state report } }";
        let report = app.send_as(Some(&token), report, json!({ "id": job["id"] })).await.data["job"].clone();
        assert_eq!((&report["state"], &report["report"]["kept"]), (&json!("SUCCEEDED"), &json!(false)), "{report}");
        for (input, tolerance, field) in [(month(app), 2_000, "tolerance"), (json!({ "from": app.clock.now(), "until": app.clock.now() }), 50, "until")] {
            let asked = json!({ "id": id, "input": input, "tolerance": tolerance });
            let refused = app.send_as(Some(&token), KEEP, asked).await.data["keepForecast"]["userErrors"].clone();
            assert!(refused[0]["field"].as_array().is_some_and(|path| path.contains(&json!(field))), "{refused}");
        }
    }

    /// Two versions are compared over the same records: which steps, how much, and for whom.
    async fn versions_are_compared_over_the_same_records(app: App) {
        let (_, token) = app.user(Role::Administrator.id()).await;
        customers(app, &token, 0..3, true).await;
        app.drain().await;
        let id = draft(app, &token, "Welcome.").await;
        let asked = json!({ "id": id, "input": month(app) });
        let refused = app.send_as(Some(&token), COMPARE, asked.clone()).await.data["compareSimulations"]["userErrors"].clone();
        assert_eq!(refused[0]["code"], "INVALID_STATE", "{refused}");
        app.make_as(&token, "workflow", PUBLISH_WORKFLOW, json!({ "id": id })).await;
        let mut twice = writing("SERVICE", "Welcome.");
        let mut again = twice["steps"][0].clone();
        again["key"] = json!("again");
        twice["steps"] = json!([twice["steps"][0], { "key": "wait", "action": { "wait": { "for": "P3D" } } }, again]);
        twice["condition"] = json!({ "customer": { "displayName": { "ne": "Nguyễn Văn 1" } } });
        let update = "mutation ($id: ID!, $input: UpdateWorkflowDraftInput!) { updateWorkflowDraft(id: $id, input: $input) {
          workflow { id } userErrors { message } } }";
        app.make_as(&token, "workflow", update, json!({ "id": id, "input": { "definition": twice } })).await;
        let compared = app.send_as(Some(&token), COMPARE, asked).await.data["compareSimulations"].clone();
        assert_eq!((&compared["before"]["sent"], &compared["after"]["sent"]), (&json!(3), &json!(4)), "{compared}");
        assert_eq!(compared["after"]["busiest"][0]["sent"], 2);
        assert_eq!(compared["difference"], json!({
            "runs": -1, "effects": 1, "sent": 1, "customersLost": 1, "customersGained": 0,
            "steps": [
                { "step": "write", "outcome": "DONE", "times": -1 },
                { "step": "wait", "outcome": "PASSED", "times": 2 },
                { "step": "again", "outcome": "DONE", "times": 2 },
            ],
        }));
        let same = json!({ "id": id, "input": month(app), "before": 1, "after": 1 });
        let same = app.send_as(Some(&token), COMPARE, same).await.data["compareSimulations"]["difference"].clone();
        assert_eq!((&same["sent"], &same["steps"]), (&json!(0), &json!([])));
        let none = json!({ "id": id, "input": month(app), "before": 9 });
        let none = app.send_as(Some(&token), COMPARE, none).await.data["compareSimulations"]["userErrors"].clone();
        assert_eq!(none[0]["field"], json!(["version"]), "{none}");
    }

    /// A manager reads what customers would get as they would get it, and sees who would get nothing and why, and where a
    /// wording does not fit a customer.
    async fn what_customers_would_get_is_read_before(app: App) {
        let (_, token) = app.user(Role::Administrator.id()).await;
        customers(app, &token, 0..2, true).await;
        customers(app, &token, 2..3, false).await;
        app.drain().await;
        let id = draft(app, &token, "Dear {{ customer.name }}, your number is {{ customer.number }}.").await;
        let asked = json!({ "id": id, "input": month(app) });
        let seen = app.send_as(Some(&token), SHOWN, asked.clone()).await;
        assert!(seen.errors.is_empty(), "{:#?}", seen.errors);
        let seen = seen.data["simulateWorkflow"]["forecast"].clone();
        assert_eq!((&seen["sent"], &seen["customers"]), (&json!(2), &json!(2)), "{seen}");
        assert_eq!(seen["suppressed"], json!([{ "reason": "NO_ADDRESS", "times": 1 }]));
        let messages = seen["messages"].as_array().expect("messages");
        assert_eq!(messages.len(), 3);
        let goes = messages.iter().find(|one| one["recipient"] == "0@example.vn").expect("a message");
        assert_eq!((&goes["customer"]["displayName"], &goes["step"]), (&json!("Nguyễn Văn 0"), &json!("write")));
        let held = messages.iter().find(|one| one["suppressed"] == "NO_ADDRESS").expect("one that would not go");
        assert_eq!(held["customer"]["displayName"], "Nguyễn Văn 2");

        let problem = messages.iter().find(|one| one["recipient"] == "1@example.vn").expect("a message")["problem"].clone();
        assert!(problem.as_str().is_some_and(|problem| problem.contains("correct what the step")), "{problem}");

        // What is read is what is sent.
        app.make_as(&token, "workflow", PUBLISH_WORKFLOW, json!({ "id": id })).await;
        let start = "mutation ($id: ID!, $records: [ID!]!) { startWorkflow(id: $id, recordIds: $records, idempotencyKey: \"k\") {
          started userErrors { message } } }";
        app.send_as(Some(&token), start, json!({ "id": id, "records": [goes["recordId"]] })).await;
        app.drain().await;
        let sent = app.mailbox.mails();
        let sent = sent.iter().find(|mail| mail.to.to_string() == "0@example.vn").expect("a mail");
        let parsed = mail_parser::MessageParser::default().parse(&sent.raw).expect("a mail");
        assert_eq!(parsed.subject(), goes["subject"].as_str());
        let text = parsed.body_text(0).expect("a text").replace("\r\n", "\n");
        assert_eq!(text.trim_end(), goes["text"].as_str().expect("a text").trim_end());
        let version = json!({ "id": id, "input": month(app), "version": 1 });
        let version = app.send_as(Some(&token), SHOWN, version).await.data["simulateWorkflow"].clone();
        assert_eq!(version["userErrors"], json!([]), "{version}");
    }
}
