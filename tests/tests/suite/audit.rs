//! The audit log: who changed what, and that nobody can hide it.

use std::collections::BTreeSet;

use api::cli::audit::{AuditArgs, Ending};
use clap::Parser;
use entity::access::Role;
use entity::access::audit::{self, Finding, Head};
use entity::id::{AuditEntryId, Id};
use futures::FutureExt;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use tokio_util::sync::CancellationToken;

use crate::given::{CREATE_CUSTOMER, RECORD_PAYMENT, customer, invoice, payment};

const UPDATE: &str = "mutation ($id: ID!, $input: UpdateCustomerInput!) {
  updateCustomer(id: $id, input: $input) { customer { id } userErrors { code field message } } }";

const HISTORY: &str = "query ($id: ID!) { customer(id: $id) { history(last: 10) {
  nodes { action at recordKind recordId requestId user { name } job { id } changes } } } }";

const ENTRIES: &str = "query ($filter: AuditEntryFilter) {
  auditEntries(filter: $filter) { totalCount nodes { action recordKind recordId changes position hash } } }";

/// What somebody has who may see the log.
async fn as_auditor(app: &App, query: &str, variables: Value) -> Value {
    let token = app.token_of(Role::Auditor).await;
    let reply = app.send_as(Some(&token), query, variables).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    reply.data
}

