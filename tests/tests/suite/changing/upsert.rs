//! Customers by the hundred.

use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use super::removal::DELETE;
use crate::given::{customer, invoice};

const UPSERT: &str = "mutation ($input: UpsertCustomersInput!, $key: String!) {
  upsertCustomers(input: $input, idempotencyKey: $key) {
    succeeded failed job { state kind done total }
    rows { index created customer { number displayName version email contacts { name } } userErrors { code field } }
    userErrors { code field } } }";

async fn upsert(app: &App, key: &str, input: Value) -> Value {
    app.ask(UPSERT, json!({ "input": input, "key": key })).await["upsertCustomers"].clone()
}

async fn count(app: &App) -> i64 {
    app.number("SELECT COUNT(*) AS n FROM customer").await
}

on_both_stacks! {
    async fn rows_add_and_change_and_a_repeated_request_gets_the_same_answer(app: App) {
        let rows = json!([
            { "number": "K-1", "displayName": "Lan", "email": "lan@example.vn" },
            { "number": "K-2", "displayName": "Minh" },
        ]);
        let first = upsert(app, "one", json!({ "rows": rows })).await;
        assert_eq!((&first["succeeded"], &first["failed"]), (&json!(2), &json!(0)), "{first:#}");
        assert_eq!(first["job"], json!({ "state": "SUCCEEDED", "kind": "UPSERT_CUSTOMERS", "done": 2, "total": 2 }));
        assert_eq!(upsert(app, "one", json!({ "rows": rows })).await, first);
        assert_eq!(count(app).await, 2);

        let rows = json!([{ "number": "K-3", "displayName": "Hoa" }, { "number": "K-1", "displayName": "Lan Anh" }]);
        let second = upsert(app, "two", json!({ "rows": rows })).await;
        assert_eq!(second["rows"][0]["created"], true);
        let changed = json!({ "number": "K-1", "displayName": "Lan Anh", "version": 2, "email": "lan@example.vn", "contacts": [] });
        assert_eq!((&second["rows"][1]["created"], &second["rows"][1]["customer"]), (&json!(false), &changed));
        let reused = app.refusal(UPSERT, json!({ "input": { "rows": rows }, "key": "one" })).await;
        assert_eq!(reused, ("IDEMPOTENCY_KEY_REUSED".into(), "idempotencyKey".into()));
    }

    async fn bad_rows_stop_all_of_them_or_only_themselves(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        invoice(app, &lan, "1000", "VND").await;
        let twice = customer(app, "Lan Anh", "vi", "VND").await;
        let set = "mutation ($id: ID!, $input: UpdateCustomerInput!) { updateCustomer(id: $id, input: $input) { customer { id } userErrors { code } } }";
        app.make("customer", set, json!({ "id": lan, "input": { "number": "K-1" } })).await;
        app.make("customer", set, json!({ "id": twice, "input": { "number": "K-0" } })).await;
        app.make("customer", DELETE, json!({ "id": twice })).await;
        let rows = json!([
            { "number": "K-9", "displayName": "Good" },
            { "displayName": "Nobody" },
            { "number": "K-9", "displayName": "Again" },
            { "number": "K-8" },
            { "number": "K-7", "displayName": "x", "email": "no address" },
            { "number": "K-6", "displayName": "x", "ownerId": "usr_x" },
            { "number": "K-1", "currency": "EUR" },
            { "number": "K-0", "displayName": "x" },
        ]);
        let before = count(app).await;
        let refused = upsert(app, "all", json!({ "rows": rows })).await;
        assert_eq!((&refused["succeeded"], &refused["failed"]), (&json!(0), &json!(8)));
        assert_eq!(count(app).await, before);
        let some = upsert(app, "some", json!({ "rows": rows, "errorPolicy": "SKIP_FAILED" })).await;
        assert_eq!((&some["succeeded"], &some["failed"]), (&json!(1), &json!(7)));
        let errors: Vec<_> = some["rows"].as_array().expect("rows").iter().map(|row| {
            let error = &row["userErrors"][0];
            let path = error["field"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
            format!("{} {}", error["code"].as_str().unwrap_or("-"), path.join("."))
        }).collect();
        assert_eq!(errors, [
            "- ", "INVALID input.rows.1", "NOT_UNIQUE input.rows.2", "INVALID input.rows.3.displayName",
            "INVALID input.rows.4.email", "NOT_FOUND input.rows.5.ownerId", "INVALID_STATE input.rows.6.currency",
            "INVALID_STATE input.rows.7",
        ]);
        assert_eq!(count(app).await, before + 1);
    }

    async fn rows_are_matched_by_address_and_tax_number_however_they_are_typed(app: App) {
        let rows = json!([{ "email": "Lan@Example.vn", "displayName": "Lan", "taxNumber": "0401-234567" }]);
        upsert(app, "new", json!({ "rows": rows, "matchOn": "EMAIL" })).await;
        let by_mail = json!([{ "email": "lan@example.VN", "number": "K-1" }]);
        let outcome = upsert(app, "mail", json!({ "rows": by_mail, "matchOn": "EMAIL" })).await;
        assert_eq!(outcome["rows"][0]["created"], false, "{outcome:#}");
        let by_tax = json!([{ "taxNumber": "0401 234 567", "phone": "0901" }]);
        let outcome = upsert(app, "tax", json!({ "rows": by_tax, "matchOn": "TAX_NUMBER" })).await;
        assert_eq!((&outcome["rows"][0]["customer"]["version"], count(app).await), (&json!(3), 1));
        let other = json!([{ "email": "b@example.vn", "displayName": "B", "number": "K-1" }]);
        let outcome = upsert(app, "taken", json!({ "rows": other, "matchOn": "EMAIL" })).await;
        assert_eq!(outcome["rows"][0]["userErrors"][0], json!({ "code": "NOT_UNIQUE", "field": ["input", "rows", "0", "number"] }));
        customer(app, "One", "vi", "VND").await;
        customer(app, "Two", "vi", "VND").await;
        let several = json!([{ "email": "customer@example.vn", "phone": "1" }]);
        let outcome = upsert(app, "several", json!({ "rows": several, "matchOn": "EMAIL" })).await;
        assert_eq!(outcome["rows"][0]["userErrors"][0]["code"], "NOT_UNIQUE");
    }

    async fn five_hundred_rows_are_taken_at_once_and_no_more(app: App) {
        let rows = |count: usize| (0..count).map(|row| json!({ "number": format!("K-{row}"), "displayName": format!("Khách {row}") })).collect::<Vec<_>>();
        let outcome = upsert(app, "many", json!({ "rows": rows(500) })).await;
        assert_eq!(outcome["succeeded"], 500);
        assert_eq!(outcome["rows"][499]["customer"]["displayName"], "Khách 499");
        let again = upsert(app, "again", json!({ "rows": rows(500) })).await;
        assert_eq!((&again["succeeded"], &again["rows"][7]["customer"]["version"]), (&json!(500), &json!(1)), "what stays as it was is not touched");
        let reply = app.send(UPSERT, json!({ "input": { "rows": rows(501) }, "key": "too many" })).await;
        assert!(!reply.errors.is_empty());
    }
}
