//! Erasing people: nothing is left of them, and the audit log is whole all the same.

use entity::access::Role;
use entity::access::audit::Finding;
use entity::id::Id;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::audit::{seal, tamper, verify};
use crate::changing::removal::{DELETE, PURGE};
use crate::given::{CREATE_CUSTOMER, customer};

mod anonymised;
mod canaries;

pub const MERGE: &str = "mutation ($input: MergeCustomersInput!) { mergeCustomers(input: $input) {
  customer { id } userErrors { code field message } } }";

pub const CREATE_CONTACT: &str =
    "mutation ($id: ID!, $input: ContactInput!) { createContact(customerId: $id, input: $input) {
  contact { id } userErrors { code field message } } }";

pub const DELETE_CONTACT: &str = "mutation ($id: ID!) { deleteContact(id: $id) {
  customer { id } userErrors { code field message } } }";

const ENTRIES: &str =
    "query ($filter: AuditEntryFilter) { auditEntries(filter: $filter, first: 100) {
  nodes { action recordId requestId user { name } changes position erasedAt } } }";

const ERASE: &str =
    "mutation ($id: ID!) { eraseHistory(id: $id) { erasedId userErrors { code field message } } }";

const PAYLOADS: &str =
    "SELECT COUNT(*) AS n FROM audit_entry WHERE before IS NOT NULL OR after IS NOT NULL";

const ERASURES: &str = "SELECT COUNT(*) AS n FROM audit_entry WHERE action = 'ERASED'";

/// Deletes a customer, and removes it for good.
pub async fn purge(app: &App, id: &str) {
    app.make("customer", DELETE, json!({ "id": id })).await;
    let administrator = app.token_of(Role::Administrator).await;
    let purged = app.make_as(&administrator, "purgedId", PURGE, json!({ "id": id })).await;
    assert_eq!(purged, id);
}

/// A customer with a contact and an address.
async fn whole(app: &App, name: &str) -> String {
    let input = json!({
        "kind": "PERSON", "displayName": name, "email": "lan@example.vn",
        "contacts": [{ "name": name }], "addresses": [{ "lines": "1 Lê Lợi" }],
    });
    let made = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
    made["id"].as_str().expect("an id").to_owned()
}

async fn entries(app: &App, filter: Value) -> Vec<Value> {
    let auditor = app.token_of(Role::Auditor).await;
    let seen = app.send_as(Some(&auditor), ENTRIES, json!({ "filter": filter })).await;
    assert!(seen.errors.is_empty(), "{:#?}", seen.errors);
    seen.data["auditEntries"]["nodes"].as_array().expect("entries").clone()
}

async fn refused(app: &App, sql: &str) {
    let error = app.db.reader().execute_unprepared(sql).await.expect_err(sql);
    assert!(error.to_string().contains("append-only"), "{sql}: {error}");
}

