//! Segments: who belongs to them, and what begins when somebody enters or leaves one.

mod figures;
mod lists;
mod sets;

use std::time::Duration;

use chrono::TimeDelta;
use entity::access::Role;
use entity::id::{Id, UserId};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::given::{CREATE_WORKFLOW, PUBLISH_WORKFLOW};
use crate::workflows::{ask, change, customer, published, runs};

pub const CREATE: &str = "mutation ($input: CreateSegmentInput!) { createSegment(input: $input) {
  segment { id filledAt size } userErrors { code field message } } }";

pub const UPDATE: &str =
    "mutation ($id: ID!, $input: UpdateSegmentInput!) { updateSegment(id: $id, input: $input) {
  segment { id } userErrors { code field message } } }";

pub const DELETE: &str =
    "mutation ($id: ID!) { deleteSegment(id: $id) { id userErrors { code message } } }";

const UPDATE_CUSTOMER: &str = "mutation ($id: ID!, $input: UpdateCustomerInput!) {
  updateCustomer(id: $id, input: $input) { userErrors { message } } }";

/// A segment of customers, once it is known who belongs to it; gives its id.
pub async fn segment(app: &App, chief: UserId, name: &str, filter: Value) -> String {
    made(app, chief, name, json!({ "filter": filter })).await
}

/// A segment that is made of something, once it is known who belongs to it; gives its id.
pub async fn made(app: &App, chief: UserId, name: &str, mut input: Value) -> String {
    input["name"] = name.into();
    let made = change(app, chief, CREATE, json!({ "input": input })).await;
    assert_eq!(made["userErrors"], json!([]));
    looked(app).await;
    made["segment"]["id"].as_str().expect("an id").to_owned()
}

/// Waits until all customers were compared with the segments for which that is due.
pub async fn looked(app: &App) {
    // Workers look at their own pace whether a time has come.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    app.drain().await;
}

pub async fn update(app: &App, chief: UserId, id: &str, input: Value) {
    app.advance(TimeDelta::seconds(1));
    let done = change(app, chief, UPDATE_CUSTOMER, json!({ "id": id, "input": input })).await;
    assert_eq!(done["userErrors"], json!([]));
    app.drain().await;
}

/// Who belongs to a segment, by their names.
pub async fn members(app: &App, user: UserId, id: &str) -> Vec<String> {
    let query = "query ($id: ID!) { segment(id: $id) { size members { nodes { customer { displayName } } } }
      customers(filter: { segments: { some: { segmentId: { eq: $id } } } }) { nodes { displayName } } }";
    let data = ask(app, user, query, json!({ "id": id })).await;
    let nodes = data["segment"]["members"]["nodes"].as_array().expect("members");
    let name = |one: &Value| one["displayName"].as_str().expect("a name").to_owned();
    let mut names = nodes.iter().map(|one| name(&one["customer"])).collect::<Vec<_>>();
    names.sort();
    let mut listed: Vec<_> =
        data["customers"]["nodes"].as_array().expect("customers").iter().map(name).collect();
    listed.sort();
    assert_eq!((&json!(names.len()), &names), (&data["segment"]["size"], &listed));
    names
}

/// A workflow that a turn of customers starts, and that ends at once.
pub async fn started_by(app: &App, chief: UserId, segment: &str, turn: &str) -> String {
    let definition = json!({
        "record": "Customer", "reentry": "ALWAYS",
        "trigger": { "segment": { "segmentId": segment, "turn": turn } },
        "steps": [{ "key": "end", "action": { "end": true } }],
    });
    published(app, chief, &definition).await
}

/// Whose runs there are.
pub async fn whose(app: &App, chief: UserId, id: &str) -> Vec<String> {
    let runs = runs(app, chief, id).await;
    let name = |run: &Value| run["customer"]["displayName"].as_str().expect("a name").to_owned();
    runs.iter().map(name).collect()
}

