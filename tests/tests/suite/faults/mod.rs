//! Faults that other systems have had: what is in the middle of being done when machines die, hours end or clocks change is
//! done once, and at its time.

mod circles;
mod clocks;
mod dying;
mod flushed;
mod reentry;
mod restored;
mod versions;

use std::collections::HashMap;

use entity::customers::customer as customer_table;
use entity::id::{Id, UserId};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use tests::app::App;

use crate::given::{CREATE_CUSTOMER, customer_row};
use crate::workflows::change;

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

/// Adds customers whose addresses begin with numbers, all in one request.
async fn newcomers(app: &App, chief: UserId, numbers: std::ops::Range<usize>) {
    let query = "mutation ($rows: [UpdateCustomerInput!]!, $key: String!) {
      upsertCustomers(input: { rows: $rows }, idempotencyKey: $key) { succeeded userErrors { code message } } }";
    let key = format!("{numbers:?}");
    let count = numbers.len();
    let row = |number| {
        json!({ "number": format!("K{number}"), "displayName": format!("K{number}"), "kind": "PERSON",
                "stage": "PROSPECT", "email": format!("{number}@example.vn") })
    };
    let rows = numbers.map(row).collect::<Vec<_>>();
    let done = change(app, chief, query, json!({ "rows": rows, "key": key })).await;
    assert_eq!(done["succeeded"], count, "{done:#}");
}

/// Customers that nobody typed in, and of whom nobody was told; their ids.
async fn quiet_customers(app: &App, count: usize) -> Vec<String> {
    let rows = (0..count).map(|number| customer_row(&number.to_string(), app.clock.now()));
    let rows = rows.collect::<Vec<_>>();
    for rows in rows.chunks(500) {
        let rows = rows.iter().cloned().map(|row| row.into_active_model().reset_all());
        let inserted = customer_table::Entity::insert_many(rows);
        inserted.exec_without_returning(app.db.reader()).await.expect("rows");
    }
    rows.iter().map(|row| row.id.global()).collect()
}

/// Starts a workflow for records; gives how many runs began.
async fn start(app: &App, chief: UserId, workflow: &str, records: &[String], key: &str) -> i64 {
    let query = "mutation ($id: ID!, $records: [ID!]!, $key: String!) {
      startWorkflow(id: $id, recordIds: $records, idempotencyKey: $key) { started userErrors { message } } }";
    let variables = json!({ "id": workflow, "records": records, "key": key });
    let done = change(app, chief, query, variables).await;
    assert_eq!(done["userErrors"], json!([]));
    done["started"].as_i64().expect("a number")
}

/// How many steps of a run were done twice, over all runs whose workflow has no circle.
async fn done_twice(app: &App) -> i64 {
    let sql = "SELECT count(*) AS n FROM (SELECT run_id, step FROM workflow_step WHERE outcome = 'DONE' \
               GROUP BY run_id, step HAVING count(*) > 1) AS twice";
    app.number(sql).await
}

/// How many mails went to each address.
fn mails(app: &App) -> HashMap<String, usize> {
    let mut sent = HashMap::new();
    for mail in app.mailbox.mails() {
        *sent.entry(mail.to.to_string()).or_default() += 1;
    }
    sent
}
