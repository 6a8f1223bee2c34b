//! What starts workflows: changes of a field, and schedules.

use chrono::TimeDelta;
use entity::access::Role;
use entity::id::{Id, UserId};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use worker::mail::transport::Outcome;

use crate::gate::writing;
use crate::given::{CREATE_WORKFLOW, PUBLISH_WORKFLOW};
use crate::workflows::{ask, change, customer, published, runs};

const UPDATE: &str = "mutation ($id: ID!, $input: UpdateCustomerInput!) {
  updateCustomer(id: $id, input: $input) { userErrors { message } } }";

/// A workflow that a trigger starts, and that ends at once.
fn started_by(trigger: &Value) -> Value {
    json!({
        "record": "Customer", "reentry": "ALWAYS", "trigger": trigger,
        "steps": [{ "key": "end", "action": { "end": true } }],
    })
}

async fn update(app: &App, chief: UserId, id: &str, input: Value) {
    // No two changes of a record happen at the same instant.
    app.advance(TimeDelta::seconds(1));
    let done = change(app, chief, UPDATE, json!({ "id": id, "input": input })).await;
    assert_eq!(done["userErrors"], json!([]));
}

/// Whose runs there are, in the order of their beginnings.
async fn whose(app: &App, chief: UserId, id: &str) -> Vec<String> {
    let runs = runs(app, chief, id).await;
    let name = |run: &Value| run["customer"]["displayName"].as_str().expect("a name").to_owned();
    runs.iter().map(name).collect()
}