on_both_stacks! {
    async fn a_purge_erases_what_was_changed_and_says_so(app: App) {
        let (lan, minh) = (whole(app, "Lan").await, whole(app, "Minh").await);
        seal(app).await;
        let before = verify(app).await.expect("a chain without a flaw");
        purge(app, &lan).await;
        for entry in entries(app, json!({ "recordKind": { "in": ["customer", "contact", "address"] } })).await {
            let is_erased = entry["recordId"] == json!(lan) || entry["recordId"].is_null();
            assert!(!is_erased || entry["changes"] == json!([]), "{entry:#}");
        }
        let left = "SELECT COUNT(*) AS n FROM audit_entry WHERE CAST(before AS text) LIKE '%Lan%' \
            OR CAST(after AS text) LIKE '%Lan%'";
        assert_eq!(app.number(left).await, 0);
        // The customer, its contact and its address.
        let erasures = entries(app, json!({ "action": { "eq": "ERASED" } })).await;
        assert_eq!(erasures.len(), 3, "{erasures:#?}");
        for erasure in &erasures {
            assert_eq!(erasure["user"]["name"], "Somebody");
            assert_eq!((&erasure["changes"], &erasure["erasedAt"]), (&json!([]), &Value::Null));
            assert_eq!(erasure["requestId"], erasures[0]["requestId"]);
            assert!(erasure["requestId"].is_string());
        }
        let kept = entries(app, json!({ "action": { "eq": "CREATED" }, "recordKind": { "eq": "customer" } })).await;
        let named = |id: &str| kept.iter().find(|entry| entry["recordId"] == id).expect("an entry");
        assert_eq!(named(&lan)["erasedAt"], json!(app.clock.now().to_rfc3339()));
        assert!(named(&minh)["changes"].as_array().is_some_and(|changes| !changes.is_empty()));

        seal(app).await;
        let after = verify(app).await.expect("a chain without a flaw");
        assert!(after.position > before.position);
        let noted = entity::access::audit::verify(&app.db, Some(&before)).await.expect("a walk");
        noted.expect("an erasure changes no hash");
    }

    async fn what_is_purged_before_it_is_sealed_is_sealed_without(app: App) {
        app.kill_workers().await;
        seal(app).await;
        let payloads = app.number(PAYLOADS).await;
        let lan = whole(app, "Lan").await;
        purge(app, &lan).await;
        // The administrator is new, too.
        let user = "SELECT COUNT(*) AS n FROM audit_entry WHERE position IS NULL AND erased_at IS NULL \
            AND record_table IN ('customer', 'contact', 'address') AND action <> 'ERASED'";
        assert_eq!(app.number(user).await, 0);
        assert!(app.number(PAYLOADS).await >= payloads);
        seal(app).await;
        verify(app).await.expect("a chain without a flaw");
        let without = "SELECT COUNT(*) AS n FROM audit_entry WHERE digest IS NULL";
        // Each was added and removed; the customer was deleted before it was purged.
        assert_eq!(app.number(without).await, 7);
        tamper(app, "UPDATE audit_entry SET erased_at = NULL WHERE digest IS NULL").await;
        assert!(matches!(verify(app).await, Err(Finding::Changed(..))));
        app.start_workers();
    }

    async fn what_exists_keeps_its_history(app: App) {
        let (lan, double) = (whole(app, "Lan").await, whole(app, "Lan Double").await);
        let contact = json!({ "id": double, "input": { "name": "Hoa Double" } });
        let gone = app.make("contact", CREATE_CONTACT, contact).await;
        app.make("customer", DELETE_CONTACT, json!({ "id": gone["id"] })).await;
        app.make("customer", MERGE, json!({ "input": { "keepId": lan, "mergeIds": [double] } })).await;
        let administrator = app.token_of(Role::Administrator).await;
        app.make_as(&administrator, "purgedId", PURGE, json!({ "id": double })).await;
        let said = async |name: &str| {
            let sql = format!("SELECT COUNT(*) AS n FROM audit_entry WHERE CAST(after AS text) LIKE '%{name}%'");
            app.number(&sql).await
        };
        // The contact that came along is Lan's now; the one that was removed before was not.
        assert_eq!((said("Hoa Double").await, said("Lan Double").await), (0, 1));
        assert_eq!(app.number(ERASURES).await, 2);
        purge(app, &lan).await;
        assert_eq!((said("Lan").await, said("Lan Double").await), (0, 0));
        seal(app).await;
        verify(app).await.expect("a chain without a flaw");
    }

    async fn what_was_removed_by_itself_can_be_erased_by_itself(app: App) {
        let lan = whole(app, "Lan").await;
        let contact = json!({ "id": lan, "input": { "name": "Hoa Removed" } });
        let contact = app.make("contact", CREATE_CONTACT, contact).await["id"].clone();
        let administrator = app.token_of(Role::Administrator).await;
        let erase = async |id: &Value| {
            let reply = app.send_as(Some(&administrator), ERASE, json!({ "id": id })).await;
            assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
            reply.data["eraseHistory"].clone()
        };
        let code = async |id: &Value| erase(id).await["userErrors"][0]["code"].clone();
        assert_eq!(code(&contact).await, "INVALID_STATE", "it exists");
        app.make("customer", DELETE_CONTACT, json!({ "id": contact })).await;
        assert_eq!(app.send(ERASE, json!({ "id": contact })).await.error_code(), Some("FORBIDDEN"));
        assert_eq!(erase(&contact).await, json!({ "erasedId": contact, "userErrors": [] }));
        assert_eq!(code(&contact).await, "NOT_FOUND", "it is erased");
        assert_eq!(code(&json!("con_nonsense")).await, "NOT_FOUND");
        let user = json!(app.user(Role::Sales.id()).await.0.global());
        assert_eq!(code(&user).await, "NOT_FOUND", "it is nothing about a customer");
        let said = "SELECT COUNT(*) AS n FROM audit_entry WHERE CAST(after AS text) LIKE '%Hoa Removed%' \
            OR CAST(before AS text) LIKE '%Hoa Removed%'";
        assert_eq!((app.number(said).await, app.number(ERASURES).await), (0, 1));
        let kept = entries(app, json!({ "recordKind": { "eq": "customer" } })).await;
        assert!(kept.iter().all(|entry| entry["erasedAt"].is_null() && entry["changes"] != json!([])));
        seal(app).await;
        verify(app).await.expect("a chain without a flaw");
    }

    async fn the_database_erases_nothing_that_no_entry_lists(app: App) {
        let (lan, minh) = (whole(app, "Lan").await, whole(app, "Minh").await);
        customer(app, "Hoa", "vi", "VND").await;
        seal(app).await;
        let clear = "UPDATE audit_entry SET before = NULL, after = NULL, salt = NULL, erased_at = at";
        refused(app, clear).await;
        purge(app, &lan).await;
        seal(app).await;
        let erased = "WHERE erased_at IS NOT NULL";
        for change in [
            format!("UPDATE audit_entry SET after = '{{}}', erased_at = NULL {erased}"),
            format!("UPDATE audit_entry SET erased_at = NULL {erased}"),
            format!("UPDATE audit_entry SET hash = '' {erased}"),
            format!("UPDATE audit_entry SET salt = '' {erased}"),
            format!("UPDATE audit_entry SET position = NULL {erased}"),
            "UPDATE audit_entry SET digest = ''".to_owned(),
            "UPDATE audit_entry SET after = NULL, salt = NULL".to_owned(),
            format!("{clear}, hash = '' WHERE erased_at IS NULL"),
            format!("{clear} WHERE erased_at IS NULL AND action <> 'ERASED'"),
            "DELETE FROM audit_entry WHERE action = 'ERASED'".to_owned(),
        ] {
            refused(app, &change).await;
        }
        verify(app).await.expect("a chain without a flaw");
        purge(app, &minh).await;
        seal(app).await;
        verify(app).await.expect("a chain without a flaw");
    }

    async fn whoever_erases_without_a_trace_is_found(app: App) {
        let (lan, minh) = (whole(app, "Lan").await, whole(app, "Minh").await);
        purge(app, &lan).await;
        seal(app).await;
        verify(app).await.expect("a chain without a flaw");
        let kept = "CREATE TABLE kept AS SELECT * FROM audit_entry";
        app.execute(kept).await;

        // Minh's name is gone, and no entry says so.
        let first = "(SELECT MIN(position) FROM audit_entry WHERE erased_at IS NULL AND record_table = 'customer')";
        let position = app.number(&format!("SELECT {first} AS n")).await;
        tamper(app, &format!(
            "UPDATE audit_entry SET before = NULL, after = NULL, salt = NULL, erased_at = at WHERE position = {position}"
        )).await;
        assert!(matches!(verify(app).await, Err(Finding::Erased(at, _)) if at == position));
        tamper(app, &format!("UPDATE audit_entry SET erased_at = NULL WHERE position = {position}")).await;
        assert!(matches!(verify(app).await, Err(Finding::Changed(at, _)) if at == position));
        tamper(app, "DELETE FROM audit_entry").await;
        tamper(app, "INSERT INTO audit_entry SELECT * FROM kept").await;
        verify(app).await.expect("a chain without a flaw again");

        // The entry that says who has erased Lan is gone.
        let first = "SELECT MIN(position) AS n FROM audit_entry WHERE erased_at IS NOT NULL";
        let position = app.number(first).await;
        tamper(app, "DELETE FROM audit_entry WHERE action = 'ERASED'").await;
        assert!(matches!(verify(app).await, Err(Finding::Erased(at, _)) if at == position));
        tamper(app, "DELETE FROM audit_entry").await;
        tamper(app, "INSERT INTO audit_entry SELECT * FROM kept").await;

        // Another value stands where Lan's was erased.
        tamper(app, &format!("UPDATE audit_entry SET after = '{{}}' WHERE position = {position}")).await;
        assert!(matches!(verify(app).await, Err(Finding::Changed(at, _)) if at == position));
        assert!(!minh.is_empty());
    }
}