/// Seals all that was written, together with the worker, which may be at it just now.
pub async fn seal(app: &App) {
    let now = app.clock.now();
    for _ in 0..500 {
        while app.db.write(move |txn| audit::seal(txn, 3, now).boxed()).await.expect("a seal") > 0 {
        }
        if app.number("SELECT COUNT(*) AS n FROM audit_entry WHERE position IS NULL").await == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("entries are left unsealed");
}

/// Walks the chain.
pub async fn verify(app: &App) -> Result<Head, Finding> {
    let verified = audit::verify(&app.db, None).await.expect("a walk");
    verified.map(|verified| verified.head)
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    audit: AuditArgs,
}

/// How `rapport audit verify` ends with `options`.
async fn command(app: &App, options: &[&str]) -> Ending {
    let words = ["audit", "verify"].into_iter().chain(options.iter().copied());
    let command = Command::try_parse_from(words).expect("a command");
    api::cli::audit::run(command.audit, &app.db).await.expect("an ending")
}

/// Changes the log as somebody would who is the master of the database.
pub async fn tamper(app: &App, sql: &str) {
    let (open, close) = match app.db.reader().get_database_backend() {
        DbBackend::Postgres => (
            "ALTER TABLE audit_entry DISABLE TRIGGER USER",
            "ALTER TABLE audit_entry ENABLE TRIGGER USER",
        ),
        _ => (
            "DROP TRIGGER IF EXISTS audit_entry_is_written_once; DROP TRIGGER IF EXISTS \
             audit_entry_is_sealed_once; DROP TRIGGER IF EXISTS audit_entry_is_kept",
            "SELECT 1",
        ),
    };
    for sql in [open, sql, close] {
        app.db.reader().execute_unprepared(sql).await.expect(sql);
    }
}

on_both_stacks! {
    async fn a_change_is_noted_with_who_and_what_was_before(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let input = json!({ "displayName": "Lan Anh", "phone": "+84 90 123 45 67" });
        app.make("customer", UPDATE, json!({ "id": lan, "input": input })).await;
        let seen = as_auditor(app, HISTORY, json!({ "id": lan })).await;
        let entries = seen["customer"]["history"]["nodes"].as_array().expect("entries").clone();
        assert_eq!(entries.len(), 2, "{entries:#?}");
        assert_eq!(entries[0]["action"], "CREATED");
        let email = json!({ "field": "email", "before": null, "after": "customer@example.vn" });
        assert!(entries[0]["changes"].as_array().expect("changes").contains(&email));
        let changed = &entries[1];
        assert_eq!(changed["action"], "UPDATED");
        assert_eq!(changed["user"]["name"], "Lê Minh Châu");
        assert_eq!((&changed["recordKind"], &changed["recordId"]), (&json!("customer"), &json!(lan)));
        assert!(changed["requestId"].is_string() && changed["job"].is_null());
        assert_eq!(changed["at"], json!(app.clock.now().to_rfc3339()));
        let mut changes = changed["changes"].as_array().expect("changes").clone();
        changes.sort_by_key(|change| change["field"].to_string());
        assert_eq!(
            json!(changes),
            json!([
                { "field": "displayName", "before": "Lan", "after": "Lan Anh" },
                { "field": "phone", "before": null, "after": "+84 90 123 45 67" },
            ])
        );
    }

    async fn one_entry_for_each_record_that_a_payment_changes(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        for amount in ["100", "200", "300"] {
            invoice(app, &lan, amount, "VND").await;
        }
        let before = app.number("SELECT COUNT(*) AS n FROM audit_entry").await;
        app.make("payment", RECORD_PAYMENT, payment(&lan, "600", "VND", "k")).await;
        let sql = format!("SELECT COUNT(*) - {before} AS n FROM audit_entry");
        // The payment, its receipt, and three invoices.
        assert_eq!(app.number(&sql).await, 5);
        let paid = json!({ "filter": { "recordKind": { "eq": "invoice" }, "action": { "eq": "UPDATED" } } });
        let seen = as_auditor(app, ENTRIES, paid).await;
        assert_eq!(seen["auditEntries"]["totalCount"], 3);
        let change = json!({ "field": "state", "before": "OPEN", "after": "PAID" });
        for entry in seen["auditEntries"]["nodes"].as_array().expect("entries") {
            assert!(entry["changes"].as_array().expect("changes").contains(&change), "{entry:#}");
        }
    }

    async fn what_is_refused_leaves_no_entry(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        invoice(app, &lan, "100", "VND").await;
        let before = app.number("SELECT COUNT(*) AS n FROM audit_entry").await;
        app.refusal(UPDATE, json!({ "id": lan, "input": { "currency": "EUR" } })).await;
        app.make("customer", UPDATE, json!({ "id": lan, "input": { "displayName": "Lan" } })).await;
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM audit_entry").await, before);
    }

    async fn a_password_is_never_in_the_log(app: App) {
        let user = json!({ "filter": { "recordKind": { "eq": "user_account" } } });
        let seen = as_auditor(app, ENTRIES, user).await;
        let text = seen.to_string();
        assert!(text.contains("(hidden)") && !text.contains("argon2"), "{text}");
        let nowhere = "SELECT COUNT(*) AS n FROM audit_entry WHERE CAST(after AS text) LIKE '%argon2%'";
        assert_eq!(app.number(nowhere).await, 0);
    }

    async fn a_value_that_somebody_may_not_see_is_not_in_their_log_either(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let define = "mutation ($input: CreateCustomFieldInput!) { createCustomField(input: $input) {
          customField { id } userErrors { code field message } } }";
        let secret = json!({
            "key": "illness", "label": "Illness", "type": "TEXT", "sensitivity": "SENSITIVE", "purpose": "care",
            "visibleTo": [Role::Accountant.id().global()],
        });
        let field = app.make_as(&administrator, "customField", define, json!({ "input": secret })).await;
        let open = json!({ "key": "worth", "label": "Worth", "type": "DECIMAL" });
        app.make_as(&administrator, "customField", define, json!({ "input": open })).await;
        let value = |key: &str, value: &str| json!({ "key": key, "value": value });
        let input = json!({
            "kind": "PERSON", "displayName": "Lan", "customFields": [value("illness", "gout"), value("worth", "12.50")],
        });
        let lan = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await["id"].clone();
        let change = json!({ "customFields": [value("illness", "flu")] });
        app.make("customer", UPDATE, json!({ "id": lan, "input": change })).await;
        let change = json!({ "customFields": [{ "key": "illness", "value": null }] });
        app.make("customer", UPDATE, json!({ "id": lan, "input": change })).await;

        let told = async |token: &str| {
            let reply = app.send_as(Some(token), HISTORY, json!({ "id": lan })).await;
            assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
            let entries = reply.data["customer"]["history"]["nodes"].as_array().expect("entries").clone();
            let changes = entries.iter().map(|entry| {
                let changes = entry["changes"].as_array().expect("changes").iter();
                changes.filter(|change| change["field"].as_str().is_some_and(|field| field.contains("custom")))
                    .cloned().collect::<Vec<_>>()
            });
            changes.collect::<Vec<_>>()
        };
        let changed = |field: &str, before: Value, after: Value| {
            json!({ "field": format!("customFields.{field}"), "before": before, "after": after })
        };
        let whole = json!([
            [changed("illness", Value::Null, json!("gout")), changed("worth", Value::Null, json!("12.5"))],
            [changed("illness", json!("gout"), json!("flu"))],
            [changed("illness", json!("flu"), Value::Null)],
        ]);
        let masked = json!([
            [changed("illness", Value::Null, json!("(hidden)")), changed("worth", Value::Null, json!("12.5"))],
            [changed("illness", json!("(hidden)"), json!("(hidden)"))],
            [changed("illness", json!("(hidden)"), Value::Null)],
        ]);
        let auditor = app.token_of(Role::Auditor).await;
        assert_eq!(json!(told(&administrator).await), whole);
        assert_eq!(json!(told(&auditor).await), masked);
        let all = as_auditor(app, ENTRIES, json!({})).await.to_string();
        assert!(!all.contains("gout") && !all.contains("flu"), "{all}");
        let archive = "mutation ($id: ID!) { archiveCustomField(id: $id) { customField { id } userErrors { code } } }";
        app.make_as(&administrator, "customField", archive, json!({ "id": field["id"] })).await;
        assert_eq!(json!(told(&administrator).await), masked, "nobody sees the values of an archived field");
    }

    async fn only_auditors_and_administrators_see_it(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        for (query, variables) in [(ENTRIES, json!({})), (HISTORY, json!({ "id": lan }))] {
            let reply = app.send(query, variables.clone()).await;
            assert_eq!(reply.errors[0]["extensions"]["code"], "FORBIDDEN", "{query}");
            let reply = app.send_as(None, query, variables).await;
            assert_eq!(reply.errors[0]["extensions"]["code"], "UNAUTHENTICATED", "{query}");
        }
    }

    async fn an_entry_can_neither_be_changed_nor_deleted(app: App) {
        customer(app, "Lan", "vi", "VND").await;
        let refused = [
            "UPDATE audit_entry SET action = 'DELETED'",
            "DELETE FROM audit_entry",
        ];
        for sql in refused {
            let error = app.db.reader().execute_unprepared(sql).await.expect_err(sql);
            assert!(error.to_string().contains("append-only"), "{error}");
        }
        seal(app).await;
        let again = "UPDATE audit_entry SET position = position + 1000, hash = ''";
        app.db.reader().execute_unprepared(again).await.expect_err(again);
    }

    async fn whoever_tampers_is_found(app: App) {
        for name in ["Lan", "Minh", "Tuyết", "Hùng"] {
            customer(app, name, "vi", "VND").await;
        }
        seal(app).await;
        let noted = verify(app).await.expect("a chain without a flaw");
        assert_eq!(noted.position, app.number("SELECT COUNT(*) AS n FROM audit_entry").await);

        let kept = "CREATE TABLE kept AS SELECT * FROM audit_entry WHERE position IN (3, 4)";
        app.db.reader().execute_unprepared(kept).await.expect("a copy");
        tamper(app, "UPDATE audit_entry SET request_id = 'forged' WHERE position = 3").await;
        assert!(matches!(verify(app).await, Err(Finding::Changed(3, _))));
        tamper(app, "DELETE FROM audit_entry WHERE position = 3").await;
        assert_eq!(verify(app).await, Err(Finding::Missing(3)));

        // Two entries change places.
        let back = "INSERT INTO audit_entry SELECT * FROM kept WHERE position = 3";
        tamper(app, back).await;
        verify(app).await.expect("a chain without a flaw again");
        tamper(app, "UPDATE audit_entry SET position = -1 WHERE position = 3").await;
        tamper(app, "UPDATE audit_entry SET position = 3 WHERE position = 4").await;
        tamper(app, "UPDATE audit_entry SET position = 4 WHERE position = -1").await;
        assert!(matches!(verify(app).await, Err(Finding::Changed(3, _))));
        tamper(app, "DELETE FROM audit_entry WHERE position IN (3, 4)").await;
        tamper(app, "INSERT INTO audit_entry SELECT * FROM kept").await;

        // The end is cut off, wherever the head is said to be.
        let last = noted.position;
        tamper(app, &format!("DELETE FROM audit_entry WHERE position = {last}")).await;
        assert_eq!(verify(app).await, Err(Finding::Missing(last)));
        tamper(app, "UPDATE audit_head SET position = position - 1, hash = \
            (SELECT hash FROM audit_entry ORDER BY position DESC LIMIT 1)").await;
        verify(app).await.expect("only who has noted the head knows");
        let verified = audit::verify(&app.db, Some(&noted)).await.expect("a walk");
        assert_eq!(verified, Err(Finding::Missing(last)));
    }

    async fn the_command_names_the_entry_and_ends_with_one(app: App) {
        for name in ["Lan", "Minh", "Tuyết"] {
            customer(app, name, "vi", "VND").await;
        }
        seal(app).await;
        let last = app.number("SELECT COUNT(*) AS n FROM audit_entry").await;
        let whole = command(app, &[]).await;
        let head = whole.text.strip_prefix(&format!("{last} entries are as they were written.\nHead: "));
        let head = head.expect("what it says of a chain without a flaw").to_owned();
        assert_eq!(whole.status, 0);
        assert_eq!(command(app, &["--head", &head]).await, whole);
        let other = head.replace(':', ":0");
        let told = command(app, &["--head", &other]).await;
        let said = format!("entry {last} has another hash than the one that was noted.");
        assert!(told.status == 1 && told.text.ends_with(&said), "{told:?}");

        app.execute("CREATE TABLE kept AS SELECT * FROM audit_entry").await;
        let id = audit::Entity::find().filter(audit::Column::Position.eq(last)).one(app.db.reader()).await;
        let id: AuditEntryId = id.expect("a row").expect("an entry").id;
        let edit = "record_table = 'contact'";
        let erase = "before = NULL, after = NULL, salt = NULL, erased_at = at";
        for (change, said) in [(edit, "was changed after it was sealed"), (erase, "no entry says who erased it")] {
            tamper(app, &format!("UPDATE audit_entry SET {change} WHERE position = {last}")).await;
            let told = command(app, &[]).await;
            assert!(told.status == 1 && told.text.contains(said), "{told:?}");
            assert!(told.text.contains(&format!("entry {last} ({})", id.global())), "{told:?}");
            tamper(app, "DELETE FROM audit_entry").await;
            tamper(app, "INSERT INTO audit_entry SELECT * FROM kept").await;
        }
        assert_eq!(command(app, &[]).await, whole);

        tamper(app, "DELETE FROM audit_entry WHERE position = 2").await;
        let told = command(app, &[]).await;
        assert!(told.status == 1 && told.text.ends_with("entry 2 was deleted."), "{told:?}");
        tamper(app, "INSERT INTO audit_entry SELECT * FROM kept WHERE position = 2").await;

        // The end is cut off together with the head.
        tamper(app, &format!("DELETE FROM audit_entry WHERE position = {last}")).await;
        tamper(app, "UPDATE audit_head SET position = position - 1, hash = \
            (SELECT hash FROM audit_entry ORDER BY position DESC LIMIT 1)").await;
        assert_eq!(command(app, &[]).await.status, 0, "only who has noted the head knows");
        let told = command(app, &["--head", &head]).await;
        assert!(told.status == 1 && told.text.ends_with(&format!("entry {last} was deleted.")), "{told:?}");
    }

    async fn an_entry_that_is_inserted_afterwards_is_found(app: App) {
        customer(app, "Lan", "vi", "VND").await;
        seal(app).await;
        let id = match app.db.reader().get_database_backend() {
            DbBackend::Postgres => "'00000000-0000-7000-8000-000000000001'::uuid",
            _ => "unhex('00000000000070008000000000000001')",
        };
        let forged = format!(
            "INSERT INTO audit_entry (id, at, record_table, record_id, action) \
             SELECT {id}, '2026-01-01T00:00:00+00:00', record_table, record_id, 'UPDATED' \
             FROM audit_entry WHERE position = 1"
        );
        app.db.reader().execute_unprepared(&forged).await.expect("an insert");
        assert!(matches!(verify(app).await, Err(Finding::Inserted(_))));
        seal(app).await;
        assert!(matches!(verify(app).await, Err(Finding::Inserted(_))));
    }

    async fn writers_at_once_are_one_chain_without_gaps(app: App) {
        let makers = (0..12).map(|number| {
            let input = json!({ "kind": "PERSON", "displayName": format!("Lan {number}"), "currency": "VND" });
            app.make("customer", CREATE_CUSTOMER, json!({ "input": input }))
        });
        let sealers = (0..4).map(|_| seal_some(app));
        futures::join!(futures::future::join_all(makers), futures::future::join_all(sealers));
        seal(app).await;
        let head = verify(app).await.expect("a chain without a flaw");
        assert_eq!(head.position, app.number("SELECT COUNT(*) AS n FROM audit_entry").await);
    }

    async fn who_verifies_while_others_seal_finds_nothing(app: App) {
        app.kill_workers().await;
        let makers = async {
            for number in 0..60 {
                let input = json!({ "kind": "PERSON", "displayName": format!("Lan {number}"), "currency": "VND" });
                app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
            }
        };
        let made = CancellationToken::new();
        let sealing = async {
            while !made.is_cancelled() {
                let now = app.clock.now();
                app.db.write(move |txn| audit::seal(txn, 1, now).boxed()).await.expect("a seal");
            }
        };
        let verifying = async {
            let mut positions = BTreeSet::new();
            while !made.is_cancelled() {
                positions.insert(verify(app).await.expect("a chain without a flaw").position);
            }
            positions
        };
        let making = async {
            makers.await;
            made.cancel();
        };
        let ((), (), positions) = tokio::join!(making, sealing, verifying);
        assert!(positions.len() > 10, "the chain grew meanwhile: {positions:?}");
        app.start_workers();
    }
}

async fn seal_some(app: &App) {
    for _ in 0..10 {
        let now = app.clock.now();
        app.db.write(move |txn| audit::seal(txn, 2, now).boxed()).await.expect("a seal");
        tokio::task::yield_now().await;
    }
}
