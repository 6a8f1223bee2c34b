//! What tests begin with.

use chrono::{DateTime, Utc};
use entity::access::user::NewUser;
use entity::access::{Actor, Role, password, user};
use entity::customers::customer;
use entity::finance::statement::delivery::Way;
use entity::id::{CustomerId, Id, RoleId};
use entity::money::Currency;
use futures::FutureExt;
use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};
use tests::app::{App, PASSWORD};
use tests::graphql;
use uuid::Uuid;

pub const CREATE_TASK: &str = "mutation ($customer: ID, $input: CreateTaskInput!, $key: String) {
  createTask(customerId: $customer, input: $input, idempotencyKey: $key) {
    task { id version title description project priority state dueAt estimateMin spentMin doneAt
      customer { displayName } assignee { name } }
    userErrors { code message field } } }";

pub const COMPLETE_TASK: &str = "mutation ($id: ID!, $spent: Int, $version: Int) {
  completeTask(id: $id, spentMin: $spent, expectedVersion: $version) {
    task { id version state spentMin doneAt } userErrors { code field } } }";

pub const SET_TASK_REMINDERS: &str = "mutation ($id: ID!, $before: [Duration!]!) {
  setTaskReminders(id: $id, input: { before: $before }) {
    task { id version reminders { id beforeS at dueAt toldAt late user { id } } }
    userErrors { code message field } } }";

pub const CREATE_CALL: &str = "mutation ($customer: ID!, $input: CreateCallInput!, $key: String) {
  createCall(customerId: $customer, input: $input, idempotencyKey: $key) {
    call { id version subject direction purpose priority plannedAt plannedMin forgottenAt needs say avoid offer
      state outcome attempt customer { displayName } contact { name } assignee { name } caller { name } }
    userErrors { code message field } } }";

pub const CREATE_APPOINTMENT: &str =
    "mutation ($input: CreateAppointmentInput!, $key: String) { createAppointment(input: $input, idempotencyKey: $key) {
  appointment { id version subject state startsAt endsAt timeZone durationMin allDay rule lastEndsAt
    organizer { id } customer { id } attendees { response user { id } contact { name } }
    reminders { beforeS dueAt user { id } } }
  userErrors { code message field } } }";

pub const HOLD_APPOINTMENT: &str =
    "mutation ($id: ID!, $at: DateTime, $missed: Boolean, $note: String) {
  holdAppointment(id: $id, occurrenceAt: $at, missed: $missed, note: $note) {
    appointment { id state note originalAt series { id } } userErrors { code field } } }";

pub const COMPLETE_CALL: &str = "mutation ($id: ID!, $input: CompleteCallInput!, $version: Int) {
  completeCall(id: $id, input: $input, expectedVersion: $version) {
    call { id version state outcome startedAt durationS completedAt note promised { amount currency } promisedOn
      nextCall { id plannedAt attempt subject assignee { name } firstCall { id } } }
    userErrors { code field } } }";

pub const CREATE_WORKFLOW: &str =
    "mutation ($input: CreateWorkflowInput!) { createWorkflow(input: $input) {
  workflow { id version state } userErrors { code message field } } }";

pub const PUBLISH_WORKFLOW: &str = "mutation ($id: ID!, $running: WorkflowRunning! = RUN_OUT) {
  publishWorkflow(id: $id, running: $running) {
    workflow { id state active { number } } userErrors { code message field } } }";

pub const CREATE_CUSTOMER: &str = "mutation ($input: CreateCustomerInput!, $key: String) {
  createCustomer(input: $input, idempotencyKey: $key) {
    customer { id version displayName language currency timeZone } userErrors { code field message } } }";

pub const ISSUE_INVOICE: &str = "mutation ($input: IssueInvoiceInput!, $key: String) {
  issueInvoice(input: $input, idempotencyKey: $key) {
    invoice { id number state total { amount currency } net { amount } tax { amount } open { amount } }
    userErrors { code field message } } }";

pub const RECORD_PAYMENT: &str = "mutation ($input: RecordPaymentInput!, $key: String!) {
  recordPayment(input: $input, idempotencyKey: $key) {
    payment { id amount { amount currency } allocated { amount } unapplied { amount } receipt { number }
      allocations { amount { amount } invoice { number state open { amount } } } }
    userErrors { code field message } } }";

pub const REVERSE_PAYMENT: &str = "mutation ($id: ID!, $reason: String!) {
  reversePayment(id: $id, input: { reason: $reason }) {
    payment { id state allocated { amount } unapplied { amount } cancellation { number kind cancels { number } } }
    userErrors { code field message } } }";

pub const CREATE_UPLOAD: &str = "mutation ($input: CreateUploadInput!, $key: String) {
  createUpload(input: $input, idempotencyKey: $key) {
    upload { url expiresAt } userErrors { code field message } } }";

pub const DELETE_DOCUMENT: &str = "mutation ($id: ID!) {
  deleteDocument(id: $id) { document { id deletedAt } userErrors { code field } } }";

pub const CREATE_ROLE: &str = "mutation ($input: CreateRoleInput!) { createRole(input: $input) {
  role { id version name key grants { permission scope } } userErrors { code field message } } }";

pub const CREATE_TEAM: &str = "mutation ($input: CreateTeamInput!) { createTeam(input: $input) {
  team { id version name members { user { id } } } userErrors { code field message } } }";

