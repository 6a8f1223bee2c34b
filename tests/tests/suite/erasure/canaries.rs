//! A person whose every datum is a word that occurs nowhere else is purged, and looked for everywhere.
//!
//! Of what refers to a customer, invoices, credit notes, payments with their receipts, and the ledger have to
//! be kept by law for years, and the customer with them: who has any is not purged but anonymised. Nothing else is
//! kept, but
//! two things for 30 days, since they are about many people and cannot be told apart: files that were
//! imported, and what jobs were asked with and have refused of them. What people type into the filters of
//! views that they save is theirs, and stays until they change it.

use chrono::TimeDelta;
use entity::access::Role;
use entity::automation::message;
use entity::clock::Clock;
use entity::customers::customer::Channel;
use entity::id::{CustomerId, Id, MessageId};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use tests::receiver::{Act, Receiver};
use uuid::Uuid;
use worker::collaboration::export;

use super::{CREATE_CONTACT, DELETE_CONTACT, MERGE, purge};
use crate::audit::{seal, verify};
use crate::changing::export::EXPORT;
use crate::changing::import::IMPORT;
use crate::everything::places;
use crate::given::{
    COMPLETE_CALL, CREATE_APPOINTMENT, CREATE_CALL, CREATE_CUSTOMER, CREATE_UPLOAD,
    HOLD_APPOINTMENT, SHARE_CUSTOMER, document,
};
use crate::imports::upload_as;
use crate::statements::delivery::DELIVER;

/// A word that occurs nowhere else, not even in a hash.
const CANARY: &str = "kzqwx";

/// Digits of which the same is hoped.
const NUMBER: &str = "98704321777";

/// Tables that may hold it for 30 days after a purge; of the audit log, what was said of imported files.
pub(super) const FOR_A_WHILE: [&str; 3] = ["audit_entry", "file", "job"];

pub(super) const SAID_OF_OTHERS: &str = "SELECT COUNT(*) AS n FROM audit_entry WHERE record_table <> 'file' AND \
     (lower(CAST(before AS text)) LIKE '%kzqwx%' OR lower(CAST(after AS text)) LIKE '%kzqwx%')";

const FILE: &str = "number,name,email,phone,stage
kzqwx-1,Kzqwx Imported,imported@kzqwx.example,98704321777,prospect
kzqwx-2,Kzqwx Refused,refused@kzqwx.example,98704321777,kzqwx
";

/// The tables in which the canary is found, each with a row.
pub(super) async fn found(app: &App) -> Vec<(String, String)> {
    places(app, &[CANARY, NUMBER]).await
}

pub(super) fn tables(places: &[(String, String)]) -> Vec<&str> {
    places.iter().map(|(table, _)| table.as_str()).collect()
}

/// The columns of texts of a customer, and of what is part of one, in which the canary is nowhere found.
pub(super) async fn without_canary(app: &App) -> Vec<String> {
    let reader = app.db.reader();
    let backend = reader.get_database_backend();
    let columns = match backend {
        DbBackend::Postgres => {
            "SELECT CAST(table_name AS text) AS t, CAST(column_name AS text) AS c FROM information_schema.columns \
             WHERE table_schema = current_schema() AND data_type IN ('text', 'character varying', 'jsonb')"
        }
        _ => {
            "SELECT m.name AS t, c.name AS c FROM sqlite_schema m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND c.type NOT LIKE '%uuid%' AND c.type NOT LIKE '%time%' AND c.type NOT LIKE '%date%' AND \
             (c.type LIKE '%char%' OR c.type LIKE '%text%' OR c.type LIKE '%json%')"
        }
    };
    let rows = reader.query_all_raw(Statement::from_string(backend, columns)).await;
    let mut columns = Vec::new();
    for row in rows.expect("the catalogue of the database") {
        let name = |name| row.try_get::<String>("", name).expect("a name");
        let (table, column) = (name("t"), name("c"));
        if !["customer", "contact", "address", "note", "task", "call", "appointment"]
            .contains(&table.as_str())
        {
            continue;
        }
        let text = format!("lower(CAST({column} AS text))");
        let sql = format!(
            "SELECT COUNT(*) AS n FROM {table} WHERE {text} LIKE '%{CANARY}%' OR {text} LIKE '%321777%'"
        );
        if app.number(&sql).await == 0 {
            columns.push(format!("{table}.{column}"));
        }
    }
    columns.sort();
    columns
}

