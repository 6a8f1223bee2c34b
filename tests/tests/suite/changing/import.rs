//! Customers from a file: mappings that are kept, rows that find somebody, and taking it back.

use entity::access::Role;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use super::export::{fetch, lines};
use crate::files::{get, header, link};
use crate::given::invoice;
use crate::imports::upload;

pub const IMPORT: &str = "mutation ($input: ImportCustomersInput!, $key: String!) { importCustomers(input: $input, idempotencyKey: $key) {
  job { id } userErrors { code field message } } }";

const UNDO: &str = "mutation ($id: ID!) { undoImport(jobId: $id) { job { id kind state report } userErrors { code field message } } }";

const TEMPLATE: &str = "mutation ($name: String!, $mapping: [ColumnMappingInput!]!) { saveImportTemplate(input: { name: $name, mapping: $mapping }) {
  template { id name mapping version } userErrors { code field message } } }";

const FILE: &str = "Mã KH;Tên khách hàng;Thư;Điện thoại;Stage
K-1;Nguyễn Lan;lan@example.vn;0901 234 567;customer
K-2;Trần Minh;no address;;
K-3;;;;
K-4;Hoa;;;hopeful
;Nobody;;;
";

/// The ended job of an import of `file`.
async fn import(app: &App, key: &str, file: &str, mut input: Value) -> Value {
    let (status, file) = upload(app, &app.token(), file).await;
    assert_eq!(status, 201, "{file}");
    input["fileId"] = file["id"].clone();
    let job = app.make("job", IMPORT, json!({ "input": input, "key": key })).await;
    app.drain().await;
    let query = "query ($id: ID!) { job(id: $id) { id state done total report } }";
    app.ask(query, json!({ "id": job["id"] })).await["job"].clone()
}

async fn customers(app: &App) -> Value {
    let query = "{ customers(orderBy: [{ field: CREATED_AT }]) { nodes { number displayName email version } } }";
    app.ask(query, json!({})).await["customers"]["nodes"].clone()
}

