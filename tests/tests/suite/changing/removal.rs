//! Deleting, restoring and purging customers; changing who belongs to them.

use std::collections::BTreeSet;

use entity::access::Role;
use entity::customers::reference::REFERENCES;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::given::{CREATE_CUSTOMER, customer, invoice};

pub const DELETE: &str =
    "mutation ($id: ID!, $version: Int) { deleteCustomer(id: $id, expectedVersion: $version) {
  customer { version deletedAt } userErrors { code field message } } }";

pub const RESTORE: &str =
    "mutation ($id: ID!, $version: Int) { restoreCustomer(id: $id, expectedVersion: $version) {
  customer { version deletedAt } userErrors { code field message } } }";

pub const PURGE: &str =
    "mutation ($id: ID!) { purgeCustomer(id: $id) { purgedId userErrors { code field message } } }";

async fn names(app: &App, filter: Value) -> Vec<String> {
    let query = "query ($filter: CustomerFilter) { customers(filter: $filter, orderBy: [{ field: DISPLAY_NAME }]) { totalCount nodes { displayName } } }";
    let data = app.ask(query, json!({ "filter": filter })).await;
    let nodes = data["customers"]["nodes"].as_array().expect("nodes");
    assert_eq!(data["customers"]["totalCount"], nodes.len());
    nodes.iter().filter_map(|node| node["displayName"].as_str()).map(str::to_owned).collect()
}

/// Every column that refers to a customer, as the database knows it.
pub async fn columns(app: &App) -> BTreeSet<(String, String)> {
    let reader = app.db.reader();
    let sql = match reader.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT CAST(tc.table_name AS text) AS a, CAST(kc.column_name AS text) AS b \
             FROM information_schema.table_constraints tc \
             JOIN information_schema.key_column_usage kc USING (constraint_schema, constraint_name) \
             JOIN information_schema.constraint_column_usage cc USING (constraint_schema, constraint_name) \
             WHERE tc.constraint_type = 'FOREIGN KEY' AND cc.table_name = 'customer' \
             UNION SELECT CAST(table_name AS text), CAST(column_name AS text) \
             FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name) \
             WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND column_name LIKE '%customer\\_id'"
        }
        _ => {
            "SELECT m.name AS a, f.\"from\" AS b FROM sqlite_master m, pragma_foreign_key_list(m.name) f \
             WHERE m.type = 'table' AND f.\"table\" = 'customer' \
             UNION SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND c.name LIKE '%customer_id'"
        }
    };
    let rows =
        reader.query_all_raw(Statement::from_string(reader.get_database_backend(), sql)).await;
    let rows = rows.expect("the catalogue of the database");
    rows.iter()
        .map(|row| (row.try_get("", "a").expect("a"), row.try_get("", "b").expect("b")))
        .collect()
}

