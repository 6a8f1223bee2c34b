//! Custom fields: defining them, and their values in customers, filters and orders.

use entity::access::Role;
use entity::id::Id;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::changing::bulk::{START, UPDATE as BULK};
use crate::changing::export::{EXPORT, lines};
use crate::changing::import::IMPORT;
use crate::imports::upload;

const CREATE: &str = "mutation ($input: CreateCustomFieldInput!) { createCustomField(input: $input) {
  customField { id version key type choices visibleTo labels } userErrors { code field message } } }";

const UPDATE: &str = "mutation ($id: ID!, $input: UpdateCustomFieldInput!, $version: Int) {
  updateCustomField(id: $id, input: $input, expectedVersion: $version) {
    customField { id version type choices } userErrors { code field message } } }";

const ARCHIVE: &str = "mutation ($id: ID!) { archiveCustomField(id: $id) {
  customField { archivedAt } userErrors { code } } }";

const CUSTOMER: &str = "mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) {
  customer { id customFields { key value definition { label type } } } userErrors { code field message } } }";

const CHANGE: &str =
    "mutation ($id: ID!, $input: UpdateCustomerInput!) { updateCustomer(id: $id, input: $input) {
  customer { customFields { key value } } userErrors { code field message } } }";

const NAMES: &str =
    "query ($filter: CustomerFilter, $order: [CustomerOrder!], $first: Int, $after: String) {
  customers(filter: $filter, orderBy: $order, first: $first, after: $after) {
    totalCount nodes { displayName } pageInfo { endCursor hasNextPage } } }";

/// Sends a mutation that has to succeed as an administrator; gives the record.
async fn define(app: &App, query: &str, variables: Value) -> Value {
    let admin = app.token_of(Role::Administrator).await;
    let reply = app.send_as(Some(&admin), query, variables).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    let payload = reply.data.as_object().and_then(|data| data.values().next()).cloned();
    let payload = payload.expect("a payload");
    assert_eq!(payload["userErrors"], json!([]), "{query}");
    payload["customField"].clone()
}

/// The code and the path of the refusal of a mutation by an administrator.
async fn refused(app: &App, query: &str, variables: Value) -> (Value, Value) {
    let admin = app.token_of(Role::Administrator).await;
    let reply = app.send_as(Some(&admin), query, variables).await;
    let payload = reply.data.as_object().and_then(|data| data.values().next()).cloned();
    let error = payload.expect("a payload")["userErrors"][0].clone();
    (error["code"].clone(), error["field"].clone())
}

async fn names(app: &App, filter: Value, order: Value) -> Vec<String> {
    let data = app.ask(NAMES, json!({ "filter": filter, "order": order })).await;
    let nodes = data["customers"]["nodes"].as_array().expect("nodes").clone();
    nodes.iter().filter_map(|node| node["displayName"].as_str()).map(str::to_owned).collect()
}

/// One field of each type.
async fn all_types(app: &App) {
    let types = [
        "TEXT",
        "NUMBER",
        "DECIMAL",
        "DATE",
        "INSTANT",
        "BOOLEAN",
        "CHOICE",
        "MULTI_CHOICE",
        "MONEY",
        "LINK",
    ];
    for (position, kind) in types.into_iter().enumerate() {
        let choices = kind.ends_with("CHOICE").then(|| json!(["Vàng", "Bạc", "it's"]));
        let input = json!({
            "key": kind.to_lowercase(), "label": kind, "type": kind, "choices": choices, "position": position,
        });
        define(app, CREATE, json!({ "input": input })).await;
    }
}

async fn add(app: &App, name: &str, values: Value) -> Value {
    let values = values.as_object().expect("values").iter();
    let values: Vec<_> = values.map(|(key, value)| json!({ "key": key, "value": value })).collect();
    let input = json!({ "kind": "PERSON", "displayName": name, "customFields": values });
    app.make("customer", CUSTOMER, json!({ "input": input })).await
}

