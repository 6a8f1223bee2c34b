//! A person whose every datum is a word that occurs nowhere else, and of whom the books have to be kept, is
//! anonymised: that word is nowhere any more, and what the books say, which has a word of its own, still is.

use entity::access::Role;
use entity::automation::message;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use worker::collaboration::export;
use worker::mail::transport::Outcome;

use super::canaries::{
    FOR_A_WHILE, SAID_OF_OTHERS, a_month_later, administered, found, found_outside,
    known_everywhere, mail, tables, without_canary,
};
use super::{MERGE, entries};
use crate::audit::{seal, verify};
use crate::changing::removal::{DELETE, PURGE, RESTORE};
use crate::everything::places;
use crate::given::{
    CREATE_CUSTOMER, CREATE_UPLOAD, ISSUE_INVOICE, RECORD_PAYMENT, REVERSE_PAYMENT, customer,
    document, invoice, payment,
};
use crate::invoices::VOID;

const ANONYMISE: &str =
    "mutation ($id: ID!, $version: Int) { anonymiseCustomer(id: $id, expectedVersion: $version) {
  customer { id version anonymisedAt } userErrors { code field message } } }";

const BOOKS: &str = "query ($id: ID!) { customer(id: $id) { balances { amount currency }
  invoices(first: 50) { nodes { number reference state total { amount } creditNotes { number reason }
    lines { description } documents { nodes { title latest { fileName sha256 } } } } }
  payments(first: 50) { nodes { amount { amount } reference state receipt { number } cancellation { number }
    allocations { amount { amount } invoice { number } } } } } }";

const WHO: &str = "query ($id: ID!) { customer(id: $id) { displayName number email phone taxNumber
  customFields { value } contacts { name } addresses { lines } deletedAt anonymisedAt
  notes { totalCount } tasks { totalCount } calls { totalCount } appointments { totalCount } documents { totalCount }
  messages(first: 50) { nodes { state recipient subject detail } } } }";

/// The columns of texts about a customer that say nothing of a person.
const NO_PERSONAL_DATA: [&str; 21] = [
    "address.country",
    "address.kind",
    "appointment.remind_s",
    "appointment.rule",
    "appointment.state",
    "appointment.time_zone",
    "call.direction",
    "call.outcome",
    "call.priority",
    "call.promised_currency",
    "call.purpose",
    "call.state",
    "customer.currency",
    "customer.kind",
    "customer.language",
    "customer.preferred_channel",
    "customer.stage",
    "customer.statement_channel",
    "customer.time_zone",
    "task.priority",
    "task.state",
];

/// Where messages say who somebody is, other than in the bytes of what was sent.
const SAID_OF_MESSAGES: &str = "SELECT COUNT(*) AS n FROM message WHERE recipient IS NOT NULL \
     OR subject IS NOT NULL OR detail IS NOT NULL OR facts IS NOT NULL \
     OR (state NOT IN ('ACCEPTED', 'UNKNOWN') AND (body IS NOT NULL OR body_sha256 IS NOT NULL))";

/// Invoices and payments that have a word of their own in every text; nothing is open afterwards.
async fn keep_books(app: &App, id: &str) {
    let issued = async |name: &str| {
        let line = json!({ "description": format!("vxjqk {name}"), "unitPrice": "100" });
        let input = json!({
            "customerId": id, "currency": "VND", "dueOn": "2026-12-20", "lines": [line], "reference": "vxjqk order",
        });
        app.make("invoice", ISSUE_INVOICE, json!({ "input": input })).await
    };
    let paid = issued("tea").await;
    document(app, &paid["id"], "vxjqk.txt", b"vxjqk bytes").await;
    let mut pay = payment(id, "100", "VND", &format!("{id} paid"));
    pay["input"]["reference"] = json!("vxjqk transfer");
    app.make("payment", RECORD_PAYMENT, pay).await;
    let void = issued("milk").await;
    let reason = json!({ "id": void["id"], "reason": "vxjqk void" });
    app.make("invoice", VOID, reason).await;
    let pay = payment(id, "70", "VND", &format!("{id} reversed"));
    let taken = app.make("payment", RECORD_PAYMENT, pay).await;
    let reason = json!({ "id": taken["id"], "reason": "vxjqk error" });
    app.make("payment", REVERSE_PAYMENT, reason).await;
}

