//! Creating and changing customers.

use serde_json::{Value, json};
use tests::on_both_stacks;

use crate::given::{CREATE_CUSTOMER, customer, invoice};

const UPDATE: &str = "mutation ($id: ID!, $input: UpdateCustomerInput!, $version: Int) {
  updateCustomer(id: $id, input: $input, expectedVersion: $version) {
    customer { version displayName number phone email stage } userErrors { code field message } } }";

on_both_stacks! {
    async fn a_new_customer_follows_the_organisation_where_it_says_nothing(app: App) {
        let input = json!({ "kind": "PERSON", "displayName": "  Nguyễn  Thị\u{301} Lan " });
        let made = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        assert_eq!(made["displayName"], "Nguyễn Thị\u{301} Lan".replace("i\u{323}\u{301}", "ị\u{301}"));
        assert_eq!((&made["language"], &made["currency"], &made["timeZone"]), (&json!("vi"), &json!("VND"), &json!("Asia/Ho_Chi_Minh")));
    }

    async fn absent_keeps_null_clears_and_a_stale_version_is_refused(app: App) {
        let id = customer(app, "Lan", "vi", "VND").await;
        let first = json!({ "id": id, "input": { "phone": "0901 234 567", "number": "K-1" }, "version": 1 });
        let changed = app.make("customer", UPDATE, first.clone()).await;
        assert_eq!(changed, json!({
            "version": 2, "displayName": "Lan", "number": "K-1", "phone": "0901 234 567",
            "email": "customer@example.vn", "stage": "PROSPECT",
        }));
        assert_eq!(app.refusal(UPDATE, first).await, ("STALE_VERSION".into(), "expectedVersion".into()));
        let cleared = json!({ "id": id, "input": { "phone": null, "stage": "REGULAR" } });
        let changed = app.make("customer", UPDATE, cleared).await;
        assert_eq!((&changed["phone"], &changed["number"], &changed["stage"]), (&json!(null), &json!("K-1"), &json!("REGULAR")));
    }

    /// A form shows all that is wrong with it, also with the people and addresses that come with it.
    async fn all_fields_that_are_wrong_are_told_at_once(app: App) {
        let input = json!({
            "kind": "PERSON", "displayName": " ", "email": "lan at example", "timeZone": "Mars/Olympus",
            "contacts": [{ "name": "Minh" }, { "name": "", "email": "minh" }],
            "addresses": [{ "lines": "1 Lê Lợi", "country": "Vietnam" }],
            "customFields": [{ "key": "size", "value": 1 }, { "key": "colour", "value": 2 }],
        });
        let reply = app.send(CREATE_CUSTOMER, json!({ "input": input })).await;
        let payload = &reply.data["createCustomer"];
        let paths: Vec<_> = payload["userErrors"].as_array().expect("errors").iter()
            .map(|error| error["field"].as_array().expect("a path").iter().skip(1)
                .filter_map(Value::as_str).collect::<Vec<_>>().join(".")).collect();
        assert_eq!(paths, [
            "customFields", "customFields", "email", "displayName", "timeZone",
            "contacts.1.name", "contacts.1.email", "addresses.0.country",
        ]);
        assert_eq!(payload["customer"], Value::Null);
    }

    async fn malformed_fields_are_refused_one_by_one(app: App) {
        let id = customer(app, "Lan", "vi", "VND").await;
        let other = json!({ "kind": "PERSON", "displayName": "Minh", "number": "K-1" });
        app.make("customer", CREATE_CUSTOMER, json!({ "input": other })).await;
        let cases = [
            (json!({ "email": "lan at example" }), "INVALID", "input.email"),
            (json!({ "email": "Lan <lan@example.vn>" }), "INVALID", "input.email"),
            (json!({ "timeZone": "Mars/Olympus" }), "INVALID", "input.timeZone"),
            (json!({ "language": "Vietnamese" }), "INVALID", "input.language"),
            (json!({ "displayName": " " }), "INVALID", "input.displayName"),
            (json!({ "displayName": "x".repeat(201) }), "INVALID", "input.displayName"),
            (json!({ "number": "K-1" }), "NOT_UNIQUE", "input.number"),
            (json!({ "ownerId": "usr_x" }), "NOT_FOUND", "input.ownerId"),
        ];
        for (input, code, path) in cases {
            let refusal = app.refusal(UPDATE, json!({ "id": id, "input": input })).await;
            assert_eq!(refusal, (code.to_owned(), path.to_owned()), "{input}");
        }
        assert_eq!(app.refusal(UPDATE, json!({ "id": "cus_x", "input": {} })).await, ("NOT_FOUND".into(), "id".into()));
        invoice(app, &id, "1000", "VND").await;
        assert_eq!(app.refusal(UPDATE, json!({ "id": id, "input": { "currency": "EUR" } })).await.0, "INVALID_STATE");
    }
}