on_both_stacks! {
    /// Whoever comes to pass the filter enters, whoever passes it no more leaves, and each of that starts what waits for it;
    /// who passed it from the start belongs to it without having entered.
    async fn customers_enter_and_leave(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let lan = customer(app, chief, "Lan", json!({ "stage": "CUSTOMER" })).await;
        let minh = customer(app, chief, "Minh", json!({ "stage": "PROSPECT" })).await;
        app.drain().await;
        let buyers = segment(app, chief, "Buyers", json!({ "stage": { "eq": "CUSTOMER" } })).await;
        let english = segment(app, chief, "English", json!({ "language": { "eq": "en" } })).await;
        let entered = started_by(app, chief, &buyers, "ENTERED").await;
        let left = started_by(app, chief, &buyers, "LEFT").await;
        assert_eq!(members(app, chief, &buyers).await, ["Lan"]);
        update(app, chief, &minh, json!({ "stage": "CUSTOMER" })).await;
        update(app, chief, &minh, json!({ "language": "en" })).await;
        assert_eq!(members(app, chief, &buyers).await, ["Lan", "Minh"]);
        assert_eq!(members(app, chief, &english).await, ["Minh"]);
        assert_eq!(whose(app, chief, &entered).await, ["Minh"]);
        update(app, chief, &lan, json!({ "stage": "LAPSED" })).await;
        assert_eq!(whose(app, chief, &left).await, ["Lan"]);
        let delete = "mutation ($id: ID!) { deleteCustomer(id: $id) { userErrors { code } } }";
        app.advance(TimeDelta::seconds(1));
        assert_eq!(change(app, chief, delete, json!({ "id": minh })).await["userErrors"], json!([]));
        app.drain().await;
        assert_eq!(members(app, chief, &buyers).await, [""; 0]);
        looked(app).await;
        assert_eq!(whose(app, chief, &entered).await, ["Minh"]);
        let kept = change(app, chief, DELETE, json!({ "id": buyers })).await;
        assert_eq!(kept["userErrors"][0]["code"], "INVALID_STATE");
        let retire = "mutation ($id: ID!) { retireWorkflow(id: $id) { userErrors { code } } }";
        for id in [entered, left] {
            assert_eq!(change(app, chief, retire, json!({ "id": id })).await["userErrors"], json!([]));
        }
        assert_eq!(change(app, chief, DELETE, json!({ "id": buyers })).await["id"], json!(buyers));
    }

    /// What only time changes is found within five minutes, and another filter is no turn of anybody.
    async fn time_alone_makes_customers_leave(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        customer(app, chief, "Lan", json!({})).await;
        app.drain().await;
        let today = json!({ "createdAt": { "within": { "unit": "DAY", "from": 0 } } });
        let new = segment(app, chief, "New today", today).await;
        let left = started_by(app, chief, &new, "LEFT").await;
        assert_eq!(members(app, chief, &new).await, ["Lan"]);
        app.advance(TimeDelta::days(1));
        looked(app).await;
        assert_eq!(members(app, chief, &new).await, [""; 0]);
        assert_eq!(whose(app, chief, &left).await, ["Lan"]);
        let entered = started_by(app, chief, &new, "ENTERED").await;
        let all = json!({ "id": new, "input": { "filter": {} } });
        assert_eq!(change(app, chief, UPDATE, all).await["userErrors"], json!([]));
        looked(app).await;
        assert_eq!(members(app, chief, &new).await, ["Lan"]);
        assert_eq!(whose(app, chief, &entered).await, [""; 0]);
    }

    /// Workflows that put customers into a segment and out of it again come to an end.
    async fn customers_do_not_enter_and_leave_for_ever(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let lan = customer(app, chief, "Lan", json!({ "stage": "PROSPECT" })).await;
        app.drain().await;
        let buyers = segment(app, chief, "Buyers", json!({ "stage": { "eq": "CUSTOMER" } })).await;
        let mut both = Vec::new();
        for (turn, stage) in [("ENTERED", "LAPSED"), ("LEFT", "CUSTOMER")] {
            both.push(published(app, chief, &json!({
                "record": "Customer", "reentry": "ALWAYS",
                "trigger": { "segment": { "segmentId": buyers, "turn": turn } },
                "steps": [{ "key": "back", "action": { "updateCustomer": { "stage": stage } } }],
            })).await);
        }
        update(app, chief, &lan, json!({ "stage": "CUSTOMER" })).await;
        let (there, back) = (runs(app, chief, &both[0]).await, runs(app, chief, &both[1]).await);
        let ended = there.iter().chain(&back).filter(|run| run["state"] == "CANCELLED").collect::<Vec<_>>();
        assert_eq!((there.len() + back.len(), ended.len()), (10, 1), "{there:#?} {back:#?}");
        assert!(ended[0]["detail"].as_str().is_some_and(|why| why.starts_with("LOOP_GUARD")));
    }

    /// What cannot be a segment is refused with what to do, and one whose filter names what is gone says so and stays as it is.
    async fn a_segment_says_what_is_wrong(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        let (seller, _) = app.user(Role::Sales.id()).await;
        let define = "mutation { createCustomField(input: { key: \"vip\", label: \"VIP\", type: BOOLEAN, purpose: \"Service\" }) {
          customField { id } userErrors { message } } }";
        let field = app.make_as(&token, "customField", define, json!({})).await;
        let filter = json!({ "customFields": [{ "field": "vip", "eq": true }] });
        let vips = segment(app, chief, "VIPs", filter.clone()).await;
        let refused = async |input: Value| {
            let made = change(app, chief, CREATE, json!({ "input": input })).await;
            made["userErrors"][0].clone()
        };
        assert_eq!(refused(json!({ "name": "VIPs", "filter": {} })).await["code"], "NOT_UNIQUE");
        assert_eq!(refused(json!({ "name": " ", "filter": {} })).await["field"], json!(["input", "name"]));
        let unknown = json!({ "customFields": [{ "field": "nope", "eq": true }] });
        let unknown = refused(json!({ "name": "Nope", "filter": unknown })).await;
        assert!(unknown["message"].as_str().is_some_and(|why| why.contains("there is no custom field nope")), "{unknown}");
        let secret = "mutation ($role: ID!) { createCustomField(input: {
          key: \"health\", label: \"Health\", type: BOOLEAN, purpose: \"Care\", sensitivity: SENSITIVE, visibleTo: [$role] }) {
            customField { id } userErrors { message } } }";
        app.make_as(&token, "customField", secret, json!({ "role": Role::Accountant.id().global() })).await;
        let within = json!({ "or": [{ "not": { "customFields": [{ "field": "health", "eq": true }] } }] });
        let hidden = refused(json!({ "name": "Ill", "filter": within })).await;
        assert!(hidden["message"].as_str().is_some_and(|why| why.contains("not everybody sees the custom field health")), "{hidden}");
        let input = json!({ "name": "Mine", "filter": {} });
        let token = app.token_for(seller).await;
        let forbidden = app.send_as(Some(&token), CREATE, json!({ "input": input })).await;
        assert_eq!(forbidden.error_code(), Some("FORBIDDEN"));
        let lan = customer(app, chief, "Lan", json!({ "customFields": [{ "key": "vip", "value": true }] })).await;
        app.drain().await;
        assert_eq!(members(app, chief, &vips).await, ["Lan"]);
        let archive = "mutation ($id: ID!) { archiveCustomField(id: $id) { userErrors { code } } }";
        assert_eq!(change(app, chief, archive, json!({ "id": field["id"] })).await["userErrors"], json!([]));
        update(app, chief, &lan, json!({ "language": "en" })).await;
        assert_eq!(members(app, chief, &vips).await, ["Lan"]);
        let query = "query ($id: ID!) { segment(id: $id) { problem } }";
        let problem = ask(app, chief, query, json!({ "id": vips })).await["segment"]["problem"].clone();
        assert!(problem.as_str().is_some_and(|why| why.contains("vip")), "{problem}");
    }

    /// What a workflow would do that a segment starts is seen for those who belong to it.
    async fn a_workflow_of_a_segment_is_simulated_for_its_members(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        customer(app, chief, "Lan", json!({ "stage": "CUSTOMER" })).await;
        customer(app, chief, "Minh", json!({ "stage": "PROSPECT" })).await;
        app.drain().await;
        let buyers = segment(app, chief, "Buyers", json!({ "stage": { "eq": "CUSTOMER" } })).await;
        let id = started_by(app, chief, &buyers, "ENTERED").await;
        let query = "query ($id: ID!, $input: SimulateWorkflowInput!) { simulateWorkflow(id: $id, input: $input) {
          forecast { runs } userErrors { message } } }";
        let now = app.clock.now();
        let input = json!({ "from": now, "until": now + TimeDelta::days(1) });
        let seen = ask(app, chief, query, json!({ "id": id, "input": input })).await;
        assert_eq!(seen["simulateWorkflow"], json!({ "forecast": { "runs": 1 }, "userErrors": [] }));
        let unknown = json!({
            "record": "Customer", "trigger": { "segment": { "segmentId": "seg_nope" } },
            "steps": [{ "key": "end", "action": { "end": true } }],
        });
        let create = json!({ "input": { "name": "Unknown", "definition": unknown } });
        let made = change(app, chief, CREATE_WORKFLOW, create).await;
        let refused = change(app, chief, PUBLISH_WORKFLOW, json!({ "id": made["workflow"]["id"] })).await;
        assert_eq!(refused["userErrors"][0]["message"], "there is no such segment");
    }
}