on_both_stacks! {
    async fn each_type_takes_shows_compares_and_orders_its_values(app: App) {
        all_types(app).await;
        let a = add(app, "A", json!({
            "text": "Phở 'bò' \"tái\"", "number": 7, "decimal": "12.50", "date": "2026-03-01",
            "instant": "2026-03-01T09:00:00+07:00", "boolean": true, "choice": "it's",
            "multi_choice": ["Bạc", "Vàng", "Bạc"], "money": { "amount": "99.5", "currency": "EUR" },
            "link": "https://example.vn/lan",
        })).await;
        let shown: Vec<_> = a["customFields"].as_array().expect("values").iter().map(|one| one["value"].clone()).collect();
        assert_eq!(json!(shown), json!([
            "Phở 'bò' \"tái\"", 7, "12.5", "2026-03-01", "2026-03-01T02:00:00+00:00", true, "it's",
            ["Vàng", "Bạc"], { "amount": "99.50", "currency": "EUR" }, "https://example.vn/lan",
        ]));
        assert_eq!(a["customFields"][2]["definition"], json!({ "label": "DECIMAL", "type": "DECIMAL" }));
        add(app, "B", json!({
            "text": "Bún", "number": -3, "decimal": "12.6", "date": "2025-12-31", "instant": "2026-03-01T02:00:00.5Z",
            "boolean": false, "choice": "Bạc", "multi_choice": "it's", "money": { "amount": 100, "currency": "EUR" },
        })).await;
        add(app, "C", json!({})).await;

        let is = async |filter: Value| names(app, json!({ "customFields": filter }), json!([])).await.concat();
        for (filter, expected) in [
            (json!({ "field": "text", "eq": "Phở 'bò' \"tái\"" }), "A"),
            (json!({ "field": "text", "contains": "ú" }), "B"),
            (json!({ "field": "text", "notIn": ["Bún", "Phở"] }), "A"),
            (json!({ "field": "text", "in": ["Bún", "Phở 'bò' \"tái\""] }), "AB"),
            (json!({ "field": "text", "isNull": true }), "C"),
            (json!({ "field": "number", "gte": -3, "lt": 7 }), "B"),
            (json!({ "field": "number", "eq": 7 }), "A"),
            (json!({ "field": "number", "ne": 7 }), "B"),
            (json!({ "field": "number", "in": [7, -3] }), "AB"),
            (json!({ "field": "number", "notIn": [] }), "AB"),
            (json!({ "field": "decimal", "ne": "12.5" }), "B"),
            (json!({ "field": "decimal", "eq": "12.50000001" }), ""),
            (json!({ "field": "date", "within": { "unit": "YEAR", "from": 0, "to": 0 } }), "A"),
            (json!({ "field": "date", "within": { "unit": "QUARTER", "to": -4 } }), "B"),
            (json!({ "field": "instant", "within": { "unit": "MONTH", "from": -8, "to": -8 } }), "AB"),
            (json!({ "field": "boolean", "ne": true }), "B"),
            (json!({ "field": "money", "currency": "EUR", "ne": "99.5" }), "B"),
            (json!({ "field": "decimal", "gt": "12.5" }), "B"),
            (json!({ "field": "decimal", "eq": 12.5 }), "A"),
            (json!({ "field": "date", "gte": "2026-01-01" }), "A"),
            (json!({ "field": "instant", "gt": "2026-03-01T02:00:00Z" }), "B"),
            (json!({ "field": "instant", "lte": "2026-03-01T02:00:00Z" }), "A"),
            (json!({ "field": "boolean", "eq": true }), "A"),
            (json!({ "field": "boolean", "isNull": false }), "AB"),
            (json!({ "field": "choice", "eq": "it's" }), "A"),
            (json!({ "field": "choice", "notIn": ["it's"] }), "B"),
            (json!({ "field": "multi_choice", "in": ["Bạc", "it's"] }), "AB"),
            (json!({ "field": "multi_choice", "notIn": ["Bạc"] }), "B"),
            (json!({ "field": "money", "currency": "EUR", "gte": "99.50", "lte": "99.999" }), "A"),
            (json!({ "field": "money", "currency": "USD" }), ""),
            (json!([{ "field": "number", "gt": 0 }, { "field": "boolean", "eq": true }]), "A"),
        ] {
            assert_eq!(is(filter.clone()).await, expected, "{filter}");
        }
        let not = json!({ "not": { "customFields": { "field": "number", "eq": 7 } } });
        assert_eq!(names(app, not, json!([])).await.concat(), "BC");

        let by = |key: &str, way: &str, nulls: &str| {
            json!([{ "field": "CUSTOM_FIELD", "customField": key, "direction": way, "nulls": nulls }])
        };
        for (key, expected) in [
            ("text", "BAC"), ("number", "BAC"), ("decimal", "ABC"), ("date", "BAC"), ("instant", "ABC"), ("money", "ABC"),
        ] {
            assert_eq!(names(app, json!({}), by(key, "ASC", "LAST")).await.concat(), expected, "{key}");
            let down: String = expected.chars().rev().collect();
            assert_eq!(names(app, json!({}), by(key, "DESC", "FIRST")).await.concat(), down, "{key}");
            let (mut after, mut paged) = (Value::Null, String::new());
            loop {
                let variables = json!({ "order": by(key, "ASC", "LAST"), "first": 1, "after": after });
                let page = app.ask(NAMES, variables).await["customers"].take();
                paged += page["nodes"][0]["displayName"].as_str().expect("a name");
                after = page["pageInfo"]["endCursor"].clone();
                if page["pageInfo"]["hasNextPage"] == json!(false) {
                    break;
                }
            }
            assert_eq!(paged, expected, "{key}");
        }
    }

    async fn many_customers_get_values_at_once(app: App) {
        all_types(app).await;
        add(app, "A", json!({ "number": 1, "text": "x", "money": { "amount": "1", "currency": "EUR" } })).await;
        add(app, "B", json!({})).await;
        let change = |values: Value| json!({ "filter": {}, "change": { "customFields": values }, "key": values.to_string() });
        let values = json!([
            { "key": "number", "value": 7 }, { "key": "text", "value": null }, { "key": "multi_choice", "value": ["Bạc"] },
            { "key": "money", "value": { "amount": "2", "currency": "VND" } },
        ]);
        let job = app.make("job", BULK, change(values)).await;
        app.make("job", START, json!({ "id": job["id"] })).await;
        app.drain().await;
        for (filter, expected) in [
            (json!({ "field": "number", "eq": 7 }), "AB"), (json!({ "field": "text", "isNull": true }), "AB"),
            (json!({ "field": "multi_choice", "in": ["Bạc"] }), "AB"), (json!({ "field": "money", "currency": "VND", "eq": 2 }), "AB"),
        ] {
            assert_eq!(names(app, json!({ "customFields": filter }), json!([])).await.concat(), expected, "{filter}");
        }
        for values in [json!([{ "key": "number", "value": "x" }]), json!([{ "key": "none", "value": 1 }])] {
            let refusal = app.refusal(BULK, change(values)).await;
            assert_eq!(refusal, ("INVALID".to_owned(), "input.customFields".to_owned()));
        }
    }

    async fn a_file_fills_fields_and_a_file_shows_them(app: App) {
        all_types(app).await;
        let file = "name;Số;Ngày;boolean;multi_choice;money;decimal\n\
            A;7;2026-03-01;Có;Vàng; 12.50 eur;1.50\nB;x;;no;;;\nC;;;;Đồng;;\n";
        let mapping = json!([{ "column": "Ngày", "field": "customFields.date" }, { "column": "Số", "field": "customFields.number" }]);
        let (_, uploaded) = upload(app, &app.token(), file).await;
        let input = json!({ "fileId": uploaded["id"], "mapping": mapping });
        let job = app.make("job", IMPORT, json!({ "input": input, "key": "i" })).await;
        app.drain().await;
        let query = "query ($id: ID!) { job(id: $id) { report } }";
        let report = app.ask(query, json!({ "id": job["id"] })).await["job"]["report"].clone();
        assert_eq!((&report["created"], &report["bad"]), (&json!(1), &json!(2)), "{report:#}");
        let reasons: Vec<_> = report["bad_rows"].as_array().expect("rows").iter().map(|row| row["reason"].to_string()).collect();
        assert!(reasons[0].contains("number: this is no whole number"), "{reasons:?}");
        assert!(reasons[1].contains("multi_choice: this is no list of some of Vàng"), "{reasons:?}");

        let asked = json!({ "fields": ["DISPLAY_NAME"], "customFields": ["boolean", "money", "date", "multi_choice", "decimal"], "key": "e" });
        assert_eq!(lines(app, &app.token(), asked).await, [
            "displayName,BOOLEAN,MONEY,MONEY.currency,DATE,MULTI_CHOICE,DECIMAL",
            "A,true,12.50,EUR,2026-03-01,Vàng,1.5",
        ]);
        let whole = lines(app, &app.token(), json!({ "key": "all" })).await;
        assert!(whole[0].ends_with("TEXT,NUMBER,DECIMAL,DATE,INSTANT,BOOLEAN,CHOICE,MULTI_CHOICE,MONEY,MONEY.currency,LINK"), "{whole:?}");
        let none = app.refusal(EXPORT, json!({ "customFields": ["nothing"], "key": "n" })).await;
        assert_eq!(none.0, "INVALID");

        let undone = app.make("job", "mutation ($id: ID!) { undoImport(jobId: $id) { job { report } userErrors { code } } }", json!({ "id": job["id"] })).await;
        assert_eq!(undone["report"], json!({ "removed": 1 }));
    }

    async fn what_a_field_does_not_take_is_refused(app: App) {
        all_types(app).await;
        let a = add(app, "A", json!({ "number": 1, "text": "x" })).await;
        for (key, value) in [
            ("number", json!("x")), ("number", json!(1.5)), ("decimal", json!("0.1234567")), ("decimal", json!("1e30")),
            ("date", json!("2026-02-30")), ("instant", json!("2026-02-01")), ("boolean", json!("true")),
            ("choice", json!("Đồng")), ("multi_choice", json!(["Vàng", "Đồng"])), ("link", json!("javascript:alert(1)")),
            ("money", json!({ "amount": "1.5", "currency": "VND" })), ("money", json!("1 EUR")),
            ("text", json!("x".repeat(1_001))), ("nothing", json!("x")), ("number') OR 1=1 --", json!(1)),
        ] {
            let input = json!({ "customFields": [{ "key": key, "value": value }] });
            let refusal = app.refusal(CHANGE, json!({ "id": a["id"], "input": input })).await;
            assert_eq!(refusal, ("INVALID".to_owned(), "input.customFields".to_owned()), "{key} {value}");
        }
        for filter in [
            json!({ "field": "nothing", "eq": 1 }), json!({ "field": "x' OR '1'='1", "eq": 1 }),
            json!({ "field": "number", "eq": "x" }), json!({ "field": "boolean", "gt": true }),
            json!({ "field": "money", "gte": "1" }), json!({ "field": "choice", "eq": "Đồng" }),
        ] {
            let variables = json!({ "filter": { "customFields": [filter.clone()] } });
            assert_eq!(app.send(NAMES, variables).await.error_code(), Some("BAD_REQUEST"), "{filter}");
        }
        let input = json!({ "customFields": [{ "key": "number", "value": null }, { "key": "text", "value": " y " }] });
        let changed = app.make("customer", CHANGE, json!({ "id": a["id"], "input": input })).await;
        assert_eq!(changed["customFields"][0], json!({ "key": "text", "value": "y" }));
        assert_eq!(changed["customFields"][1], json!({ "key": "number", "value": null }));
    }

    async fn a_definition_keeps_what_its_values_need(app: App) {
        let input = json!({ "key": "tier", "label": "Hạng", "type": "CHOICE", "choices": ["Gold", "Silver", "Bronze"], "required": true,
            "labels": [{ "language": "en", "label": "Tier" }] });
        let tier = define(app, CREATE, json!({ "input": input.clone() })).await;
        assert_eq!(tier["labels"], json!({ "en": "Tier" }));
        assert_eq!(refused(app, CREATE, json!({ "input": input })).await, (json!("NOT_UNIQUE"), json!(["input", "key"])));
        for (input, field) in [
            (json!({ "key": "1x", "label": "X", "type": "TEXT" }), "key"),
            (json!({ "key": "x", "label": " ", "type": "TEXT" }), "label"),
            (json!({ "key": "x", "label": "X", "type": "CHOICE" }), "choices"),
            (json!({ "key": "x", "label": "X", "type": "TEXT", "choices": ["a"] }), "choices"),
            (json!({ "key": "x", "label": "X", "type": "TEXT", "sensitivity": "PERSONAL" }), "purpose"),
            (json!({ "key": "x", "label": "X", "type": "TEXT", "sensitivity": "SENSITIVE", "purpose": "Care" }), "visibleTo"),
        ] {
            assert_eq!(refused(app, CREATE, json!({ "input": input })).await, (json!("INVALID"), json!(["input", field])));
        }

        let bare = json!({ "kind": "PERSON", "displayName": "Lan" });
        let refusal = app.refusal(CUSTOMER, json!({ "input": bare })).await;
        assert_eq!(refusal, ("INVALID".to_owned(), "input.customFields".to_owned()));
        let lan = add(app, "Lan", json!({ "tier": "Gold" })).await;
        let cleared = json!({ "customFields": [{ "key": "tier", "value": null }] });
        let refusal = app.refusal(CHANGE, json!({ "id": lan["id"], "input": cleared })).await;
        assert_eq!(refusal.0, "INVALID");

        let id = &tier["id"];
        let change = |input: Value| json!({ "id": id, "input": input });
        assert_eq!(refused(app, UPDATE, change(json!({ "type": "TEXT", "choices": [] }))).await.0, json!("INVALID_STATE"));
        assert_eq!(refused(app, UPDATE, change(json!({ "choices": ["Silver", "Bronze"] }))).await.0, json!("INVALID_STATE"));
        let changed = define(app, UPDATE, change(json!({ "choices": ["Bronze", "Gold"] }))).await;
        assert_eq!(changed["choices"], json!(["Bronze", "Gold"]));
        let stale = json!({ "id": id, "input": {}, "version": 1 });
        assert_eq!(refused(app, UPDATE, stale).await.0, json!("STALE_VERSION"));

        define(app, ARCHIVE, json!({ "id": id })).await;
        assert_eq!(refused(app, ARCHIVE, json!({ "id": id })).await.0, json!("NOT_FOUND"));
        let after = add(app, "Minh", json!({})).await;
        assert_eq!(after["customFields"], json!([]));
        let filter = json!({ "filter": { "customFields": [{ "field": "tier", "eq": "Gold" }] } });
        assert_eq!(app.send(NAMES, filter).await.error_code(), Some("BAD_REQUEST"));

        let free = define(app, CREATE, json!({ "input": { "key": "free", "label": "Free", "type": "TEXT" } })).await;
        let changed = define(app, UPDATE, json!({ "id": free["id"], "input": { "type": "NUMBER" } })).await;
        assert_eq!(changed["type"], "NUMBER");
        let input = json!({ "key": "y", "label": "Y", "type": "TEXT" });
        assert_eq!(app.send(CREATE, json!({ "input": input })).await.error_code(), Some("FORBIDDEN"));
    }

    async fn a_sensitive_field_is_seen_by_its_roles_alone(app: App) {
        let input = json!({ "key": "allergy", "label": "Allergy", "type": "TEXT", "sensitivity": "SENSITIVE",
            "purpose": "Catering", "visibleTo": [Role::Sales.id().global()] });
        define(app, CREATE, json!({ "input": input })).await;
        let sales = app.token_of(Role::Sales).await;
        let values = json!([{ "key": "allergy", "value": "Đậu phộng" }]);
        let input = json!({ "kind": "PERSON", "displayName": "Lan", "customFields": values });
        let made = app.send_as(Some(&sales), CUSTOMER, json!({ "input": input })).await;
        let lan = &made.data["createCustomer"]["customer"];
        assert_eq!(lan["customFields"][0]["value"], "Đậu phộng");

        let query = "query ($id: ID!) { customer(id: $id) { customFields { value } } }";
        let data = app.ask(query, json!({ "id": lan["id"] })).await;
        assert_eq!(data["customer"]["customFields"], json!([]));
        let order = json!({ "order": [{ "field": "CUSTOM_FIELD", "customField": "allergy" }] });
        let filter = json!({ "filter": { "customFields": [{ "field": "allergy", "isNull": false }] } });
        for variables in [order, filter.clone()] {
            assert_eq!(app.send(NAMES, variables).await.error_code(), Some("FORBIDDEN"));
        }
        let found = app.send_as(Some(&sales), NAMES, filter).await;
        assert_eq!(found.data["customers"]["totalCount"], 1);
        let refusal = app.refusal(CHANGE, json!({ "id": lan["id"], "input": { "customFields": values } })).await;
        assert_eq!(refusal.0, "INVALID");
        let whole = json!({ "fields": ["DISPLAY_NAME"], "customFields": [] , "key": "k" });
        assert_eq!(lines(app, &app.token(), whole).await[0], "displayName");
        assert!(!lines(app, &app.token(), json!({ "key": "all" })).await[0].contains("Allergy"));
        assert!(lines(app, &sales, json!({ "key": "all" })).await[0].ends_with(",Allergy"));
    }
}
