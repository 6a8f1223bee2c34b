//! Importing receivables through the API, as a job.

use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};
use tests::app::App;
use tests::{graphql, on_both_stacks};

const IMPORT: &str = "mutation ($file: ID!, $key: String!, $receipts: Boolean!) {
  importReceivables(input: { fileId: $file, currency: \"USD\", receipts: $receipts }, idempotencyKey: $key) {
    job { id state } userErrors { code field message } } }";

const JOB: &str =
    "query ($id: ID!) { job(id: $id) { state done total report startedAt finishedAt } }";

const FILE: &str = "customerID,invoiceNumber,InvoiceDate,DueDate,InvoiceAmount,Disputed,SettledDate
K-1,A1,1/2/2025,2/1/2025,55.94,No,1/15/2025
K-1,A2,1/26/2025,2/25/2025,61.74,Yes,
K-2,A3,3/1/2025,3/31/2025,100.00,No,4/2/2025
K-2,A4,3/1/2025,3/31/2025,a lot,No,4/2/2025
";

pub async fn upload(app: &App, token: &str, body: &str) -> (u16, Value) {
    upload_as(app, token, "receivables.csv", body).await
}

/// Sends a file to import, by the name that it has.
pub async fn upload_as(app: &App, token: &str, name: &str, body: &str) -> (u16, Value) {
    let request = Request::post(format!("/files?name={name}"))
        .header("host", &app.address)
        .header("authorization", format!("Bearer {token}"))
        .body(Full::from(body.to_owned()))
        .expect("a request");
    let (status, body) =
        graphql::exchange(&app.address, request, graphql::PATIENCE).await.expect("an answer");
    (status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
}

/// Starts an import of a small file; its job.
pub async fn start(app: &App, key: &str) -> String {
    let job = begin(app, key, false).await;
    job["id"].as_str().expect("an id").to_owned()
}

async fn begin(app: &App, key: &str, receipts: bool) -> Value {
    let (status, file) = upload(app, &app.token(), FILE).await;
    assert_eq!(status, 201, "{file}");
    let variables = json!({ "file": file["id"], "key": key, "receipts": receipts });
    app.make("job", IMPORT, variables).await
}

async fn import(app: &App, key: &str, receipts: bool) -> Value {
    let job = begin(app, key, receipts).await;
    app.drain().await;
    app.ask(JOB, json!({ "id": job["id"] })).await["job"].clone()
}

on_both_stacks! {
    async fn a_file_is_imported_once_and_silently(app: App) {
        let job = import(app, "first", false).await;
        assert_eq!(job["state"], "SUCCEEDED", "{job:#}");
        let sums = "{ customers { totalCount } invoices { totalCount } payments { totalCount } openReceivables { amount currency } }";
        let expected = json!({
            "customers": { "totalCount": 2 }, "invoices": { "totalCount": 3 }, "payments": { "totalCount": 2 },
            "openReceivables": [{ "amount": "61.74", "currency": "USD" }],
        });
        assert_eq!(app.ask(sums, json!({})).await, expected);
        import(app, "second", false).await;
        assert_eq!(app.ask(sums, json!({})).await, expected);
        assert!(app.mailbox.mails().is_empty() && app.states().await.is_empty());
    }

    async fn receipts_follow_an_import_where_they_are_asked_for(app: App) {
        import(app, "loud", true).await;
        import(app, "again", true).await;
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM receipt").await, 2);
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM message").await, 2);
    }

    async fn an_upload_needs_somebody_who_may(app: App) {
        let sales = app.token_of(entity::access::Role::Sales).await;
        assert_eq!(upload(app, &sales, FILE).await.0, 403);
        assert_eq!(upload(app, "nonsense", FILE).await.0, 401);
        let refusal = app.refusal(IMPORT, json!({ "file": "fil_x", "key": "k", "receipts": false })).await;
        assert_eq!(refusal, ("NOT_FOUND".into(), "input.fileId".into()));
    }
}
