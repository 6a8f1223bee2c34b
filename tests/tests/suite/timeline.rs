//! Timelines: everything there was with a customer, and all around it in one query.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use entity::access::Role;
use entity::collaboration::note;
use entity::id::{CustomerId, Id, NoteId, UserId};
use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::changing::removal::{DELETE, PURGE};
use crate::given::{CREATE_CUSTOMER, RECORD_PAYMENT, customer, invoice, payment, role};

const TIMELINE: &str = "query ($id: ID!, $first: Int, $after: String, $types: [TimelineType!]) {
  customer(id: $id) { timeline(first: $first, after: $after, types: $types) {
    pageInfo { hasNextPage hasPreviousPage endCursor }
    edges { occurredAt node { __typename
      ... on Node { id } ... on Invoice { number } ... on Note { body author { name } }
      ... on CustomerChange { stageBefore stageAfter ownerAfter { name } user { name } } } } } } }";

const CREATE_NOTE: &str = "mutation ($about: ID!, $input: NoteInput!) {
  createNote(customerId: $about, input: $input) { note { id version body author { name } customer { id } } userErrors { code field message } } }";

const UPDATE_NOTE: &str = "mutation ($id: ID!, $body: String!, $version: Int) {
  updateNote(id: $id, input: { body: $body }, expectedVersion: $version) { note { version body } userErrors { code field message } } }";

const RESTORE_NOTE: &str = "mutation ($id: ID!) { restoreNote(id: $id) { note { deletedAt } userErrors { code field message } } }";

const DELETE_NOTE: &str = "mutation ($id: ID!) { deleteNote(id: $id) { note { deletedAt } userErrors { code field message } } }";

const UPDATE: &str = "mutation ($id: ID!, $input: UpdateCustomerInput!) {
  updateCustomer(id: $id, input: $input) { customer { id } userErrors { code field message } } }";

const OVERVIEW: &str = "query ($id: ID!) { customer360(id: $id) {
  customer { displayName } lastContactAt
  openInvoices { count amount { amount currency } overdueCount overdue { amount } firstDueOn }
  lastPayment { amount { amount } } lastMessage { state } nextMessage { id } lastNote { body } } }";

/// A customer that somebody looks after.
async fn owned(app: &App, owner: UserId, name: &str) -> String {
    let input = json!({ "kind": "PERSON", "displayName": name, "ownerId": owner.global(), "currency": "VND" });
    let made = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
    made["id"].as_str().expect("an id").to_owned()
}

async fn write_down(app: &App, about: &str, body: &str) -> Value {
    app.make("note", CREATE_NOTE, json!({ "about": about, "input": { "body": body } })).await
}

