//! What keeps workflows in order: a run that cannot go on, another version, and many runs at once.

use std::time::Duration;

use chrono::TimeDelta;
use entity::access::Role;
use entity::customers::customer as customers;
use entity::id::{Id, UserId};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use tests::socket::Socket;
use tokio_util::sync::CancellationToken;
use worker::engine::Engine;

use crate::given::{CREATE_TASK, customer_row};
use crate::workflows::{ask, change, customer, of, published, runs, steps};

const UPDATE: &str = "mutation ($id: ID!, $input: UpdateWorkflowDraftInput!) {
  updateWorkflowDraft(id: $id, input: $input) { workflow { id } userErrors { code message field } } }";

const MIGRATE: &str = "mutation ($id: ID!, $steps: [StepMoveInput!]!) {
  publishWorkflow(id: $id, running: MIGRATE, steps: $steps) { workflow { id } userErrors { code field } } }";

fn for_new_customers(steps: &Value) -> Value {
    json!({ "record": "Customer", "trigger": { "event": { "kinds": ["customer.created"] } }, "steps": steps })
}

/// Changes many runs; gives how many were.
async fn many(app: &App, chief: UserId, name: &str, runs: &Value, key: &str) -> i64 {
    let query = format!(
        "mutation ($runs: WorkflowRunsInput!, $key: String!) {{
  {name}(runs: $runs, idempotencyKey: $key) {{ changed more userErrors {{ message }} }} }}"
    );
    let done = change(app, chief, &query, json!({ "runs": runs, "key": key })).await;
    assert_eq!((&done["more"], &done["userErrors"]), (&json!(false), &json!([])));
    done["changed"].as_i64().expect("a number")
}