/// What the file store and Redis have of it: names.
pub(super) async fn found_outside(app: &App) -> Vec<String> {
    let holds = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        text.contains(CANARY) || text.contains(NUMBER)
    };
    let mut places = Vec::new();
    let objects: Vec<_> = app.files.list(None).try_collect().await.expect("a list");
    for object in objects {
        let bytes = app.files.get(&object.location).await.expect("a file").bytes().await;
        if holds(object.location.as_ref().as_bytes()) || holds(&bytes.expect("bytes")) {
            places.push(object.location.to_string());
        }
    }
    if app.store.is_some() {
        let url = std::env::var("TEST_REDIS_URL").expect("a Redis");
        let client = redis::Client::open(url).expect("a client");
        let mut redis = client.get_multiplexed_async_connection().await.expect("a connection");
        let keys: Vec<String> =
            redis::cmd("KEYS").arg("*").query_async(&mut redis).await.expect("keys");
        for key in keys {
            let value: Option<Vec<u8>> =
                redis::cmd("DUMP").arg(&key).query_async(&mut redis).await.expect("a value");
            if holds(key.as_bytes()) || value.is_some_and(|value| holds(&value)) {
                places.push(key);
            }
        }
    }
    places
}

/// What a mutation made for an administrator.
pub(super) async fn administered(app: &App, field: &str, query: &str, variables: Value) -> Value {
    let administrator = app.token_of(Role::Administrator).await;
    app.make_as(&administrator, field, query, variables).await
}

/// A customer that came by an import, and was changed in every way there is.
async fn person(app: &App) -> String {
    let (status, file) = upload_as(app, &app.token(), "kzqwx.csv", FILE).await;
    assert_eq!(status, 201, "{file}");
    let input = json!({ "fileId": file["id"] });
    app.make("job", IMPORT, json!({ "input": input, "key": "import" })).await;
    app.drain().await;
    let find = "{ customers(filter: { search: \"kzqwx\" }) { nodes { id } } }";
    let id = app.ask(find, json!({})).await["customers"]["nodes"][0]["id"].clone();

    let update = "mutation ($id: ID!, $input: UpdateCustomerInput!) { updateCustomer(id: $id, input: $input) {
      customer { id } userErrors { code field message } } }";
    let values = [json!({ "key": "motto", "value": "kzqwx motto" })];
    let input = json!({
        "displayName": "Kzqwx Renamed", "email": "renamed@kzqwx.example", "phone": "98704321777",
        "taxNumber": "KZQWX-7", "customFields": values,
    });
    app.make("customer", update, json!({ "id": id, "input": input })).await;
    let input = json!({ "customerId": id, "cc": ["copy@kzqwx.example"] });
    let administrator = app.token_of(Role::Administrator).await;
    app.make_as(&administrator, "customer", DELIVER, json!({ "input": input })).await;
    let row = json!({ "number": "kzqwx-1", "displayName": "Kzqwx Upserted" });
    let upsert = "mutation ($input: UpsertCustomersInput!) {
      upsertCustomers(input: $input, idempotencyKey: \"upsert\") { succeeded userErrors { code } } }";
    let made = app.make("succeeded", upsert, json!({ "input": { "rows": [row] } })).await;
    assert_eq!(made, 1);

    for name in ["Kzqwx Kept", "Kzqwx Removed"] {
        let input = json!({ "name": name, "role": "Kzqwx", "email": "contact@kzqwx.example", "phone": "98704321777" });
        let contact =
            app.make("contact", CREATE_CONTACT, json!({ "id": id, "input": input })).await;
        let update =
            "mutation ($id: ID!) { updateContact(id: $id, input: { name: \"Kzqwx Changed\" }) {
          contact { id } userErrors { code } } }";
        app.make("contact", update, json!({ "id": contact["id"] })).await;
        if name.ends_with("Removed") {
            app.make("customer", DELETE_CONTACT, json!({ "id": contact["id"] })).await;
        }
    }
    let create = "mutation ($id: ID!) { createAddress(customerId: $id, input: { lines: \"1 Kzqwx\", city: \"Kzqwx\", region: \"Kzqwx\", postcode: \"KZQWX 1\" }) {
      address { id } userErrors { code } } }";
    app.make("address", create, json!({ "id": id })).await;
    let address = app.make("address", create, json!({ "id": id })).await;
    let delete =
        "mutation ($id: ID!) { deleteAddress(id: $id) { customer { id } userErrors { code } } }";
    app.make("customer", delete, json!({ "id": address["id"] })).await;
    let create =
        "mutation ($id: ID!) { createNote(customerId: $id, input: { body: \"A kzqwx note\" }) {
      note { id } userErrors { code } } }";
    let note = app.make("note", create, json!({ "id": id })).await;
    let update =
        "mutation ($id: ID!) { updateNote(id: $id, input: { body: \"Another kzqwx note\" }) {
      note { id } userErrors { code } } }";
    app.make("note", update, json!({ "id": note["id"] })).await;
    let create = "mutation ($id: ID!, $input: CreateTaskInput!) { createTask(customerId: $id, input: $input) {
      task { id } userErrors { code } } }";
    let input =
        json!({ "title": "A kzqwx task", "description": "About kzqwx", "project": "kzqwx" });
    app.make("task", create, json!({ "id": id, "input": input })).await;
    let contacts = "query ($id: ID!) { customer(id: $id) { contacts { id } } }";
    let contacts = app.ask(contacts, json!({ "id": id })).await;
    let input = json!({
        "subject": "A kzqwx call", "purpose": "SERVICE", "plannedAt": "2026-12-01T03:00:00Z",
        "contactId": contacts["customer"]["contacts"][0]["id"], "needs": "Kzqwx", "say": "Dear Kzqwx",
        "avoid": "Not kzqwx", "offer": "Kzqwx",
    });
    let call = app.make("call", CREATE_CALL, json!({ "customer": id, "input": input })).await;
    let input = json!({ "outcome": "NO_ANSWER", "note": "Kzqwx was out" });
    app.make("call", COMPLETE_CALL, json!({ "id": call["id"], "input": input })).await;
    let input = json!({
        "subject": "Meeting kzqwx", "customerId": id, "description": "About kzqwx", "location": "Kzqwx's office",
        "when": { "at": { "startsAt": "2026-12-01T03:00:00Z", "durationMin": 30 } },
        "contactIds": [contacts["customer"]["contacts"][0]["id"]],
    });
    let met = app.make("appointment", CREATE_APPOINTMENT, json!({ "input": input })).await;
    app.make("appointment", HOLD_APPOINTMENT, json!({ "id": met["id"], "note": "Kzqwx came" }))
        .await;
    id.as_str().expect("an id").to_owned()
}