/// Everything that a customer's timeline has, page by page.
async fn walk(app: &App, token: &str, id: &str, first: u64, types: Value) -> Vec<Value> {
    let (mut after, mut found) = (Value::Null, Vec::new());
    loop {
        let variables = json!({ "id": id, "first": first, "after": after, "types": types });
        let reply = app.send_as(Some(token), TIMELINE, variables).await;
        assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
        let page = reply.data["customer"]["timeline"].clone();
        found.extend(page["edges"].as_array().expect("edges").iter().cloned());
        if page["pageInfo"]["hasNextPage"] == false {
            return found;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

fn kinds(items: &[Value]) -> Vec<&str> {
    items.iter().filter_map(|item| item["node"]["__typename"].as_str()).collect()
}

on_both_stacks! {
    async fn a_timeline_has_everything_newest_first(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let minute = TimeDelta::minutes(1);
        app.advance(minute);
        let owed = invoice(app, &lan, "1000", "VND").await;
        app.advance(minute);
        write_down(app, &lan, "Promises to pay\n\n  on Friday ").await;
        app.advance(minute);
        app.make("payment", RECORD_PAYMENT, payment(&lan, "400", "VND", "k")).await;
        app.drain().await;
        app.advance(minute);
        app.make("customer", UPDATE, json!({ "id": lan, "input": { "stage": "REGULAR" } })).await;
        app.advance(minute);
        app.make("customer", UPDATE, json!({ "id": lan, "input": { "phone": "0901" } })).await;
        let credit = "mutation ($id: ID!, $amount: MoneyInput!) {
          issueCreditNote(input: { invoiceId: $id, amount: $amount, reason: \"Discount\" }) {
            creditNote { number } userErrors { code message } } }";
        let amount = json!({ "amount": "100", "currency": "VND" });
        app.make("creditNote", credit, json!({ "id": owed["id"], "amount": amount })).await;

        let all = walk(app, &app.token(), &lan, 2, Value::Null).await;
        let expected = ["CreditNote", "CustomerChange", "Payment", "Message", "Note", "Invoice"];
        let mut found = kinds(&all);
        found[2..4].sort_by_key(|kind| *kind == "Message"); // They are of the same instant.
        assert_eq!(found, expected);
        let times = all.iter().filter_map(|item| item["occurredAt"].as_str()?.parse::<DateTime<Utc>>().ok());
        assert!(times.collect::<Vec<_>>().is_sorted_by(|a, b| a >= b));
        assert_eq!(all[1]["node"]["stageBefore"], "PROSPECT");
        assert_eq!(all[1]["node"]["stageAfter"], "REGULAR");
        assert_eq!(all[1]["node"]["user"]["name"], "Lê Minh Châu");
        assert_eq!(all[4]["node"]["body"], "Promises to pay\n\non Friday");
        assert_eq!(all[5]["node"]["number"], owed["number"]);

        let some = walk(app, &app.token(), &lan, 1, json!(["NOTE", "INVOICE"])).await;
        assert_eq!(kinds(&some), ["Note", "Invoice"]);
        let sales = app.token_of(Role::Sales).await;
        let seen = walk(app, &sales, &lan, 25, Value::Null).await;
        assert_eq!(kinds(&seen), ["CustomerChange", "Note"], "sales sees nothing of finance");
    }

    async fn a_note_is_written_changed_deleted_and_restored(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let note = write_down(app, &lan, "Called").await;
        assert_eq!((&note["author"]["name"], &note["customer"]["id"]), (&json!("Lê Minh Châu"), &json!(lan)));
        let change = |body: &str, version: i32| json!({ "id": note["id"], "body": body, "version": version });
        let changed = app.make("note", UPDATE_NOTE, change("Called twice", 1)).await;
        assert_eq!(changed, json!({ "version": 2, "body": "Called twice" }));
        assert_eq!(app.refusal(UPDATE_NOTE, change("x", 1)).await.0, "STALE_VERSION");
        assert_eq!(app.refusal(UPDATE_NOTE, change("  ", 2)).await, ("INVALID".into(), "input.body".into()));
        let nobody = json!({ "about": note["id"], "input": { "body": "x" } });
        assert_eq!(app.refusal(CREATE_NOTE, nobody).await.0, "NOT_FOUND");
        for _ in 0..2 {
            let deleted = app.make("note", DELETE_NOTE, json!({ "id": note["id"] })).await;
            assert!(deleted["deletedAt"].is_string());
        }
        assert_eq!(app.refusal(UPDATE_NOTE, change("x", 3)).await.0, "NOT_FOUND");
        assert!(walk(app, &app.token(), &lan, 5, Value::Null).await.is_empty());
        let restored = app.make("note", RESTORE_NOTE, json!({ "id": note["id"] })).await;
        assert_eq!(restored["deletedAt"], Value::Null);
        assert_eq!(kinds(&walk(app, &app.token(), &lan, 5, Value::Null).await), ["Note"]);
        let auditor = app.token_of(Role::Auditor).await;
        let reply = app.send_as(Some(&auditor), CREATE_NOTE, json!({ "about": lan, "input": { "body": "x" } })).await;
        assert_eq!(reply.error_code(), Some("FORBIDDEN"));
    }

    async fn all_around_a_customer_is_one_query(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let empty = app.ask(OVERVIEW, json!({ "id": lan })).await;
        assert_eq!(
            empty["customer360"],
            json!({ "customer": { "displayName": "Lan" }, "lastContactAt": null, "openInvoices": [],
                "lastPayment": null, "lastMessage": null, "nextMessage": null, "lastNote": null })
        );
        invoice(app, &lan, "1000", "VND").await;
        invoice(app, &lan, "10.50", "EUR").await;
        app.make("payment", RECORD_PAYMENT, payment(&lan, "400", "VND", "k")).await;
        app.drain().await;
        write_down(app, &lan, "Called").await;
        let contact = app.clock.now().to_rfc3339();
        app.advance(TimeDelta::days(60));
        // The session of before has ended by then.
        let accountant = app.token_of(Role::Accountant).await;
        let seen = app.send_as(Some(&accountant), OVERVIEW, json!({ "id": lan })).await;
        assert_eq!(
            seen.data["customer360"],
            json!({ "customer": { "displayName": "Lan" }, "lastContactAt": contact,
                "openInvoices": [
                    { "count": 1, "amount": { "amount": "10.50", "currency": "EUR" }, "overdueCount": 1,
                      "overdue": { "amount": "10.50" }, "firstDueOn": "2026-12-20" },
                    { "count": 1, "amount": { "amount": "600", "currency": "VND" }, "overdueCount": 1,
                      "overdue": { "amount": "600" }, "firstDueOn": "2026-12-20" },
                ],
                "lastPayment": { "amount": { "amount": "400" } }, "lastMessage": { "state": "ACCEPTED" },
                "nextMessage": null, "lastNote": { "body": "Called" } })
        );
        let sales = app.token_of(Role::Sales).await;
        let seen = app.send_as(Some(&sales), OVERVIEW, json!({ "id": lan })).await;
        assert!(seen.errors.is_empty(), "{:#?}", seen.errors);
        let seen = &seen.data["customer360"];
        assert_eq!((&seen["openInvoices"], &seen["lastPayment"], &seen["lastNote"]["body"]),
            (&Value::Null, &Value::Null, &json!("Called")));
        let nobody = app.send_as(Some(&sales), OVERVIEW, json!({ "id": "cus_x" })).await;
        assert_eq!(nobody.data["customer360"], Value::Null);
    }

    async fn what_one_does_not_reach_is_in_no_timeline(app: App) {
        let narrow = role(app, &[("READ_CUSTOMERS", "OWN"), ("WRITE_CUSTOMERS", "OWN")]).await;
        let (lan, lans) = app.user(narrow).await;
        let (minh, minhs) = app.user(narrow).await;
        let mine = owned(app, lan, "Mine").await;
        invoice(app, &mine, "1000", "VND").await;
        let note = write_down(app, &mine, "Called").await;
        assert_eq!(kinds(&walk(app, &lans, &mine, 25, Value::Null).await), ["Note"], "no finance");

        let everything = "query ($customer: ID!, $note: ID!) { customer360(id: $customer) { customer { id } }
            customer(id: $customer) { timeline { nodes { __typename } } } note(id: $note) { body }
            node(id: $note) { id } notes { totalCount nodes { body } } }";
        let variables = json!({ "customer": mine, "note": note["id"] });
        let seen = app.send_as(Some(&minhs), everything, variables.clone()).await;
        assert_eq!(seen.errors, Vec::<Value>::new());
        assert_eq!(seen.data, json!({ "customer360": null, "customer": null, "note": null, "node": null,
            "notes": { "totalCount": 0, "nodes": [] } }));
        for (query, variables, path) in [
            (CREATE_NOTE, json!({ "about": mine, "input": { "body": "x" } }), json!(["customerId"])),
            (UPDATE_NOTE, json!({ "id": note["id"], "body": "x" }), json!(["id"])),
            (DELETE_NOTE, json!({ "id": note["id"] }), json!(["id"])),
        ] {
            let reply = app.send_as(Some(&minhs), query, variables).await;
            let payload = reply.data.as_object().and_then(|data| data.values().next()).expect("a payload");
            let error = &payload["userErrors"][0];
            assert_eq!((&error["code"], &error["field"]), (&json!("NOT_FOUND"), &path), "{query}");
        }

        app.advance(TimeDelta::minutes(1));
        let handed = json!({ "id": mine, "input": { "ownerId": minh.global() } });
        app.make("customer", UPDATE, handed).await;
        assert_eq!(kinds(&walk(app, &minhs, &mine, 25, Value::Null).await), ["CustomerChange", "Note"]);
        let seen = app.send_as(Some(&lans), everything, variables).await;
        assert_eq!((&seen.data["customer360"], &seen.data["notes"]["totalCount"]), (&Value::Null, &json!(0)));
    }

    async fn notes_go_with_their_customer(app: App) {
        let (lan, minh) = (customer(app, "Lan", "vi", "VND").await, customer(app, "Minh", "vi", "VND").await);
        write_down(app, &minh, "Called").await;
        let merge = "mutation ($keep: ID!, $merge: [ID!]!) { mergeCustomers(input: { keepId: $keep, mergeIds: $merge }) {
          customer { notes { nodes { body } } } userErrors { code message } } }";
        let kept = app.make("customer", merge, json!({ "keep": lan, "merge": [minh] })).await;
        assert_eq!(kept["notes"]["nodes"], json!([{ "body": "Called" }]));
        assert_eq!(kinds(&walk(app, &app.token(), &lan, 25, json!(["NOTE"])).await), ["Note"]);

        app.make("customer", DELETE, json!({ "id": lan })).await;
        let refused = json!({ "about": lan, "input": { "body": "x" } });
        assert_eq!(app.refusal(CREATE_NOTE, refused).await.0, "NOT_FOUND");
        let administrator = app.token_of(Role::Administrator).await;
        app.make_as(&administrator, "purgedId", PURGE, json!({ "id": lan })).await;
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM note").await, 0);
    }

    async fn a_page_of_a_long_timeline_is_as_fast_as_one_of_a_short_one(app: App) {
        let (short, long) = (customer(app, "Short", "vi", "VND").await, customer(app, "Long", "vi", "VND").await);
        fill(app, &long, 20_000).await;
        fill(app, &short, 50).await;
        let time = async |id: &str, after: Value| {
            let (mut fastest, mut page) = (Duration::MAX, Value::Null);
            for _ in 0..10 {
                let started = Instant::now();
                page = app.ask(TIMELINE, json!({ "id": id, "first": 25, "after": after })).await;
                // A busy machine slows some of them down.
                fastest = fastest.min(started.elapsed());
            }
            (fastest, page["customer"]["timeline"].clone())
        };
        let (of_short, _) = time(&short, Value::Null).await;
        let (of_long, page) = time(&long, Value::Null).await;
        let (of_next, next) = time(&long, page["pageInfo"]["endCursor"].clone()).await;
        assert_eq!(next["edges"].as_array().map(Vec::len), Some(25));
        let most = of_short * 5 + Duration::from_millis(10);
        assert!(of_long < most && of_next < most, "{of_short:?}, {of_long:?}, {of_next:?}");
    }
}

/// Writes many notes, a second apart.
async fn fill(app: &App, about: &str, count: i64) {
    let (about, now) = (CustomerId::parse(about).expect("an id"), app.clock.now());
    let written = app.db.write(move |txn| {
        async move {
            let rows = (0..count).map(|number| {
                let at = now - TimeDelta::seconds(number);
                note::ActiveModel {
                    id: Set(NoteId::new(at)),
                    customer_id: Set(about),
                    body: Set(format!("Note {number}")),
                    deleted_at: Set(None),
                    created_at: Set(at),
                    created_by: Set(None),
                    updated_at: Set(at),
                    updated_by: Set(None),
                    version: Set(1),
                }
            });
            let rows: Vec<_> = rows.collect();
            for rows in rows.chunks(2_000) {
                note::Entity::insert_many(rows.to_vec()).exec_without_returning(txn).await?;
            }
            Ok(())
        }
        .boxed()
    });
    written.await.expect("notes");
}