on_both_stacks! {
    /// One run that the database refuses ends and says why; those that were in the same batch go on.
    async fn a_run_that_is_refused_keeps_no_other_from_going_on(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let id = published(app, chief, &for_new_customers(&json!([
            { "key": "wait", "action": { "wait": { "for": "P1D" } } },
            { "key": "task", "action": { "createTask": { "title": "Call" } } },
            { "key": "end", "action": { "end": true } },
        ]))).await;
        let mut customers = Vec::new();
        for name in ["A", "B", "C"] {
            customers.push(customer(app, chief, name, json!({})).await);
        }
        change(app, chief, CREATE_TASK, json!({ "customer": customers[1], "input": { "title": "First" } })).await;
        assert_eq!(runs(app, chief, &id).await.len(), 3);
        app.execute("CREATE UNIQUE INDEX poison ON task (customer_id)").await;
        app.advance(TimeDelta::days(1));
        let done = runs(app, chief, &id).await;
        let states = ["A", "B", "C"].map(|name| of(&done, name)["state"].clone());
        assert_eq!(states, [json!("COMPLETED"), json!("FAILED"), json!("COMPLETED")]);
        assert!(of(&done, "B")["detail"].as_str().is_some_and(|why| why.contains("database")));
        assert_eq!(app.number("SELECT count(*) AS n FROM task").await, 3);
        app.execute("DROP INDEX poison").await;
        let failed = json!({ "filter": { "state": { "eq": "FAILED" } } });
        assert_eq!(many(app, chief, "retryWorkflowRuns", &failed, "again").await, 1);
        assert_eq!(of(&runs(app, chief, &id).await, "B")["state"], "COMPLETED");
        assert_eq!(app.number("SELECT count(*) AS n FROM task").await, 4);
    }

    /// Runs go on with another version where its steps say so; what happened in steps that are gone is still known.
    async fn runs_go_on_with_another_version(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let mut definition = for_new_customers(&json!([
            { "key": "some", "action": { "branch": { "filter": { "customer": { "stage": { "eq": "PROSPECT" } } }, "otherwise": "regular" } } },
            { "key": "settle", "action": { "wait": { "for": "P3D" } } },
            { "key": "old", "action": { "createTask": { "title": "Old" } } },
            { "key": "done", "action": { "end": true } },
            { "key": "regular", "action": { "branch": { "filter": { "customer": { "stage": { "eq": "REGULAR" } } }, "otherwise": "gone" } } },
            { "key": "kept", "action": { "wait": { "for": "P3D" } }, "then": "old" },
            { "key": "gone", "action": { "wait": { "for": "P3D" } }, "then": "old" },
        ]));
        let id = published(app, chief, &definition).await;
        for (name, stage) in [("Mapped", "PROSPECT"), ("Kept", "REGULAR"), ("Gone", "LAPSED")] {
            customer(app, chief, name, json!({ "stage": stage })).await;
        }
        runs(app, chief, &id).await;
        app.advance(TimeDelta::days(1));
        definition["steps"] = json!([
            { "key": "rest", "action": { "wait": { "for": "P9D" } } },
            { "key": "new", "action": { "createTask": { "title": "New" } } },
            { "key": "done", "action": { "end": true } },
            { "key": "kept", "action": { "wait": { "for": "P9D" } }, "then": "new" },
        ]);
        change(app, chief, UPDATE, json!({ "id": id, "input": { "definition": definition } })).await;
        let nowhere = json!({ "id": id, "steps": [{ "from": "settle", "to": "nowhere" }] });
        let refused = change(app, chief, MIGRATE, nowhere).await;
        assert_eq!(refused["userErrors"][0]["code"], "INVALID", "{refused}");
        let moved = json!({ "id": id, "steps": [{ "from": "settle", "to": "rest" }] });
        assert_eq!(change(app, chief, MIGRATE, moved).await["userErrors"], json!([]));
        app.advance(TimeDelta::days(2));
        let done = runs(app, chief, &id).await;
        let seen = ["Mapped", "Kept", "Gone"].map(|name| {
            let run = of(&done, name);
            (run["state"].clone(), run["workflowVersion"]["number"].as_i64(), steps(run).into_iter().map(|(key, _)| key).collect::<Vec<_>>())
        });
        let ended = |version, keys: &[&'static str]| (json!("COMPLETED"), Some(version), keys.to_vec());
        assert_eq!(seen, [
            ended(2, &["some", "settle", "rest", "new", "done"]),
            ended(2, &["some", "regular", "kept", "kept", "new", "done"]),
            ended(1, &["some", "regular", "gone", "gone", "old", "done"]),
        ]);
        let query = "{ tasks(orderBy: [{ field: TITLE }]) { nodes { title customer { displayName } } } }";
        let tasks = ask(app, chief, query, json!({})).await["tasks"]["nodes"].clone();
        assert_eq!(tasks.as_array().map(Vec::len), Some(3));
        assert_eq!(tasks[2], json!({ "title": "Old", "customer": { "displayName": "Gone" } }));
    }

    /// Waits are skipped and runs called off, as many as a filter finds or ids name; twice with one key is once.
    async fn many_runs_are_changed_at_once(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let id = published(app, chief, &for_new_customers(&json!([
            { "key": "wait", "action": { "wait": { "for": "P9D" } } },
            { "key": "more", "action": { "wait": { "for": "P9D" } } },
        ]))).await;
        for name in ["A", "B", "C"] {
            customer(app, chief, name, json!({})).await;
        }
        let waiting = runs(app, chief, &id).await;
        let two = json!({ "ids": [of(&waiting, "A")["id"], of(&waiting, "B")["id"]] });
        assert_eq!(many(app, chief, "skipWorkflowSteps", &two, "skip").await, 2);
        let skipped = runs(app, chief, &id).await;
        assert_eq!(steps(of(&skipped, "A")), [("wait", "WAITING"), ("wait", "SKIPPED"), ("more", "WAITING")]);
        assert_eq!(steps(of(&skipped, "C")), [("wait", "WAITING")]);
        assert_eq!(many(app, chief, "skipWorkflowSteps", &json!({ "ids": [of(&waiting, "A")["id"]] }), "end").await, 1);
        assert_eq!(of(&runs(app, chief, &id).await, "A")["state"], "COMPLETED");
        let here = json!({ "filter": { "step": { "eq": "wait" } } });
        assert_eq!(many(app, chief, "cancelWorkflowRuns", &here, "cancel").await, 1);
        let ended = runs(app, chief, &id).await;
        assert_eq!(of(&ended, "C")["detail"], json!(format!("called off by {}", chief.global())));
        assert_eq!(of(&ended, "B")["state"], "WAITING");
        let every = json!({ "filter": {} });
        assert_eq!(many(app, chief, "cancelWorkflowRuns", &every, "all").await, 1);
        assert_eq!(many(app, chief, "retryWorkflowRuns", &every, "none").await, 0);
    }

    /// What is more than a workflow may do in an hour waits for the next one, as the forecast says.
    async fn what_is_too_much_for_an_hour_waits_for_the_next(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        let mut definition = for_new_customers(&json!([
            { "key": "task", "action": { "createTask": { "title": "Call" } } }, { "key": "end", "action": { "end": true } },
        ]));
        definition["mostPerHour"] = json!(2);
        let id = published(app, chief, &definition).await;
        for number in 0..5 {
            customer(app, chief, &number.to_string(), json!({})).await;
        }
        let tasks = "SELECT count(*) AS n FROM task";
        let waiting = runs(app, chief, &id).await;
        assert_eq!(app.number(tasks).await, 2);
        let late = waiting.iter().filter(|run| run["state"] == "WAITING").collect::<Vec<_>>();
        assert_eq!(late.len(), 3);
        assert!(late.iter().all(|run| run["dueAt"].as_str().is_some_and(|due| due.starts_with("2026-11-03T03:00"))));
        assert_eq!(steps(late[0]), [("task", "WAITING")]);
        let from = app.clock.now();
        let simulate = "query ($id: ID!, $input: SimulateWorkflowInput!) { simulateWorkflow(id: $id, input: $input) {
          forecast { hours { effects } states { state runs } } } }";
        let input = json!({ "from": from, "until": from + TimeDelta::days(1) });
        let seen = app.send_as(Some(&token), simulate, json!({ "id": id, "input": input })).await.data;
        let seen = &seen["simulateWorkflow"]["forecast"];
        assert_eq!(seen["hours"], json!([{ "effects": 2 }, { "effects": 2 }, { "effects": 1 }]));
        assert_eq!(seen["states"], json!([{ "state": "COMPLETED", "runs": 5 }]));
        for (number, state) in [(4, 1), (5, 0)] {
            app.advance(TimeDelta::hours(1));
            let waiting = runs(app, chief, &id).await;
            assert_eq!(app.number(tasks).await, number);
            assert_eq!(waiting.iter().filter(|run| run["state"] == "WAITING").count(), state);
        }
        assert!(runs(app, chief, &id).await.iter().all(|run| run["state"] == "COMPLETED"));
    }

    /// Who follows a workflow hears how many runs are in which state whenever that changes.
    async fn a_workflow_is_followed(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        let id = published(app, chief, &for_new_customers(&json!([
            { "key": "wait", "action": { "wait": { "for": "PT1H" } } },
        ]))).await;
        let mut socket = Socket::open(&app.address, &token).await;
        let follow = "subscription ($id: ID!) { workflowProgress(id: $id) { states { state runs } } }";
        socket.ask("s", follow, json!({ "id": id })).await;
        assert_eq!(socket.event().await["workflowProgress"], json!({ "states": [] }));
        customer(app, chief, "A", json!({})).await;
        app.drain().await;
        let mut states = Value::Null;
        while states != json!([{ "state": "WAITING", "runs": 1 }]) {
            states = socket.event().await["workflowProgress"]["states"].clone();
        }
    }

    /// Two workers, one of which dies again and again, do for thousands of records what is due, each thing once.
    async fn what_two_workers_do_is_done_once(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        let id = published(app, chief, &json!({
            "record": "Customer", "trigger": { "manual": true },
            "steps": [
                { "key": "task", "action": { "createTask": { "title": "Call" } } },
                { "key": "change", "action": { "updateCustomer": { "stage": "REGULAR" } } },
            ],
        })).await;
        let rows = (0..2_000).map(|number| customer_row(&number.to_string(), app.clock.now())).collect::<Vec<_>>();
        let ids = rows.iter().map(|row| row.id.global()).collect::<Vec<_>>();
        for rows in rows.chunks(500) {
            let rows = rows.iter().cloned().map(|row| row.into_active_model().reset_all());
            customers::Entity::insert_many(rows).exec_without_returning(app.db.reader()).await.expect("rows");
        }
        let start = "mutation ($id: ID!, $records: [ID!]!, $key: String!) {
          startWorkflow(id: $id, recordIds: $records, idempotencyKey: $key) { started userErrors { message } } }";
        for (number, records) in ids.chunks(1_000).enumerate() {
            let variables = json!({ "id": id, "records": records, "key": number.to_string() });
            let reply = app.send_as(Some(&token), start, variables).await;
            assert_eq!(reply.data["startWorkflow"]["started"], records.len());
        }
        let other = Engine { db: app.db.clone(), clock: app.clock.clone(), signal: app.signal.clone() };
        let stop = CancellationToken::new();
        let other = tokio::spawn(other.run(stop.clone()));
        for pause in [40, 90, 150, 250] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            app.kill_workers().await;
            app.start_workers();
        }
        app.drain().await;
        stop.cancel();
        other.await.expect("the other worker ends");
        assert_eq!(app.number("SELECT count(*) AS n FROM workflow_run WHERE state = 'COMPLETED'").await, 2_000);
        assert_eq!(app.number("SELECT count(*) AS n FROM workflow_step").await, 4_000);
        assert_eq!(app.number("SELECT count(*) AS n FROM task").await, 2_000);
        assert_eq!(app.number("SELECT count(DISTINCT customer_id) AS n FROM task").await, 2_000);
        let once = "SELECT count(*) AS n FROM customer WHERE stage = 'REGULAR' AND version = 2";
        assert_eq!(app.number(once).await, 2_000);
    }
}
