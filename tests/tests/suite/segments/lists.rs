//! Lists: customers whom somebody has put together, by their ids, by a filter, of a segment, or from a file.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use entity::access::Role;
use entity::id::UserId;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use super::{CREATE, DELETE, UPDATE, looked, made, members, segment, started_by, update, whose};
use crate::imports::upload;
use crate::workflows::{ask, change, customer};

const ADD: &str = "mutation ($id: ID!, $input: SegmentMembersInput!) { addSegmentMembers(id: $id, input: $input) {
  segment { size lastChange } userErrors { code field message } } }";

const REMOVE: &str = "mutation ($id: ID!, $input: SegmentMembersInput!) { removeSegmentMembers(id: $id, input: $input) {
  segment { size lastChange } userErrors { code field message } } }";

const IMPORT: &str = "mutation ($id: ID!, $input: ImportSegmentMembersInput!, $key: String!) {
  importSegmentMembers(id: $id, input: $input, idempotencyKey: $key) { job { id } userErrors { code field message } } }";

/// Customers by their names, of two stages in turn.
async fn customers(app: &App, chief: UserId, names: &[&str]) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    for (name, stage) in names.iter().zip(["CUSTOMER", "PROSPECT"].iter().cycle()) {
        let fields = json!({ "stage": stage, "number": format!("K-{name}"), "email": format!("{name}@example.vn") });
        ids.insert((*name).to_owned(), customer(app, chief, name, fields).await);
    }
    app.drain().await;
    ids
}

/// The ended job that adds the customers in a file.
async fn import(app: &App, chief: UserId, id: &str, file: &str, mut input: Value) -> Value {
    let token = app.token_for(chief).await;
    let (status, stored) = upload(app, &token, file).await;
    assert_eq!(status, 201, "{stored}");
    input["fileId"] = stored["id"].clone();
    let variables = json!({ "id": id, "key": stored["id"], "input": input });
    let job = change(app, chief, IMPORT, variables).await;
    assert_eq!(job["userErrors"], json!([]));
    app.drain().await;
    let query = "query ($id: ID!) { job(id: $id) { state done total report } }";
    ask(app, chief, query, json!({ "id": job["job"]["id"] })).await["job"].clone()
}