on_both_stacks! {
    async fn a_file_is_read_by_a_mapping_that_is_kept(app: App) {
        let mapping = json!([{ "column": "Thư", "field": "email" }]);
        let template = app.make("template", TEMPLATE, json!({ "name": "Kho", "mapping": mapping })).await;
        assert_eq!(template["mapping"], json!([["Thư", "email"]]));
        let again = app.make("template", TEMPLATE, json!({ "name": "Kho", "mapping": mapping })).await;
        assert_eq!((&again["id"], &again["version"]), (&template["id"], &json!(2)));
        let listed = app.ask("{ importTemplates { nodes { name } } }", json!({})).await;
        assert_eq!(listed["importTemplates"]["nodes"], json!([{ "name": "Kho" }]));
        let bad = json!({ "name": "x", "mapping": [{ "column": "a", "field": "color" }] });
        assert_eq!(app.refusal(TEMPLATE, bad).await, ("INVALID".into(), "input.mapping".into()));

        let job = import(app, "k", FILE, json!({ "templateId": template["id"] })).await;
        assert_eq!((&job["state"], &job["done"], &job["total"]), (&json!("SUCCEEDED"), &json!(5), &json!(5)), "{job:#}");
        let report = &job["report"];
        assert_eq!((&report["created"], &report["updated"], &report["skipped"], &report["bad"]), (&json!(2), &json!(0), &json!(0), &json!(3)), "{job:#}");
        let lines: Vec<_> = report["bad_rows"].as_array().expect("rows").iter().map(|row| row["line"].clone()).collect();
        assert_eq!(lines, [3, 4, 5], "{report:#}");
        let path = link(app, &job["id"]).await;
        let refused = get(app, &path, &[]).await;
        let text = std::str::from_utf8(refused.body()).expect("UTF-8");
        let lines: Vec<_> = text.split("\r\n").map(|line| line.split(',').next().expect("a line")).collect();
        assert_eq!(lines, ["\u{feff}line", "3", "4", "5", ""], "{text}");
        assert!(header(&refused, "content-disposition").starts_with("attachment; filename=\"refused-"));
        let part = get(app, &path, &[("range", "bytes=3-6")]).await;
        assert_eq!((part.status().as_u16(), part.body().as_ref()), (206, b"line".as_slice()));
        let other = app.token_of(Role::Administrator).await;
        assert_eq!(fetch(app, Some(&other), &job["id"]).await.0, 404, "it is for who asked");
        let lan = json!({ "number": "K-1", "displayName": "Nguyễn Lan", "email": "lan@example.vn", "version": 1 });
        assert_eq!(customers(app).await[0], lan);
    }

    async fn rows_that_find_a_customer_are_skipped_or_change_it_or_add_another(app: App) {
        let file = "number,name,email\nK-1,Lan,lan@example.vn\nK-2,Minh,minh@example.vn\n";
        import(app, "first", file, json!({})).await;
        let newer = "number,name,email\nK-1,Lan Anh,lan@example.vn\nK-3,Hoa,\n";
        let skipped = import(app, "skip", newer, json!({ "duplicates": "SKIP" })).await;
        assert_eq!((&skipped["report"]["created"], &skipped["report"]["skipped"]), (&json!(1), &json!(1)));
        let updated = import(app, "update", newer, json!({ "duplicates": "UPDATE" })).await;
        assert_eq!((&updated["report"]["updated"], &updated["report"]["skipped"]), (&json!(1), &json!(1)));
        assert_eq!(customers(app).await[0]["displayName"], "Lan Anh");
        let without = "name,email\nLan,lan@example.vn\n";
        let created = import(app, "create", without, json!({ "duplicates": "CREATE", "matchOn": "EMAIL" })).await;
        assert_eq!(created["report"]["created"], 1);
        assert_eq!(customers(app).await.as_array().map(Vec::len), Some(4));
    }

    async fn what_was_exported_is_imported_as_it_was(app: App) {
        let upsert = "mutation ($rows: [UpdateCustomerInput!]!) { upsertCustomers(input: { rows: $rows }, idempotencyKey: \"u\") { succeeded userErrors { code message } } }";
        let rows = json!([
            { "number": "-7", "displayName": "=Lan", "phone": "+84 90 123 45 67", "kind": "PERSON" },
            { "number": "'-7", "displayName": "'=Lan", "phone": "'+84 90" },
            { "number": "@8", "displayName": "'s-Hertogenbosch", "language": "vi", "currency": "EUR" },
        ]);
        app.make("succeeded", upsert, json!({ "rows": rows })).await;
        let whole = "{ customers(orderBy: [{ field: NUMBER }]) { nodes { number displayName phone kind stage language currency version } } }";
        let before = app.ask(whole, json!({})).await;
        let fields = ["NUMBER", "DISPLAY_NAME", "PHONE", "KIND", "STAGE", "LANGUAGE", "CURRENCY"];
        let file = lines(app, &app.token(), json!({ "fields": fields, "key": "e" })).await.join("\r\n");
        assert!(file.contains("'+84 90 123 45 67") && file.contains("''=Lan"), "{file}");
        let job = import(app, "again", &file, json!({ "duplicates": "UPDATE" })).await;
        let report = &job["report"];
        assert_eq!((&report["skipped"], &report["updated"], &report["bad"]), (&json!(3), &json!(0), &json!(0)), "{job:#}");
        assert_eq!(app.ask(whole, json!({})).await, before);
    }

    async fn a_large_import_is_taken_back_with_all_that_the_log_says(app: App) {
        let rows: Vec<_> = (0..8_000).map(|number| format!("K-{number},Lan {number}")).collect();
        let file = format!("number,name\n{}\n", rows.join("\n"));
        let job = import(app, "large", &file, json!({})).await;
        let undone = app.make("job", UNDO, json!({ "id": job["id"] })).await;
        assert_eq!(undone["report"], json!({ "removed": 8_000 }));
        let said = "SELECT COUNT(*) AS n FROM audit_entry WHERE record_table = 'customer' AND erased_at IS NOT NULL";
        assert_eq!(app.number(said).await, 16_000);
    }

    async fn an_import_is_taken_back_until_something_is_built_on_it(app: App) {
        let file = "number,name\nK-1,Lan\nK-2,Minh\n";
        let first = import(app, "first", file, json!({})).await;
        let undone = app.make("job", UNDO, json!({ "id": first["id"] })).await;
        assert_eq!((&undone["kind"], &undone["state"], &undone["report"]), (&json!("UNDO_IMPORT"), &json!("SUCCEEDED"), &json!({ "removed": 2 })));
        assert_eq!(customers(app).await, json!([]));
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM customer").await, 0);
        let said = "SELECT COUNT(*) AS n FROM audit_entry WHERE record_table = 'customer' \
            AND (before IS NOT NULL OR after IS NOT NULL)";
        assert_eq!(app.number(said).await, 0, "the audit log says nothing of who is gone");

        let second = import(app, "second", file, json!({})).await;
        let found = app.ask("{ customers { nodes { id } } }", json!({})).await;
        let nodes = &found["customers"]["nodes"];
        invoice(app, nodes[0]["id"].as_str().expect("an id"), "1000", "VND").await;
        let change = "mutation ($id: ID!) { updateCustomer(id: $id, input: { phone: \"1\" }) { customer { id } userErrors { code } } }";
        app.make("customer", change, json!({ "id": nodes[1]["id"] })).await;
        let refused = app.ask(UNDO, json!({ "id": second["id"] })).await["undoImport"]["userErrors"][0].clone();
        assert_eq!(refused["code"], "INVALID_STATE");
        let message = "the import cannot be undone any more: 1 of its customers were changed since; \
            there are records of 1 of them: invoice; there are records of 1 of them: ledger entry";
        assert_eq!(refused["message"], message);
        assert_eq!(customers(app).await.as_array().map(Vec::len), Some(2));
        assert_eq!(app.refusal(UNDO, json!({ "id": undone["id"] })).await.0, "NOT_FOUND", "it is no import");
    }

    async fn what_cannot_be_imported_says_why(app: App) {
        let job = import(app, "none", "color,size\nred,1\n", json!({})).await;
        assert_eq!(job["state"], "FAILED");
        assert!(job["report"]["error"].as_str().is_some_and(|error| error.contains("displayName")), "{job:#}");
        let refused = app.refusal(IMPORT, json!({ "input": { "fileId": "fil_x" }, "key": "k" })).await;
        assert_eq!(refused, ("NOT_FOUND".into(), "input.fileId".into()));
        let sales = app.token_of(Role::Sales).await;
        let forbidden = app.send_as(Some(&sales), UNDO, json!({ "id": job["id"] })).await;
        assert_eq!(forbidden.error_code(), Some("FORBIDDEN"));
    }
}
