//! What refers to a customer that becomes part of another one, found in the database and not in a list.

use std::collections::BTreeSet;

use entity::access::Role;
use entity::customers::reference::{Move, REFERENCES};
use entity::id::{CustomerId, Id};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use tests::receiver::{Act, Receiver};

use super::removal::columns;
use crate::erasure::MERGE;
use crate::given::{
    CREATE_APPOINTMENT, CREATE_CALL, CREATE_CUSTOMER, CREATE_TEAM, CREATE_UPLOAD, RECORD_PAYMENT,
    SHARE_CUSTOMER, customer, document, invoice, payment, workflow,
};
use crate::invoices::VOID;
use crate::statements::CREATE;

/// What keeps the id of a customer that became part of another one: itself, what happened when, and what was sent
/// or answered then, all of which leads to the kept one when it is read.
const HISTORY: [&str; 14] = [
    "audit_entry.after",
    "audit_entry.before",
    "audit_entry.record_id",
    "customer.id",
    "event.subject_id",
    "idempotency_key.outcome",
    "ledger_entry.customer_id",
    "notification.cause_id",
    "notification.subject_id",
    "statement.effect_key",
    "webhook_delivery.body",
    "webhook_delivery.subject_id",
    "workflow_run.record_id",
    "workflow_run.run_key",
];

/// All columns that hold an id, as it is inside or outside.
async fn holding(app: &App, id: &str) -> BTreeSet<String> {
    let reader = app.db.reader();
    let backend = reader.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => {
            "SELECT CAST(table_name AS text) AS t, CAST(column_name AS text) AS c \
             FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name) \
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'"
        }
        _ => {
            "SELECT m.name AS t, c.name AS c FROM sqlite_schema m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE '%search%'"
        }
    };
    let rows = reader.query_all_raw(Statement::from_string(backend, sql)).await;
    let uuid = CustomerId::parse(id).expect("an id").0;
    let mut found = BTreeSet::new();
    for row in rows.expect("the catalogue of the database") {
        let name = |name| row.try_get::<String>("", name).expect("a name");
        let (table, column) = (name("t"), name("c"));
        let text = format!("CAST(\"{column}\" AS text)");
        let bytes = match backend {
            DbBackend::Postgres => String::new(),
            _ => format!(" OR hex(\"{column}\") = '{}'", uuid.simple().to_string().to_uppercase()),
        };
        let holds = format!("{text} LIKE '%{id}%' OR {text} LIKE '%{uuid}%'{bytes}");
        if app.number(&format!("SELECT COUNT(*) AS n FROM \"{table}\" WHERE {holds}")).await > 0 {
            found.insert(format!("{table}.{column}"));
        }
    }
    found
}

