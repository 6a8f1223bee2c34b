//! What starts itself, and what starts very much at once.

use std::fmt::Write;

use entity::access::Role;
use sea_orm::DbBackend;
use serde_json::{Value, json};
use tests::app::{App, kill};
use tests::on_both_stacks;

use super::newcomers;
use crate::changing::import::IMPORT;
use crate::imports::upload;
use crate::workflows::{customer, published};

/// How many customers a file has.
const IMPORTED: usize = 2_000;

/// How many statements write what thousands of runs do, at most; one for each of them would be as many as they are.
const STATEMENTS: i64 = 100;

/// Changes a customer that is in a stage to another one, whenever it is changed.
fn from_stage_to_stage(from: &str, to: &str) -> Value {
    json!({
        "record": "Customer", "reentry": "ALWAYS",
        "trigger": { "event": { "kinds": ["customer.updated"] } },
        "condition": { "customer": { "stage": { "eq": from } } },
        "steps": [{ "key": "change", "action": { "updateCustomer": { "stage": to } } }],
    })
}

/// How many runs there are in each state, by how many came before them.
async fn depths(app: &App) -> Vec<(i64, i64, i64)> {
    app.drain().await;
    let mut depths = Vec::new();
    for depth in 0..12 {
        let of = |state: &str| {
            format!("SELECT count(*) AS n FROM workflow_run WHERE depth = {depth} AND {state}")
        };
        let ended = app.number(&of("state = 'COMPLETED'")).await;
        let guarded = app.number(&of("state = 'CANCELLED' AND detail LIKE 'LOOP_GUARD:%'")).await;
        if ended + guarded > 0 {
            depths.push((depth, ended, guarded));
        }
    }
    assert_eq!(
        depths.iter().map(|(_, ended, guarded)| ended + guarded).sum::<i64>(),
        app.number("SELECT count(*) AS n FROM workflow_run").await
    );
    depths
}

/// Customers of whom each starts a chain of nine runs, which is cut at the tenth.
fn chains(customers: i64) -> Vec<(i64, i64, i64)> {
    let mut chains = (0..=8).map(|depth| (depth, customers, 0)).collect::<Vec<_>>();
    chains.push((9, 0, customers));
    chains
}

on_both_stacks! {
    /// A workflow that changes what its trigger watches starts itself if a manager wants that, as often as runs may follow
    /// one another, and says why no other one follows.
    async fn a_workflow_that_changes_the_customer_whose_change_starts_it_ends(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        let stage = |stage: &str| json!({ "updateCustomer": { "stage": stage } });
        let mut definition = from_stage_to_stage("PROSPECT", "REGULAR");
        definition.as_object_mut().expect("a workflow").remove("condition");
        definition["steps"] = json!([
            { "key": "which", "action": { "branch": { "filter": { "customer": { "stage": { "eq": "PROSPECT" } } }, "otherwise": "back" } } },
            { "key": "there", "action": stage("REGULAR") },
            { "key": "end", "action": { "end": true } },
            { "key": "back", "action": stage("PROSPECT") },
        ]);
        let calm = published(app, chief, &definition).await;
        let lan = customer(app, chief, "Lan", json!({ "stage": "PROSPECT" })).await;
        let update = "mutation ($id: ID!, $phone: String) { updateCustomer(id: $id, input: { phone: $phone }) { customer { version } userErrors { code } } }";
        app.make_as(&token, "customer", update, json!({ "id": lan, "phone": "0912345678" })).await;
        assert_eq!(depths(app).await, [(0, 1, 0)], "its own change does not start it");
        let retire = "mutation ($id: ID!) { retireWorkflow(id: $id) { workflow { id } userErrors { code } } }";
        app.make_as(&token, "workflow", retire, json!({ "id": calm })).await;
        app.execute("DELETE FROM workflow_step").await;
        app.execute("DELETE FROM workflow_run").await;
        definition["trigger"]["event"]["own"] = json!(true);
        published(app, chief, &definition).await;
        app.make_as(&token, "customer", update, json!({ "id": lan, "phone": "0912345679" })).await;
        assert_eq!(depths(app).await, chains(1));
        // It was added, changed twice by somebody, once by the calm one and nine times by this one.
        assert_eq!(app.number("SELECT count(*) AS n FROM customer WHERE version = 13").await, 1);
    }

    /// Two workflows that undo what the other one does end as well, for each of many customers, with two workers of whom
    /// one dies.
    async fn two_workflows_that_set_each_other_off_end(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        for (from, to) in [("PROSPECT", "REGULAR"), ("REGULAR", "PROSPECT")] {
            published(app, chief, &from_stage_to_stage(from, to)).await;
        }
        newcomers(app, chief, 0..30).await;
        let mut other = app.more_workers();
        let rows = (0..30).map(|number| json!({ "number": format!("K{number}"), "language": "en" })).collect::<Vec<_>>();
        let query = "mutation ($rows: [UpdateCustomerInput!]!) { upsertCustomers(input: { rows: $rows }, idempotencyKey: \"all\") {
          succeeded userErrors { code message } } }";
        let updated = app.make_as(&token, "succeeded", query, json!({ "rows": rows })).await;
        assert_eq!(updated, 30);
        for _ in 0..3 {
            tokio::time::sleep(std::time::Duration::from_millis(150)).await;
            app.kill_workers().await;
            app.start_workers();
        }
        app.advance(chrono::TimeDelta::minutes(1));
        app.drain().await;
        assert_eq!(depths(app).await, chains(30));
        kill(&mut other).await;
        assert_eq!(app.number("SELECT count(*) AS n FROM customer WHERE version = 11").await, 30);
    }

    /// Thousands of customers who come at once get a run each, in batches: what is done for them takes few statements.
    async fn an_import_of_thousands_starts_a_run_for_each(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        published(app, chief, &json!({
            "record": "Customer", "trigger": { "event": { "kinds": ["customer.created"] } },
            "steps": [
                { "key": "task", "action": { "createTask": { "title": "Call" } } },
                { "key": "change", "action": { "updateCustomer": { "stage": "REGULAR" } } },
            ],
        })).await;
        let mut file = "number,name,email\n".to_owned();
        for number in 0..IMPORTED {
            writeln!(file, "K{number},Khách hàng {number},{number}@example.vn").expect("a line");
        }
        let (status, file) = upload(app, &token, &file).await;
        assert_eq!(status, 201, "{file}");
        app.make_as(&token, "job", IMPORT, json!({ "input": { "fileId": file["id"] }, "key": "import" })).await;
        app.drain().await;
        let all = i64::try_from(IMPORTED).expect("a number");
        for (table, what) in [("workflow_run WHERE state = 'COMPLETED'", "record_id"), ("task", "customer_id"), ("customer WHERE stage = 'REGULAR' AND version = 2", "id")] {
            for counted in ["*".to_owned(), format!("DISTINCT {what}")] {
                let sql = format!("SELECT count({counted}) AS n FROM {table}");
                assert_eq!(app.number(&sql).await, all, "{sql}");
            }
        }
        if app.db.reader().get_database_backend() == DbBackend::Postgres {
            for table in ["workflow_run", "workflow_step", "task", "event", "customer"] {
                let sql = format!("SELECT count(DISTINCT (xmin::text, cmin::text)) AS n FROM {table}");
                let statements = app.number(&sql).await;
                assert!(statements < STATEMENTS, "{table}: {statements} statements");
            }
        }
    }
}