on_both_stacks! {
    async fn a_deleted_customer_is_out_of_lists_until_it_is_restored(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        customer(app, "Minh", "vi", "VND").await;
        let stale = app.refusal(DELETE, json!({ "id": lan, "version": 7 })).await;
        assert_eq!(stale, ("STALE_VERSION".into(), "expectedVersion".into()));
        let deleted = app.make("customer", DELETE, json!({ "id": lan, "version": 1 })).await;
        assert_eq!(deleted["version"], 2);
        assert!(deleted["deletedAt"].is_string());
        assert_eq!(app.refusal(DELETE, json!({ "id": lan })).await.0, "NOT_FOUND");

        assert_eq!(names(app, json!({})).await, ["Minh"]);
        assert_eq!(names(app, json!({ "deletedAt": { "isNull": false } })).await, ["Lan"]);
        let either = json!({ "or": [{ "deletedAt": { "isNull": false } }, { "search": "minh" }] });
        assert_eq!(names(app, either).await, ["Lan", "Minh"]);
        assert_eq!(names(app, json!({ "deletedAt": null })).await, ["Minh"]);
        let line = json!({ "description": "Tea", "unitPrice": "1" });
        let input = json!({ "customerId": lan, "dueOn": "2026-12-20", "lines": [line] });
        assert_eq!(app.refusal(crate::given::ISSUE_INVOICE, json!({ "input": input })).await.0, "NOT_FOUND");

        let restored = app.make("customer", RESTORE, json!({ "id": lan, "version": 2 })).await;
        assert_eq!(restored, json!({ "version": 3, "deletedAt": null }));
        assert_eq!(names(app, json!({})).await, ["Lan", "Minh"]);
        assert_eq!(app.refusal(RESTORE, json!({ "id": lan })).await.0, "INVALID_STATE");
    }

    async fn only_an_administrator_purges_and_never_what_the_law_keeps(app: App) {
        let (lan, minh) = (customer(app, "Lan", "vi", "VND").await, customer(app, "Minh", "vi", "VND").await);
        let contact = json!({ "kind": "PERSON", "displayName": "Hoa", "contacts": [{ "name": "Hoa" }], "addresses": [{ "lines": "1 Lê Lợi" }] });
        let hoa = app.make("customer", CREATE_CUSTOMER, json!({ "input": contact })).await["id"].clone();
        invoice(app, &lan, "1000", "VND").await;
        let administrator = app.token_of(Role::Administrator).await;
        let purge = async |id: &Value| {
            let reply = app.send_as(Some(&administrator), PURGE, json!({ "id": id })).await;
            assert_eq!(reply.errors, Vec::<Value>::new());
            reply.data["purgeCustomer"].clone()
        };
        assert_eq!(app.send(PURGE, json!({ "id": hoa })).await.error_code(), Some("FORBIDDEN"));
        assert_eq!(purge(&hoa).await["userErrors"][0]["code"], "INVALID_STATE", "it is not deleted");
        for id in [&json!(lan), &json!(minh), &hoa] {
            app.make("customer", DELETE, json!({ "id": id })).await;
        }
        assert_eq!(purge(&json!(lan)).await["userErrors"][0]["code"], "INVALID_STATE", "it has an invoice");
        assert_eq!(purge(&hoa).await, json!({ "purgedId": hoa, "userErrors": [] }));
        assert_eq!(purge(&hoa).await["userErrors"][0]["code"], "NOT_FOUND");
        assert_eq!(names(app, json!({ "deletedAt": { "isNull": false } })).await, ["Lan", "Minh"]);
        let left = "SELECT (SELECT COUNT(*) FROM contact) + (SELECT COUNT(*) FROM address) AS n";
        assert_eq!(app.number(left).await, 0);
    }

    async fn everything_that_refers_to_a_customer_is_known(app: App) {
        let known: BTreeSet<_> = REFERENCES.iter().map(|one| (one.table.to_owned(), one.column.to_owned())).collect();
        let message = "entity/src/customers/reference.rs says what becomes of each when a customer is merged or purged";
        assert_eq!(columns(app).await, known, "{message}");
    }

    async fn contacts_and_addresses_are_added_changed_and_removed(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let create = "mutation ($id: ID!, $input: ContactInput!) { createContact(customerId: $id, input: $input) {
          contact { id version name customer { displayName } } userErrors { code field } } }";
        let contact = app.make("contact", create, json!({ "id": lan, "input": { "name": " Hoa ", "email": "hoa@example.vn" } })).await;
        assert_eq!((&contact["name"], &contact["customer"]["displayName"]), (&json!("Hoa"), &json!("Lan")));
        let update = "mutation ($id: ID!, $input: UpdateContactInput!, $version: Int) { updateContact(id: $id, input: $input, expectedVersion: $version) {
          contact { version name email billing } userErrors { code field } } }";
        let change = json!({ "id": contact["id"], "input": { "email": null, "billing": true }, "version": 1 });
        let changed = app.make("contact", update, change.clone()).await;
        assert_eq!(changed, json!({ "version": 2, "name": "Hoa", "email": null, "billing": true }));
        assert_eq!(app.refusal(update, change).await.0, "STALE_VERSION");
        let bad = json!({ "id": contact["id"], "input": { "name": "" } });
        assert_eq!(app.refusal(update, bad).await, ("INVALID".into(), "input.name".into()));
        let delete = "mutation ($id: ID!, $version: Int) { deleteContact(id: $id, expectedVersion: $version) {
          customer { contacts { name } } userErrors { code field } } }";
        assert_eq!(app.refusal(delete, json!({ "id": contact["id"], "version": 1 })).await.0, "STALE_VERSION");
        assert_eq!(app.make("customer", delete, json!({ "id": contact["id"], "version": 2 })).await, json!({ "contacts": [] }));
        assert_eq!(app.refusal(delete, json!({ "id": contact["id"] })).await.0, "NOT_FOUND");

        let create = "mutation ($id: ID!, $input: AddressInput!) { createAddress(customerId: $id, input: $input) {
          address { id version kind country } userErrors { code field } } }";
        let address = app.make("address", create, json!({ "id": lan, "input": { "lines": "1 Lê Lợi", "country": "vn" } })).await;
        assert_eq!((&address["country"], &address["kind"]), (&json!("VN"), &json!("BILLING")));
        let bad = json!({ "id": lan, "input": { "lines": "1 Lê Lợi", "country": "Vietnam" } });
        assert_eq!(app.refusal(create, bad).await, ("INVALID".into(), "input.country".into()));
        let update = "mutation ($id: ID!, $input: UpdateAddressInput!) { updateAddress(id: $id, input: $input) {
          address { version kind city country } userErrors { code field } } }";
        let changed = app.make("address", update, json!({ "id": address["id"], "input": { "kind": "SHIPPING", "city": "Huế", "country": null } })).await;
        assert_eq!(changed, json!({ "version": 2, "kind": "SHIPPING", "city": "Huế", "country": null }));
        app.make("customer", DELETE, json!({ "id": lan })).await;
        assert_eq!(app.refusal(update, json!({ "id": address["id"], "input": {} })).await.0, "NOT_FOUND");
    }
}