/// Documents, one of them deleted, and files that were only promised.
async fn documents(app: &App, id: &str) {
    let made = document(app, &json!(id), "kzqwx-1.txt", b"kzqwx bytes").await;
    document(app, &made["documentId"], "kzqwx-2.txt", b"other kzqwx bytes").await;
    let deleted = document(app, &json!(id), "kzqwx-3.txt", b"deleted kzqwx bytes").await;
    app.make("document", crate::given::DELETE_DOCUMENT, json!({ "id": deleted["documentId"] }))
        .await;
    for record in [&json!(id), &made["documentId"]] {
        let input =
            json!({ "record": record, "fileName": "kzqwx-4.txt", "size": 1, "title": "Kzqwx" });
        app.make("upload", CREATE_UPLOAD, json!({ "input": input })).await;
    }
}

/// The same person once more, with traces of its own, who becomes part of the first.
async fn double(app: &App, id: &str) {
    let input = json!({
        "kind": "PERSON", "displayName": "Kzqwx Double", "email": "double@kzqwx.example",
        "contacts": [{ "name": "Kzqwx Inner" }], "addresses": [{ "lines": "2 Kzqwx" }],
    });
    let double =
        app.make("customer", CREATE_CUSTOMER, json!({ "input": input, "key": "double" })).await;
    let input = json!({ "id": double["id"], "input": { "name": "Kzqwx Removed" } });
    let contact = app.make("contact", CREATE_CONTACT, input).await;
    app.make("customer", DELETE_CONTACT, json!({ "id": contact["id"] })).await;
    documents(app, double["id"].as_str().expect("an id")).await;
    app.make("customer", MERGE, json!({ "input": { "keepId": id, "mergeIds": [double["id"]] } }))
        .await;
}