/// The code of why an administrator does not anonymise a customer.
async fn refusal(app: &App, id: &str) -> Value {
    let administrator = app.token_of(Role::Administrator).await;
    let reply = app.send_as(Some(&administrator), ANONYMISE, json!({ "id": id })).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    reply.data["anonymiseCustomer"]["userErrors"][0]["code"].clone()
}

on_both_stacks! {
    async fn nothing_but_the_books_is_left_of_an_anonymised_customer(app: App) {
        let (id, receiver) = known_everywhere(app).await;
        // Another record of the same person, with books of its own.
        let input = json!({ "kind": "PERSON", "displayName": "Kzqwx Third", "email": "third@kzqwx.example" });
        let third = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await["id"].clone();
        keep_books(app, third.as_str().expect("an id")).await;
        app.drain().await;
        app.make("customer", MERGE, json!({ "input": { "keepId": id, "mergeIds": [third] } })).await;
        let reply = "550 no kzqwx here".to_owned();
        app.mailbox.answer([Outcome::Permanent { reply }]);
        keep_books(app, &id).await;
        app.drain().await;
        seal(app).await;
        let before = found(app).await;
        for table in ["appointment", "audit_entry", "call", "contact", "customer", "document", "file", "message", "note", "task", "webhook_delivery"] {
            assert!(tables(&before).contains(&table), "the search does not find it in {table}: {before:#?}");
        }
        assert_eq!(without_canary(app).await, NO_PERSONAL_DATA);
        let books = app.ask(BOOKS, json!({ "id": id })).await;
        let kept = places(app, &["vxjqk"]).await;
        for table in ["audit_entry", "credit_note", "document", "file", "invoice", "invoice_line", "payment"] {
            assert!(tables(&kept).contains(&table), "the search does not find it in {table}: {kept:#?}");
        }
        let posted = app.number("SELECT COUNT(*) AS n FROM ledger_entry").await;
        let sent = app.number("SELECT COUNT(*) AS n FROM message WHERE state = 'ACCEPTED' AND body IS NOT NULL").await;
        assert!(sent > 3);

        app.make("customer", DELETE, json!({ "id": id })).await;
        let made = administered(app, "customer", ANONYMISE, json!({ "id": id })).await;
        assert_eq!((&made["id"], made["anonymisedAt"].is_string()), (&json!(id), true));
        app.drain().await;
        let mut after = found(app).await;
        after.retain(|(table, _)| !FOR_A_WHILE.contains(&table.as_str()));
        assert_eq!(tables(&after), ["message"], "{after:#?}");
        assert_eq!(app.number(SAID_OF_MESSAGES).await, 0);
        assert_eq!(app.number(SAID_OF_OTHERS).await, 0);
        export::sweep(&app.db, &app.clock, &*app.files).await.expect("a sweep");
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM job WHERE result_file_id IS NOT NULL").await, 0);

        assert_eq!(app.ask(BOOKS, json!({ "id": id })).await, books);
        let expected: Vec<_> = tables(&kept).into_iter().filter(|table| *table != "webhook_delivery").collect();
        assert_eq!(tables(&places(app, &["vxjqk"]).await), expected);
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM ledger_entry").await, posted);
        let kept = "SELECT COUNT(*) AS n FROM message WHERE state = 'ACCEPTED' AND body IS NOT NULL AND body_sha256 IS NOT NULL";
        assert_eq!(app.number(kept).await, sent, "the receipts that went out are kept byte by byte");
        let who = app.ask(WHO, json!({ "id": id })).await["customer"].clone();
        assert_eq!(who["displayName"], format!("Anonymised {id}"));
        for field in ["number", "email", "phone", "taxNumber"] {
            assert_eq!(who[field], Value::Null, "{field}");
        }
        assert_eq!((&who["contacts"], &who["addresses"]), (&json!([]), &json!([])));
        for field in ["notes", "tasks", "calls", "appointments", "documents"] {
            assert_eq!(who[field]["totalCount"], 0, "{field}");
        }
        let told = receiver.received();
        let told = told.iter().rfind(|told| told.json()["type"] == "customer.anonymised").expect("an event").json();
        assert_eq!(told["data"]["record"]["displayName"], format!("Anonymised {id}"));

        // Who did it and when; the chain is whole.
        let erased = entries(app, json!({ "action": { "eq": "ERASED" }, "recordKind": { "eq": "customer" } })).await;
        assert_eq!(erased.len(), 3, "the customer, and the two that became part of it: {erased:#?}");
        assert!(erased.iter().any(|entry| entry["recordId"] == json!(id) && entry["user"]["name"] == "Somebody"));
        seal(app).await;
        verify(app).await.expect("a chain without a flaw");

        a_month_later(app).await;
        let after = found(app).await;
        assert_eq!(tables(&after), ["message"], "{after:#?}");
        assert_eq!(found_outside(app).await, Vec::<String>::new());
        let accountant = app.token_of(Role::Accountant).await;
        assert_eq!(app.send_as(Some(&accountant), BOOKS, json!({ "id": id })).await.data, books);
        seal(app).await;
        verify(app).await.expect("a chain without a flaw");
    }

    async fn an_anonymised_customer_is_neither_written_about_nor_to(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        app.make("payment", RECORD_PAYMENT, payment(&lan, "50", "VND", "early")).await;
        assert_eq!(app.send(ANONYMISE, json!({ "id": lan })).await.error_code(), Some("FORBIDDEN"));
        assert_eq!(refusal(app, &lan).await, "INVALID_STATE", "it is not deleted");
        app.make("customer", DELETE, json!({ "id": lan })).await;
        assert_eq!(refusal(app, &lan).await, "INVALID_STATE", "it has paid for nothing yet");
        app.make("customer", RESTORE, json!({ "id": lan })).await;
        invoice(app, &lan, "50", "VND").await;
        app.drain().await;
        app.kill_workers().await;
        let allocate = "mutation ($id: ID!) { allocatePayment(id: $id, input: {}) { userErrors { code message } } }";
        let paid = app.ask("{ payments { nodes { id } } }", json!({})).await["payments"]["nodes"][0]["id"].clone();
        app.make("userErrors", allocate, json!({ "id": paid })).await;
        // One that nobody has planned a receipt for, and a mail that was not taken yet.
        invoice(app, &lan, "20", "VND").await;
        let late = app.make("payment", RECORD_PAYMENT, payment(&lan, "20", "VND", "late")).await;
        mail(app, &lan, message::State::Deferred).await;
        app.make("customer", DELETE, json!({ "id": lan })).await;
        let administrator = app.token_of(Role::Administrator).await;
        let stale = app.send_as(Some(&administrator), ANONYMISE, json!({ "id": lan, "version": 1 })).await;
        assert_eq!(stale.data["anonymiseCustomer"]["userErrors"][0]["code"], "STALE_VERSION");
        administered(app, "customer", ANONYMISE, json!({ "id": lan })).await;
        assert_eq!(places(app, &["kzqwx"]).await, Vec::new());
        let sent = app.mailbox.mails().len();
        app.start_workers();
        app.drain().await;
        let resend = "mutation ($id: ID!) { resendReceipt(input: { paymentId: $id }, idempotencyKey: \"k\") {
          message { id } userErrors { code message } } }";
        app.make("message", resend, json!({ "id": late["id"] })).await;
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), sent, "nothing goes out any more");
        let states = "SELECT COUNT(*) AS n FROM message WHERE state IN ('CANCELLED', 'SUPPRESSED')";
        assert_eq!(app.number(states).await, 3);

        let note = "mutation ($id: ID!) { createNote(customerId: $id, input: { body: \"Call\" }) {
          note { id } userErrors { code field } } }";
        let update = "mutation ($id: ID!) { updateCustomer(id: $id, input: { displayName: \"Lan\" }) {
          customer { id } userErrors { code field } } }";
        for query in [note, update] {
            assert_eq!(app.refusal(query, json!({ "id": lan })).await.0, "NOT_FOUND");
        }
        let upload = json!({ "input": { "record": lan, "fileName": "a.txt", "size": 1 } });
        assert_eq!(app.refusal(CREATE_UPLOAD, upload).await.0, "NOT_FOUND");
        assert_eq!(app.refusal(RECORD_PAYMENT, payment(&lan, "1", "VND", "more")).await.0, "NOT_FOUND");
        assert_eq!(app.refusal(RESTORE, json!({ "id": lan })).await.0, "INVALID_STATE");
        assert_eq!(refusal(app, &lan).await, "INVALID_STATE", "it is anonymised");
        let purge = app.send_as(Some(&administrator), PURGE, json!({ "id": lan })).await;
        assert_eq!(purge.data["purgeCustomer"]["userErrors"][0]["code"], "INVALID_STATE", "it has books");
        let found = app.ask("{ customers(filter: { search: \"lan\" }) { totalCount } }", json!({})).await;
        assert_eq!(found["customers"]["totalCount"], 0);
        seal(app).await;
        verify(app).await.expect("a chain without a flaw");
    }
}