pub const SHARE_CUSTOMER: &str =
    "mutation ($input: ShareCustomerInput!) { shareCustomer(input: $input) {
  share { id writable user { id } team { id } } userErrors { code field message } } }";

/// A role with grants: what, and with whose records.
pub async fn role(app: &App, grants: &[(&str, &str)]) -> RoleId {
    let administrator = app.token_of(Role::Administrator).await;
    let grants: Vec<_> = grants
        .iter()
        .map(|(permission, scope)| json!({ "permission": permission, "scope": scope }))
        .collect();
    let input = json!({ "name": Uuid::new_v4().to_string(), "grants": grants });
    let made = app.make_as(&administrator, "role", CREATE_ROLE, json!({ "input": input })).await;
    made["id"].as_str().and_then(RoleId::parse).expect("an id")
}

/// Users with these addresses, who all have the password of tests.
pub async fn users(app: &App, emails: impl IntoIterator<Item = String>) {
    let hash = password::hash(PASSWORD).expect("a hash");
    let (now, emails) = (app.clock.now(), emails.into_iter().collect::<Vec<_>>());
    let created = app.db.write(move |txn| {
        let (hash, emails) = (hash.clone(), emails.clone());
        async move {
            for email in emails {
                let new = NewUser {
                    email,
                    name: "Somebody".to_owned(),
                    password_hash: Some(hash.clone()),
                    role: Role::Sales.id(),
                    position: None,
                    language: None,
                };
                user::create(txn, new, Actor::System, now).await?;
            }
            Ok(())
        }
        .boxed()
    });
    created.await.expect("users");
}

/// A customer that mail reaches.
pub async fn customer(app: &App, name: &str, language: &str, currency: &str) -> String {
    let input = json!({
        "kind": "ORGANISATION", "displayName": name, "language": language, "currency": currency,
        "email": "customer@example.vn",
    });
    let made = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
    made["id"].as_str().expect("an id").to_owned()
}

/// A workflow that is carried out from now on; gives its id.
pub async fn workflow(app: &App, token: &str, definition: &Value) -> String {
    let input = json!({ "name": "Chào mừng", "definition": definition });
    let made = app.make_as(token, "workflow", CREATE_WORKFLOW, json!({ "input": input })).await;
    let published =
        app.make_as(token, "workflow", PUBLISH_WORKFLOW, json!({ "id": made["id"] })).await;
    assert_eq!(published["state"], "ACTIVE");
    made["id"].as_str().expect("an id").to_owned()
}

/// An invoice of one line without tax, due in 30 days.
pub async fn invoice(app: &App, customer: &str, amount: &str, currency: &str) -> Value {
    let line = json!({ "description": "Consulting", "unitPrice": amount });
    let input = json!({
        "customerId": customer, "currency": currency, "dueOn": "2026-12-20", "lines": [line],
    });
    app.make("invoice", ISSUE_INVOICE, json!({ "input": input })).await
}

/// A payment that settles the oldest invoices.
pub fn payment(customer: &str, amount: &str, currency: &str, key: &str) -> Value {
    let amount = json!({ "amount": amount, "currency": currency });
    json!({ "input": { "customerId": customer, "amount": amount, "reference": "FT26" }, "key": key })
}

/// A customer that nobody typed in, added at `now`.
pub fn customer_row(name: &str, now: DateTime<Utc>) -> customer::Model {
    let mut row = customer::Model {
        id: CustomerId::new(now),
        number: None,
        kind: customer::Kind::Person,
        stage: customer::LifecycleStage::Prospect,
        display_name: name.to_owned(),
        search_text: String::new(),
        name_key: None,
        email_key: None,
        phone_key: None,
        tax_key: None,
        owner_id: None,
        preferred_channel: None,
        email: None,
        phone: None,
        tax_number: None,
        language: "vi".to_owned(),
        time_zone: "UTC".to_owned(),
        currency: Currency::VND,
        custom: json!({}),
        dunning_excluded: false,
        dunning_paused_until: None,
        dunning_ladder_id: None,
        statement_channel: Way::default(),
        statement_cc: None,
        import_job_id: None,
        deleted_at: None,
        merged_into_id: None,
        anonymised_at: None,
        created_at: now,
        created_by: None,
        updated_at: now,
        updated_by: None,
        version: 1,
    };
    row.index();
    row
}

/// A document with what `record` names, or its next version; what the upload answered.
pub async fn document(app: &App, record: &Value, name: &str, bytes: &[u8]) -> Value {
    let input =
        json!({ "record": record, "fileName": name, "size": bytes.len(), "tags": ["Scan"] });
    let upload = app.make("upload", CREATE_UPLOAD, json!({ "input": input })).await;
    let request = Request::put(upload["url"].as_str().expect("a link"))
        .header("host", &app.address)
        .body(Full::from(bytes.to_vec()))
        .expect("a request");
    let (status, answer) =
        graphql::exchange(&app.address, request, graphql::PATIENCE).await.expect("an answer");
    assert_eq!(status, 201, "{answer:?}");
    serde_json::from_slice(&answer).expect("JSON")
}

/// Subjects and texts of the mails that went out.
pub fn mails(app: &App) -> Vec<(String, String)> {
    let read = |raw: &[u8]| {
        let mail = mail_parser::MessageParser::default().parse(raw).expect("a mail");
        let text = mail.body_text(0).expect("a text").replace("\r\n", "\n");
        (mail.subject().expect("a subject").to_owned(), text)
    };
    app.mailbox.mails().iter().map(|mail| read(&mail.raw)).collect()
}