/// A mail to the customer, as receipts are, but without the payment that would have to be kept.
pub(super) async fn mail(app: &App, id: &str, state: message::State) {
    let now = app.clock.now();
    let row = message::ActiveModel {
        id: Set(MessageId::new(now)),
        effect_key: Set("mail".to_owned()),
        class: Set(message::Class::Receipt),
        kind: Set(message::Kind::Receipt),
        channel: Set(Channel::Email),
        customer_id: Set(CustomerId::parse(id)),
        subject_id: Set(Uuid::new_v4()),
        state: Set(state),
        detail: Set(Some("kzqwx@example.vn was taken".to_owned())),
        facts: Set(Some(json!({ "name": "Kzqwx" }))),
        recipient: Set(Some("mail@kzqwx.example".to_owned())),
        message_id: Set("m".to_owned()),
        subject: Set(Some("Dear Kzqwx".to_owned())),
        body: Set(Some(b"Dear kzqwx".to_vec())),
        body_sha256: Set(Some("kzqwx".to_owned())),
        due_at: Set(now),
        expires_at: Set(now),
        attempts: Set(1),
        fence: Set(1),
        settled_at: Set((state == message::State::Accepted).then_some(now)),
        created_at: Set(now),
        ..Default::default()
    };
    row.insert(app.db.reader()).await.expect("a message");
}

/// A customer of whom traces are everywhere, and who hears of it.
pub(super) async fn known_everywhere(app: &App) -> (String, Receiver) {
    let receiver = Receiver::start(|_| Act::Answer(204)).await;
    let kinds = [
        "customer.created",
        "customer.updated",
        "customer.merged",
        "customer.purged",
        "customer.anonymised",
        "contact.created",
        "contact.updated",
        "contact.deleted",
        "address.created",
        "note.created",
        "note.updated",
        "task.created",
        "call.created",
        "appointment.created",
        "payment.recorded",
    ];
    let endpoint =
        "mutation ($input: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $input) {
      webhookEndpoint { id } userErrors { code message } } }";
    let input = json!({ "url": receiver.url("/hook"), "kinds": kinds });
    administered(app, "webhookEndpoint", endpoint, json!({ "input": input })).await;
    let field = "mutation ($input: CreateCustomFieldInput!) { createCustomField(input: $input) {
      customField { id } userErrors { code message } } }";
    let input = json!({ "key": "motto", "label": "Motto", "type": "TEXT" });
    administered(app, "customField", field, json!({ "input": input })).await;

    let id = person(app).await;
    documents(app, &id).await;
    double(app, &id).await;
    for mark in ["follow", "addFavourite"] {
        let mark = format!("mutation ($id: ID!) {{ {mark}(id: $id) {{ userErrors {{ code }} }} }}");
        app.make("userErrors", &mark, json!({ "id": id })).await;
    }
    let (user, _) = app.user(Role::Sales.id()).await;
    let share = json!({ "customerId": id, "with": { "userId": user.global() } });
    app.make("share", SHARE_CUSTOMER, json!({ "input": share })).await;
    let export = json!({ "filter": { "search": "kzqwx" }, "key": "export" });
    app.make("job", EXPORT, export).await;
    app.drain().await;
    seal(app).await;
    (id, receiver)
}

/// Turns the clock by a month, and does what is due by then; the objects are as old as this machine's clock says.
pub(super) async fn a_month_later(app: &App) {
    app.advance(Clock::system().now() - app.clock.now() + TimeDelta::days(2));
    for days in [0, 31, 1] {
        app.advance(TimeDelta::days(days));
        app.upkeep().tidy().await.expect("tidy");
    }
    export::sweep(&app.db, &app.clock, &*app.files).await.expect("a sweep");
}

on_both_stacks! {
    async fn nothing_is_left_of_a_purged_customer(app: App) {
        let (id, _receiver) = known_everywhere(app).await;
        mail(app, &id, message::State::Accepted).await;
        let before = found(app).await;
        for table in [
            "address", "appointment", "audit_entry", "call", "contact", "customer", "document", "file", "job", "message", "note", "task", "upload",
            "webhook_delivery",
        ] {
            assert!(tables(&before).contains(&table), "the search does not find it in {table}: {before:#?}");
        }

        purge(app, &id).await;
        app.drain().await;
        let mut after = found(app).await;
        after.retain(|(table, _)| !FOR_A_WHILE.contains(&table.as_str()));
        assert_eq!(after, [], "something is left of a customer who was purged");
        assert_eq!(app.number(SAID_OF_OTHERS).await, 0);
        seal(app).await;
        verify(app).await.expect("a chain without a flaw");

        a_month_later(app).await;
        assert_eq!(found(app).await, [], "something is left after a month");
        assert_eq!(found_outside(app).await, Vec::<String>::new());
        seal(app).await;
        verify(app).await.expect("a chain without a flaw");
    }
}