/// A customer to which everything refers that can.
async fn referred(app: &App) -> String {
    let input = json!({
        "kind": "PERSON", "displayName": "Lan", "currency": "VND", "email": "lan@example.vn",
        "contacts": [{ "name": "Hoa" }], "addresses": [{ "lines": "1 Lê Lợi" }],
    });
    let made = app.make("customer", CREATE_CUSTOMER, json!({ "input": input, "key": "lan" })).await;
    let id = made["id"].as_str().expect("an id").to_owned();
    let note = "mutation ($id: ID!) { createNote(customerId: $id, input: { body: \"Call\" }) {
      note { id } userErrors { code } } }";
    app.make("note", note, json!({ "id": id })).await;
    let task = "mutation ($id: ID!) { createTask(customerId: $id, input: { title: \"Call\" }) {
      task { id } userErrors { code } } }";
    app.make("task", task, json!({ "id": id })).await;
    let input =
        json!({ "subject": "Coffee", "purpose": "SALES", "plannedAt": "2026-12-01T03:00:00Z" });
    app.make("call", CREATE_CALL, json!({ "customer": id, "input": input })).await;
    let consent = "mutation ($id: ID!) { recordConsent(customerId: $id, input: { channel: EMAIL, standing: GIVEN, proof: \"said so\" }) {
      consent { id } userErrors { code } } }";
    app.make("consent", consent, json!({ "id": id })).await;
    let at = json!({ "at": { "startsAt": "2026-12-01T03:00:00Z", "durationMin": 30 } });
    let input = json!({ "subject": "Coffee", "when": at, "customerId": id });
    app.make("appointment", CREATE_APPOINTMENT, json!({ "input": input })).await;
    document(app, &json!(id), "a.txt", b"a").await;
    let upload = json!({ "record": id, "fileName": "b.txt", "size": 1 });
    app.make("upload", CREATE_UPLOAD, json!({ "input": upload })).await;
    let void = invoice(app, &id, "50", "VND").await;
    app.make("invoice", VOID, json!({ "id": void["id"], "reason": "Wrong" })).await;
    app.make("payment", RECORD_PAYMENT, payment(&id, "100", "VND", "paid")).await;
    let owed = invoice(app, &id, "500", "VND").await;
    let dispute = "mutation ($id: ID!) { openDispute(input: { invoiceId: $id, cause: PRICE,
      amount: { amount: \"20\", currency: \"VND\" } }) { dispute { id } userErrors { code } } }";
    app.make("dispute", dispute, json!({ "id": owed["id"] })).await;
    let promise =
        "mutation ($id: ID!) { recordPromise(input: { customerId: $id, promisedOn: \"2026-11-20\",
      amount: { amount: \"100\", currency: \"VND\" } }) { promise { id } userErrors { code } } }";
    app.make("promise", promise, json!({ "id": id })).await;
    let limit = "mutation ($id: ID!) { setCreditLimit(input: { customerId: $id,
      limit: { amount: \"900000\", currency: \"VND\" } }) { creditLimit { id } userErrors { code } } }";
    let order = "mutation ($id: ID!) { placeOrder(input: { customerId: $id,
      total: { amount: \"900\", currency: \"VND\" } }) { order { id } userErrors { code } } }";
    app.make("order", order, json!({ "id": id })).await;
    let administrator = app.token_of(Role::Administrator).await;
    app.make_as(&administrator, "creditLimit", limit, json!({ "id": id })).await;
    app.execute(
        "INSERT INTO dunning_notice (id, customer_id, workflow_id, currency, channel, scope, level, created_at)
         SELECT i.id, i.customer_id, w.id, 'VND', 'EMAIL', 'CUSTOMER', 1, i.created_at FROM invoice AS i, workflow AS w LIMIT 1",
    )
    .await;
    let statement = json!({ "customerId": id, "currency": "VND", "until": "2026-11-03" });
    app.make("statement", CREATE, json!({ "input": statement, "key": "statement" })).await;
    let part = customer(app, "Part", "vi", "VND").await;
    app.make("customer", MERGE, json!({ "input": { "keepId": id, "mergeIds": [part] } })).await;
    id
}

/// Puts a mark on a record, or takes it away.
async fn mark(app: &App, token: &str, what: &str, id: &str) {
    let mark = format!("mutation ($id: ID!) {{ {what}(id: $id) {{ userErrors {{ code }} }} }}");
    app.make_as(token, "userErrors", &mark, json!({ "id": id })).await;
}

async fn favourites(app: &App, token: &str) -> Value {
    let query = "{ favourites { ... on Customer { id } } }";
    app.send_as(Some(token), query, json!({})).await.data["favourites"].clone()
}

on_both_stacks! {
    async fn nothing_but_history_refers_to_what_became_part_of_another(app: App) {
        let receiver = Receiver::start(|_| Act::Answer(204)).await;
        let administrator = app.token_of(Role::Administrator).await;
        let endpoint = "mutation ($url: String!) { createWebhookEndpoint(input: { url: $url }) {
          webhookEndpoint { id } userErrors { code } } }";
        app.make_as(&administrator, "webhookEndpoint", endpoint, json!({ "url": receiver.url("/") })).await;
        let wait = json!({ "key": "wait", "action": { "wait": { "for": "P1D" } } });
        let trigger = json!({ "event": { "kinds": ["customer.created"] } });
        let welcome = json!({ "record": "Customer", "trigger": trigger, "steps": [wait] });
        workflow(app, &administrator, &welcome).await;
        let (kept, gone) = (customer(app, "Kept", "vi", "VND").await, referred(app).await);
        for what in ["follow", "addFavourite"] {
            mark(app, &app.token(), what, &gone).await;
        }
        let share = json!({ "customerId": gone, "with": { "userId": app.user(Role::Sales.id()).await.0.global() } });
        app.make("share", SHARE_CUSTOMER, json!({ "input": share })).await;
        let save = "mutation ($filter: JSON!) { createSavedView(input: { list: \"invoices\", name: \"Lan\", filter: $filter }) {
          savedView { id } userErrors { code message } } }";
        let filter = json!({ "customerId": { "in": [gone, kept] } });
        let view = app.make("savedView", save, json!({ "filter": filter })).await;
        let segment = "mutation ($filter: CustomerFilter!) { createSegment(input: { name: \"All\", filter: $filter }) { segment { id } userErrors { code } } }";
        let segment = app.make_as(&administrator, "segment", segment, json!({ "filter": { "id": { "in": [gone, kept] } } })).await;
        let rename = "mutation ($id: ID!) { updateCustomer(id: $id, input: { displayName: \"Lan Anh\" }) {
          customer { id } userErrors { code } } }";
        app.make_as(&administrator, "customer", rename, json!({ "id": gone })).await;
        // Workers look at their own pace who belongs to a segment.
        tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
        app.drain().await;
        let before = holding(app, &gone).await;
        for (table, column) in columns(app).await {
            assert!(before.contains(&format!("{table}.{column}")), "nothing refers to it by {table}.{column}");
        }
        for column in ["mark.subject_id", "share.record_id", "saved_view.filter", "segment.filter", "upload.target"] {
            assert!(before.contains(column), "{column}: {before:?}");
        }

        app.make("customer", MERGE, json!({ "input": { "keepId": kept, "mergeIds": [gone] } })).await;
        app.drain().await;
        let after = holding(app, &gone).await;
        let unexpected: Vec<_> = after.iter().filter(|column| !HISTORY.contains(&column.as_str())).collect();
        assert!(unexpected.is_empty(), "{unexpected:?}");
        for reference in REFERENCES.iter().filter(|reference| reference.merge == Move::Refer) {
            let column = format!("{}.{}", reference.table, reference.column);
            assert!(!after.contains(&column), "{column}");
        }
        let seen = app.ask("query ($id: ID!) { savedView(id: $id) { filter version problem } }", json!({ "id": view["id"] })).await;
        let filter = json!({ "customerId": { "in": [kept, kept] } });
        assert_eq!(seen["savedView"], json!({ "filter": filter, "version": 2, "problem": null }));
        // Workers look at their own pace who belongs to a segment.
        tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
        let query = "query ($id: ID!) { segment(id: $id) { filter size problem } }";
        let seen = app.send_as(Some(&administrator), query, json!({ "id": segment["id"] })).await.data;
        let filter = json!({ "id": { "in": [kept, kept] } });
        assert_eq!(seen["segment"], json!({ "filter": filter, "size": 1, "problem": null }));
    }

    async fn marks_and_shares_of_several_become_one_of_each(app: App) {
        let mut ids = Vec::new();
        for name in ["Kept", "One", "Two", "Other"] {
            ids.push(customer(app, name, "vi", "VND").await);
        }
        let [kept, one, two, other] = &ids[..] else { panic!("four customers") };
        let (user, token) = app.user(Role::Sales.id()).await;
        let (_, second) = app.user(Role::Sales.id()).await;
        for id in [one, two, other] {
            mark(app, &token, "follow", id).await;
            mark(app, &token, "addFavourite", id).await;
        }
        for id in [kept, one] {
            mark(app, &second, "addFavourite", id).await;
        }
        let arrange = "mutation ($id: ID!, $before: ID) { moveFavourite(id: $id, before: $before) { userErrors { code } } }";
        for id in [two, other, one] {
            app.make_as(&token, "userErrors", arrange, json!({ "id": id, "before": null })).await;
        }
        let administrator = app.token_of(Role::Administrator).await;
        let team = json!({ "name": "North" });
        let team = app.make_as(&administrator, "team", CREATE_TEAM, json!({ "input": team })).await["id"].clone();
        let by_user = json!({ "userId": user.global() });
        for (id, with, writable) in [
            (one, by_user.clone(), true), (two, by_user.clone(), false), (kept, by_user, false), (two, json!({ "teamId": team }), false),
        ] {
            let share = json!({ "customerId": id, "with": with, "writable": writable });
            app.make("share", SHARE_CUSTOMER, json!({ "input": share })).await;
        }

        app.make("customer", MERGE, json!({ "input": { "keepId": kept, "mergeIds": [one, two] } })).await;
        assert_eq!(favourites(app, &token).await, json!([{ "id": kept }, { "id": other }]), "in its place");
        assert_eq!(favourites(app, &second).await, json!([{ "id": kept }]));
        let followers = "query ($id: ID!) { followers(id: $id) { id } }";
        let following = app.ask(followers, json!({ "id": kept })).await;
        assert_eq!(following["followers"], json!([{ "id": user.global() }]));
        let shares = "query ($id: ID!) { customer(id: $id) { shares { user { id } team { id } writable } } }";
        let shares = app.ask(shares, json!({ "id": kept })).await["customer"]["shares"].clone();
        let mut shares = shares.as_array().expect("shares").clone();
        shares.sort_by_key(|share| share["team"].is_null());
        assert_eq!(json!(shares), json!([
            { "user": null, "team": { "id": team }, "writable": false },
            { "user": { "id": user.global() }, "team": null, "writable": true },
        ]));

        // Whoever followed one of them hears of the kept one, and of the merge.
        app.drain().await;
        let told = app.send_as(Some(&token), "{ notifications(filter: { kind: { eq: FOLLOWED } }) { nodes { detail subjectId } } }", json!({})).await;
        assert_eq!(told.data["notifications"]["nodes"], json!([{ "detail": "MERGED", "subjectId": kept }]));
    }
}