on_both_stacks! {
    /// A change counts by what a field held before and what it holds since; other changes of the record do not.
    async fn a_field_that_gets_a_value_starts_a_workflow(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let (seller, _) = app.user(Role::Sales.id()).await;
        let bought = json!({ "change": { "field": "stage", "from": ["PROSPECT", "LAPSED"], "to": ["CUSTOMER"] } });
        let bought = published(app, chief, &started_by(&bought)).await;
        let handed = json!({ "change": { "field": "owner", "from": [null], "to": [seller.global()] } });
        let handed = published(app, chief, &started_by(&handed)).await;
        let moved = published(app, chief, &started_by(&json!({ "change": { "field": "timeZone" } }))).await;
        let lan = customer(app, chief, "Lan", json!({ "stage": "PROSPECT" })).await;
        let minh = customer(app, chief, "Minh", json!({ "stage": "REGULAR", "ownerId": chief.global() })).await;
        app.drain().await;
        update(app, chief, &lan, json!({ "stage": "CUSTOMER", "language": "en" })).await;
        update(app, chief, &minh, json!({ "stage": "CUSTOMER", "ownerId": seller.global() })).await;
        assert_eq!(whose(app, chief, &bought).await, ["Lan"]);
        update(app, chief, &lan, json!({ "stage": "CUSTOMER", "phone": "0912345678" })).await;
        update(app, chief, &lan, json!({ "ownerId": seller.global(), "timeZone": "Europe/Riga" })).await;
        assert_eq!(whose(app, chief, &bought).await, ["Lan"]);
        assert_eq!(whose(app, chief, &handed).await, ["Lan"]);
        assert_eq!(whose(app, chief, &moved).await, ["Lan"]);
        update(app, chief, &lan, json!({ "stage": "PROSPECT" })).await;
        app.drain().await;
        update(app, chief, &lan, json!({ "stage": "CUSTOMER" })).await;
        assert_eq!(whose(app, chief, &bought).await, ["Lan", "Lan"]);
    }

    /// A mail that comes back starts a workflow for its customer, once; and two workflows that write to an address which
    /// refuses everything do not do so for ever.
    async fn a_message_that_is_refused_starts_a_workflow(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        published(app, chief, &writing("SERVICE", "Welcome.")).await;
        let write = writing("SERVICE", "Did it come?")["steps"].clone();
        let refused = json!({
            "record": "Customer", "reentry": "ALWAYS", "trigger": { "event": { "kinds": ["message.refused"] } }, "steps": write,
        });
        let both = [published(app, chief, &refused).await, published(app, chief, &refused).await];
        let no = Outcome::Permanent { reply: "550 no such user".into() };
        app.mailbox.answer(std::iter::once(no.clone()));
        customer(app, chief, "Lan", json!({ "email": "lan@example.vn" })).await;
        customer(app, chief, "Minh", json!({ "email": "minh@example.vn" })).await;
        let begun = async || [runs(app, chief, &both[0]).await, runs(app, chief, &both[1]).await];
        let once = begun().await;
        assert_eq!(once.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1], "{once:#?}");
        assert_eq!(app.number("SELECT count(*) AS n FROM event WHERE kind = 'message.refused'").await, 1);
        app.mailbox.answer(std::iter::repeat_n(no, 1_000));
        customer(app, chief, "Hoa", json!({ "email": "hoa@example.vn" })).await;
        let ended = begun().await.concat();
        assert!(ended.iter().any(|run| run["state"] == "CANCELLED"), "{}", ended.len());
        assert!(ended.len() < 1_000, "{}", ended.len());
    }

    /// A day that somebody has defined counts like any other: it starts a workflow, and it is waited for.
    async fn the_day_of_a_custom_field_starts_a_workflow(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        let define = "mutation ($key: String!, $type: CustomFieldType!) {
          createCustomField(input: { key: $key, label: $key, type: $type, purpose: \"Service\" }) {
            customField { id } userErrors { message } } }";
        for (key, kind) in [("renewal", "DATE"), ("inspection", "INSTANT"), ("vip", "BOOLEAN")] {
            app.make_as(&token, "customField", define, json!({ "key": key, "type": kind })).await;
        }
        let nine = json!("09:00");
        let definition = json!({
            "record": "Customer", "reentry": "AFTER_END",
            "trigger": { "date": { "field": "customFields.renewal", "days": -2, "at": nine } },
            "steps": [
                { "key": "wait", "action": { "wait": { "date": { "field": "customFields.inspection", "days": 1, "at": nine } } } },
                { "key": "end", "action": { "end": true } },
            ],
        });
        let id = published(app, chief, &definition).await;
        for (name, zone, renewal) in [
            ("Lan", "Asia/Ho_Chi_Minh", "2026-11-06"), ("Anne", "Europe/Paris", "2026-11-06"), ("Minh", "Asia/Ho_Chi_Minh", "2026-11-20"),
        ] {
            let values = json!([
                { "key": "renewal", "value": renewal }, { "key": "inspection", "value": "2026-11-04T20:00:00Z" },
            ]);
            customer(app, chief, name, json!({ "timeZone": zone, "customFields": values })).await;
        }
        customer(app, chief, "Hoa", json!({})).await;
        // The fourth of November at nine in Viet Nam, then in France.
        for (hours, expected) in [(24, &["Lan"][..]), (6, &["Lan", "Anne"][..])] {
            app.advance(TimeDelta::hours(hours));
            tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
            assert_eq!(whose(app, chief, &id).await, expected);
        }
        let due: Vec<_> = runs(app, chief, &id).await.iter().map(|run| run["dueAt"].clone()).collect();
        // The inspection is on the fifth in Viet Nam, and on the fourth in France.
        assert_eq!(due, ["2026-11-06T02:00:00+00:00", "2026-11-05T08:00:00+00:00"]);
        let query = "query ($id: ID!, $input: SimulateWorkflowInput!) { simulateWorkflow(id: $id, input: $input) { forecast { runs } } }";
        let now = app.clock.now();
        let input = json!({ "from": now, "until": now + TimeDelta::days(30) });
        let seen = ask(app, chief, query, json!({ "id": id, "input": input })).await;
        assert_eq!(seen["simulateWorkflow"]["forecast"]["runs"], 1, "Minh's renewal is still to come");
        let mut wrong = definition.clone();
        wrong["trigger"]["date"]["field"] = json!("customFields.vip");
        let input = json!({ "input": { "name": "Wrong", "definition": wrong } });
        let made = change(app, chief, CREATE_WORKFLOW, input).await;
        let refused = change(app, chief, PUBLISH_WORKFLOW, json!({ "id": made["workflow"]["id"] })).await;
        let message = refused["userErrors"][0]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains("customFields.vip: Customer has no such day or instant"), "{message}");
    }

    /// A custom field counts like any other, and what a workflow changes itself does not start it.
    async fn a_custom_field_starts_a_workflow(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        let define = "mutation { createCustomField(input: { key: \"vip\", label: \"VIP\", type: BOOLEAN, purpose: \"Service\" }) {
          customField { id } userErrors { message } } }";
        app.make_as(&token, "customField", define, json!({})).await;
        let vip = |value: bool| json!([{ "key": "vip", "value": value }]);
        let id = published(app, chief, &json!({
            "record": "Customer", "reentry": "ALWAYS",
            "trigger": { "change": { "field": "customFields.vip", "to": [true] } },
            "steps": [
                { "key": "no", "action": { "updateCustomer": { "customFields": vip(false) } } },
                { "key": "yes", "action": { "updateCustomer": { "customFields": vip(true) } } },
            ],
        })).await;
        let lan = customer(app, chief, "Lan", json!({ "customFields": vip(false) })).await;
        update(app, chief, &lan, json!({ "customFields": vip(true) })).await;
        assert_eq!(whose(app, chief, &id).await, ["Lan"]);
    }

    /// Every weekday at nine on the clocks of a zone; after days of standing still once, not once for each.
    async fn a_schedule_starts_a_workflow(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let weekdays = json!({ "schedule": { "cron": "0 9 * * MON-FRI", "timeZone": "Europe/Riga" } });
        let mut definition = started_by(&weekdays);
        definition["condition"] = json!({ "customer": { "stage": { "eq": "REGULAR" } } });
        customer(app, chief, "Lan", json!({ "stage": "REGULAR" })).await;
        customer(app, chief, "Minh", json!({ "stage": "PROSPECT" })).await;
        let id = published(app, chief, &definition).await;
        // It is Tuesday, 04:00 in Riga.
        assert_eq!(whose(app, chief, &id).await, [] as [&str; 0]);
        let tick = async |by: TimeDelta| {
            app.advance(by);
            tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
            whose(app, chief, &id).await.len()
        };
        assert_eq!(tick(TimeDelta::minutes(299)).await, 0);
        assert_eq!(tick(TimeDelta::minutes(1)).await, 1);
        assert_eq!(tick(TimeDelta::hours(1)).await, 1);
        assert_eq!(tick(TimeDelta::days(2)).await, 2, "Wednesday and Thursday were missed; Thursday counts");
        assert_eq!(tick(TimeDelta::days(1)).await, 3);
        assert_eq!(tick(TimeDelta::days(2)).await, 3, "it is Sunday");
    }

    /// What is no schedule, and no field that changes, is refused when it is published.
    async fn what_never_comes_is_no_trigger(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        for trigger in [
            json!({ "schedule": { "cron": "every monday" } }),
            json!({ "schedule": { "cron": "0 9 * * *", "timeZone": "Asia/Saigon2" } }),
            json!({ "change": { "field": "balance" } }),
        ] {
            let input = json!({ "name": "Bad", "definition": started_by(&trigger) });
            let made = change(app, chief, CREATE_WORKFLOW, json!({ "input": input })).await;
            let refused = change(app, chief, PUBLISH_WORKFLOW, json!({ "id": made["workflow"]["id"] })).await;
            assert_eq!(refused["userErrors"].as_array().map(Vec::len), Some(1), "{trigger}: {refused}");
        }
    }
}
