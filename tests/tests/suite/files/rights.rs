//! Who sees documents and who changes them, and where they go with what they are kept with.

use entity::access::Role;
use entity::id::Id;
use serde_json::{Value, json};
use tests::on_both_stacks;

use super::{DOCUMENTS, DOWNLOAD, RESTORE, get, link, objects, promise, put, text};
use crate::given::{self, CREATE_CUSTOMER, CREATE_UPLOAD, DELETE_DOCUMENT, role};

const MERGE: &str = "mutation ($input: MergeCustomersInput!) {
  mergeCustomers(input: $input) { customer { documents { nodes { title } } } userErrors { code } } }";

const DELETE_CUSTOMER: &str =
    "mutation ($id: ID!) { deleteCustomer(id: $id) { customer { id } userErrors { code } } }";

const PURGE: &str =
    "mutation ($id: ID!) { purgeCustomer(id: $id) { purgedId userErrors { code } } }";

on_both_stacks! {
    async fn who_sees_a_record_sees_its_documents_and_who_changes_it_changes_them(app: App) {
        let customer = given::customer(app, "Sông Hàn", "vi", "VND").await;
        let invoice = given::invoice(app, &customer, "100", "VND").await;
        let open = given::document(app, &json!(customer), "a.txt", b"open").await;
        let closed = given::document(app, &invoice["id"], "b.txt", b"closed").await;
        let (sales, auditor) = (app.token_of(Role::Sales).await, app.token_of(Role::Auditor).await);
        let titles = "{ documents { totalCount nodes { title } } }";
        let found = app.send_as(Some(&sales), titles, Value::Null).await;
        assert_eq!(found.data["documents"], json!({ "totalCount": 1, "nodes": [{ "title": "a.txt" }] }));
        let found = app.send_as(Some(&auditor), titles, Value::Null).await;
        assert_eq!(found.data["documents"]["totalCount"], 2);
        for (token, version, visible) in [
            (&sales, &open, true), (&sales, &closed, false), (&auditor, &closed, true),
        ] {
            let answer = app.send_as(Some(token), DOWNLOAD, json!({ "id": version["versionId"] })).await;
            assert_eq!(answer.data["downloadLink"].is_object(), visible, "{:?}", answer.errors);
        }
        for id in [&open["documentId"], &json!(customer), &json!("fil_01k2j5x4yvf8kr1r8b4m0a3c5d"), &json!("x")] {
            assert_eq!(app.ask(DOWNLOAD, json!({ "id": id })).await["downloadLink"], Value::Null, "{id}");
        }
        let answer = app.send_as(None, DOWNLOAD, json!({ "id": open["versionId"] })).await;
        assert_eq!(answer.error_code(), Some("UNAUTHENTICATED"));
        let upload = |record: &Value| json!({ "input": { "record": record, "fileName": "x", "size": 1 } });
        for (token, record, code) in [
            (&sales, &json!(customer), Value::Null),
            (&sales, &invoice["id"], json!("NOT_FOUND")),
            (&sales, &closed["documentId"], json!("NOT_FOUND")),
            (&auditor, &invoice["id"], json!("FORBIDDEN")),
            (&auditor, &closed["documentId"], json!("FORBIDDEN")),
            (&sales, &json!("cus_x"), json!("NOT_FOUND")),
            (&sales, &json!("job_01k2j5x4yvf8kr1r8b4m0a3c5d"), json!("NOT_FOUND")),
        ] {
            let answer = app.send_as(Some(token), CREATE_UPLOAD, upload(record)).await;
            assert_eq!(answer.data["createUpload"]["userErrors"][0]["code"], code, "{record} {answer:?}");
        }
        for (token, id, code) in [
            (&sales, &closed["documentId"], "NOT_FOUND"), (&auditor, &closed["documentId"], "FORBIDDEN"),
        ] {
            for query in [DELETE_DOCUMENT, RESTORE] {
                let answer = app.send_as(Some(token), query, json!({ "id": id })).await;
                let payload = answer.data.as_object().and_then(|data| data.values().next()).expect("a payload");
                assert_eq!(payload["userErrors"][0]["code"], code);
            }
        }
        // A link is good for whom it was made for only as long as they may see the file.
        let answer = app.send_as(Some(&auditor), DOWNLOAD, json!({ "id": closed["versionId"] })).await;
        let path = text(&answer.data["downloadLink"]["url"]).to_owned();
        assert_eq!(get(app, &path, &[]).await.status(), 200);
        let demote = "UPDATE user_account SET role_id = (SELECT id FROM role WHERE key = 'SALES')
            WHERE role_id = (SELECT id FROM role WHERE key = 'AUDITOR')";
        app.execute(demote).await;
        assert_eq!(get(app, &path, &[]).await.status(), 404);
    }

    async fn documents_are_as_far_as_the_scope_of_what_they_are_kept_with(app: App) {
        let grants = [("READ_CUSTOMERS", "OWN"), ("WRITE_CUSTOMERS", "OWN"), ("READ_FINANCE", "OWN")];
        let (lan, lans) = app.user(role(app, &grants).await).await;
        let input = json!({ "kind": "PERSON", "displayName": "A", "currency": "VND", "ownerId": lan.global() });
        let own = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await["id"].clone();
        let other = json!(given::customer(app, "B", "vi", "VND").await);
        let kept = given::document(app, &own, "own.txt", b"own").await;
        let hidden = given::document(app, &other, "other.txt", b"other").await;
        for (customer, name) in [(&own, "own invoice.txt"), (&other, "other invoice.txt")] {
            let invoice = given::invoice(app, text(customer), "100", "VND").await;
            given::document(app, &invoice["id"], name, b"paper").await;
        }
        let query = "{ documents(orderBy: [{ field: TITLE }]) { totalCount nodes { title latest { number } tags { name } } } }";
        let seen = app.send_as(Some(&lans), query, Value::Null).await.data["documents"].clone();
        assert_eq!(seen["totalCount"], 2);
        assert_eq!(seen["nodes"][0]["title"], "own invoice.txt");
        assert_eq!(seen["nodes"][1], json!({ "title": "own.txt", "latest": { "number": 1 }, "tags": [{ "name": "scan" }] }));
        for (made, is_theirs) in [(&kept, true), (&hidden, false)] {
            let answer = app.send_as(Some(&lans), DOWNLOAD, json!({ "id": made["versionId"] })).await;
            assert_eq!(answer.data["downloadLink"].is_object(), is_theirs);
            let code = if is_theirs { Value::Null } else { json!("NOT_FOUND") };
            for (query, variables) in [
                (CREATE_UPLOAD, json!({ "input": { "record": made["documentId"], "fileName": "x", "size": 1 } })),
                (DELETE_DOCUMENT, json!({ "id": made["documentId"] })),
                (RESTORE, json!({ "id": made["documentId"] })),
            ] {
                let answer = app.send_as(Some(&lans), query, variables).await;
                let payload = answer.data.as_object().and_then(|data| data.values().next()).expect("a payload");
                assert_eq!(payload["userErrors"][0]["code"], code, "{query}");
            }
        }
    }

    async fn documents_go_with_their_customer_into_another_one_and_out_of_the_house(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let kept = json!(given::customer(app, "A", "vi", "VND").await);
        let merged = json!(given::customer(app, "B", "vi", "VND").await);
        given::document(app, &kept, "a.txt", b"a").await;
        let moved = given::document(app, &merged, "b.txt", b"b").await;
        let waiting = promise(app, json!({ "record": merged, "fileName": "late.txt", "size": 4 })).await;
        let merge = json!({ "input": { "keepId": kept, "mergeIds": [merged] } });
        let customer = app.make("customer", MERGE, merge).await;
        assert_eq!(customer["documents"]["nodes"], json!([{ "title": "a.txt" }, { "title": "b.txt" }]));
        let path = link(app, &moved["versionId"]).await;
        assert_eq!(get(app, &path, &[]).await.body().as_ref(), b"b");
        assert_eq!(put(app, &waiting, b"late").await, 201, "it goes where its customer went");
        app.make("customer", DELETE_CUSTOMER, json!({ "id": kept })).await;
        assert_eq!(app.make_as(&administrator, "purgedId", PURGE, json!({ "id": kept })).await, kept);
        assert_eq!(app.ask(DOCUMENTS, Value::Null).await["documents"]["totalCount"], 0);
        assert_eq!(get(app, &path, &[]).await.status(), 404);
        let rows = "SELECT (SELECT COUNT(*) FROM document) + (SELECT COUNT(*) FROM file) + (SELECT COUNT(*) FROM document_tag) AS n";
        assert_eq!(app.number(rows).await, 0);
        assert_eq!(objects(app).await, 3, "bytes go with the next upkeep");
    }
}