on_both_stacks! {
    /// Who is put on a list enters it, who is taken off leaves it, and what customers become changes nothing about it.
    async fn a_list_is_changed_by_people_alone(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let ids = customers(app, chief, &["Lan", "Minh", "Hoa"]).await;
        let list = made(app, chief, "Guests", json!({ "list": { "customerIds": [ids["Lan"]] } })).await;
        let (entered, left) = (started_by(app, chief, &list, "ENTERED").await, started_by(app, chief, &list, "LEFT").await);
        let all = json!({ "id": list, "input": { "filter": {} } });
        let added = change(app, chief, ADD, all.clone()).await;
        assert_eq!((&added["segment"]["size"], &added["segment"]["lastChange"]["added"]), (&json!(3), &json!(2)), "{added}");
        update(app, chief, &ids["Minh"], json!({ "stage": "LAPSED" })).await;
        assert_eq!(members(app, chief, &list).await, ["Hoa", "Lan", "Minh"]);
        let mut names = whose(app, chief, &entered).await;
        names.sort();
        assert_eq!(names, ["Hoa", "Minh"], "who was on it from the start has not entered");
        let again = change(app, chief, ADD, all).await;
        assert_eq!(again["segment"], added["segment"], "nobody is added twice");
        app.advance(TimeDelta::seconds(1));
        let lapsed = json!({ "id": list, "input": { "filter": { "stage": { "eq": "LAPSED" } } } });
        let removed = change(app, chief, REMOVE, lapsed).await;
        assert_eq!((&removed["segment"]["size"], &removed["segment"]["lastChange"]["by"]), (&json!(2), &json!("FILTER")), "{removed}");
        assert_eq!(whose(app, chief, &left).await, ["Minh"]);
        let delete = "mutation ($id: ID!) { deleteCustomer(id: $id) { userErrors { code } } }";
        app.advance(TimeDelta::seconds(1));
        assert_eq!(change(app, chief, delete, json!({ "id": ids["Hoa"] })).await["userErrors"], json!([]));
        app.drain().await;
        assert_eq!(members(app, chief, &list).await, ["Lan"]);
        let query = "query ($id: ID!) { segment(id: $id) { kind filter history { nodes { changes } } } }";
        let seen = ask(app, chief, query, json!({ "id": list })).await;
        let own = json!({ "segments": { "some": { "segmentId": { "eq": list } } } });
        assert_eq!((&seen["segment"]["kind"], &seen["segment"]["filter"]), (&json!("STATIC"), &own));
        let told = seen["segment"]["history"].to_string();
        assert_eq!(told.matches("lastChange").count(), 2, "{told}");
    }

    /// A segment that is frozen stays as it was, whatever becomes of it and of its filter.
    async fn a_frozen_segment_stays(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let ids = customers(app, chief, &["Lan", "Minh", "Hoa"]).await;
        let buyers = segment(app, chief, "Buyers", json!({ "stage": { "eq": "CUSTOMER" } })).await;
        let frozen = made(app, chief, "Frozen", json!({ "list": { "segmentId": buyers } })).await;
        let passed = made(app, chief, "Passed", json!({ "list": { "filter": { "stage": { "eq": "PROSPECT" } } } })).await;
        update(app, chief, &ids["Lan"], json!({ "stage": "PROSPECT" })).await;
        looked(app).await;
        assert_eq!(members(app, chief, &buyers).await, ["Hoa"]);
        assert_eq!(members(app, chief, &frozen).await, ["Hoa", "Lan"]);
        assert_eq!(members(app, chief, &passed).await, ["Minh"]);
        assert_eq!(change(app, chief, DELETE, json!({ "id": buyers })).await["id"], json!(buyers), "nothing is made of it any more");
        let merge = "mutation ($input: MergeCustomersInput!) { mergeCustomers(input: $input) { userErrors { code message } } }";
        let input = json!({ "keepId": ids["Minh"], "mergeIds": [ids["Lan"]] });
        assert_eq!(change(app, chief, merge, json!({ "input": input })).await["userErrors"], json!([]));
        app.drain().await;
        assert_eq!(members(app, chief, &frozen).await, ["Hoa", "Minh"], "what Lan became has her place");
    }

    /// Rows of a file say who by number, e-mail address or telephone number; of each that says nobody the report says why,
    /// and a dry run says the same and adds nobody.
    async fn a_file_is_matched_before_anybody_is_added(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let ids = customers(app, chief, &["Lan", "Minh", "Hoa"]).await;
        customer(app, chief, "Other", json!({ "email": "lan@example.vn" })).await;
        update(app, chief, &ids["Minh"], json!({ "phone": "+84 901 234 567" })).await;
        let list = made(app, chief, "Fair", json!({ "list": {} })).await;
        let file = "Mã KH;Thư;Điện thoại\nK-Lan;LAN@example.vn;\n;;0901.234.567\n;hoa@example.vn;\n;HOA@example.vn;\n;nobody@example.vn;\n;lan@example.vn;\n;no address;\n;;\nK-Hoa;minh@example.vn;\n";
        let mapping = json!([{ "column": "Thư", "field": "email" }]);
        let dry = import(app, chief, &list, file, json!({ "mapping": mapping, "dryRun": true })).await;
        let counts = |report: &Value| ["rows", "matched", "added", "unknown", "duplicate", "ambiguous", "bad"].map(|name| report[name].as_u64().unwrap_or(99));
        assert_eq!((dry["state"].as_str(), counts(&dry["report"])), (Some("SUCCEEDED"), [8, 3, 0, 1, 1, 2, 1]), "{dry:#}");
        let left: Vec<_> = dry["report"]["bad_rows"].as_array().expect("rows").iter().map(|row| (row["line"].as_u64(), row["outcome"].as_str())).collect();
        let expected = [(5, "DUPLICATE"), (6, "UNKNOWN"), (7, "AMBIGUOUS"), (8, "BAD"), (10, "AMBIGUOUS")];
        assert_eq!(left, expected.map(|(line, outcome)| (Some(line), Some(outcome))), "{dry:#}");
        assert_eq!(members(app, chief, &list).await, [""; 0]);
        let strict = import(app, chief, &list, file, json!({ "mapping": mapping, "skipUnmatched": false })).await;
        assert_eq!((&strict["state"], &strict["report"]["added"]), (&json!("FAILED"), &json!(0)), "{strict:#}");
        assert_eq!(members(app, chief, &list).await, [""; 0]);
        let suppress = "mutation { suppressAddress(input: { channel: EMAIL, address: \"hoa@example.vn\", cause: HARD_BOUNCED }) { userErrors { code message } } }";
        assert_eq!(change(app, chief, suppress, json!({})).await["userErrors"], json!([]));
        let taken = import(app, chief, &list, file, json!({ "mapping": mapping })).await;
        assert_eq!((&taken["done"], counts(&taken["report"])), (&json!(8), [8, 3, 3, 1, 1, 2, 1]), "{taken:#}");
        assert_eq!(members(app, chief, &list).await, ["Hoa", "Lan", "Minh"]);
        let lifted = ask(app, chief, "{ suppressions { nodes { liftedAt } } consents { nodes { id } } }", json!({})).await;
        assert_eq!(lifted, json!({ "suppressions": { "nodes": [{ "liftedAt": null }] }, "consents": { "nodes": [] } }));
        let nothing = import(app, chief, &list, "name\nLan\n", json!({})).await;
        assert!(nothing["report"]["error"].as_str().is_some_and(|why| why.contains("number or email or phone")), "{nothing:#}");
    }

    /// What cannot be is refused with what to do.
    async fn a_list_says_what_is_wrong(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let lan = customer(app, chief, "Lan", json!({})).await;
        app.drain().await;
        let buyers = segment(app, chief, "Buyers", json!({})).await;
        let list = made(app, chief, "List", json!({ "list": {} })).await;
        let refused = async |query: &str, variables: Value| {
            let answer = change(app, chief, query, variables).await;
            let error = &answer["userErrors"][0];
            (error["code"].as_str().unwrap_or_default().to_owned(), error["field"].clone())
        };
        let invalid = |path: Value| ("INVALID".to_owned(), path);
        let ids = json!({ "customerIds": [lan] });
        assert_eq!(refused(ADD, json!({ "id": buyers, "input": ids })).await.0, "INVALID");
        let unknown = json!({ "customerIds": ["cus_01k00000000000000000000000"] });
        assert_eq!(refused(ADD, json!({ "id": list, "input": unknown })).await, ("NOT_FOUND".to_owned(), json!(["input", "customerIds"])));
        let both = json!({ "name": "Both", "filter": {}, "list": {} });
        assert_eq!(refused(CREATE, json!({ "input": both })).await, invalid(json!(["input"])));
        let mixed = json!({ "name": "Mixed", "list": { "customerIds": [lan], "filter": {} } });
        assert_eq!(refused(CREATE, json!({ "input": mixed })).await, invalid(json!(["input", "list"])));
        assert_eq!(refused(UPDATE, json!({ "id": list, "input": { "filter": {} } })).await, invalid(json!(["input", "filter"])));
    }
}
