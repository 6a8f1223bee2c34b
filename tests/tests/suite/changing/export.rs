//! Lists as files: what is in them, and who gets them.

use chrono::TimeDelta;
use entity::access::{Role, audit};
use hyper::body::Bytes;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use worker::collaboration::export;

use crate::api_keys::secret;
use crate::files::{DOWNLOAD, get, header, link};
use crate::given::{CREATE_CUSTOMER, customer, invoice};

pub const EXPORT: &str = "mutation ($filter: CustomerFilter, $order: [CustomerOrder!], $fields: [CustomerExportField!], $customFields: [String!], $key: String!) {
  exportCustomers(filter: $filter, orderBy: $order, fields: $fields, customFields: $customFields, idempotencyKey: $key) {
    job { id state } userErrors { code field } } }";

const JOB: &str = "query ($id: ID!) { job(id: $id) { state done total report resultExpiresAt } }";

/// Status and body of what a job has left for somebody, who gets no link to what is not for them.
pub async fn fetch(app: &App, token: Option<&str>, job: &Value) -> (u16, Bytes) {
    let asked = app.send_as(token, DOWNLOAD, json!({ "id": job })).await;
    match (asked.error_code(), asked.data["downloadLink"]["url"].as_str()) {
        (Some("UNAUTHENTICATED"), _) => (401, Bytes::new()),
        (None, Some(path)) => follow(app, path).await,
        (None, None) => (404, Bytes::new()),
        _ => panic!("{:?}", asked.errors),
    }
}

/// Status and body of what a link leads to, as a browser follows it.
async fn follow(app: &App, path: &str) -> (u16, Bytes) {
    let answer = get(app, path, &[]).await;
    (answer.status().as_u16(), answer.into_body())
}

/// The lines of an export of customers, as somebody gets them.
pub async fn lines(app: &App, token: &str, variables: Value) -> Vec<String> {
    let asked = app.send_as(Some(token), EXPORT, variables).await;
    let payload = &asked.data["exportCustomers"];
    assert_eq!((asked.errors.len(), &payload["userErrors"]), (0, &json!([])), "{asked:?}");
    app.drain().await;
    let (status, body) = fetch(app, Some(token), &payload["job"]["id"]).await;
    assert_eq!(status, 200);
    let text = String::from_utf8(body.to_vec()).expect("UTF-8");
    let text = text.strip_prefix('\u{feff}').expect("a mark that Excel looks for").to_owned();
    text.split_terminator("\r\n").map(str::to_owned).collect()
}

on_both_stacks! {
    async fn a_list_becomes_a_file_that_opens_well_in_a_spreadsheet(app: App) {
        let lan = customer(app, "Nguyễn Lan", "vi", "VND").await;
        customer(app, "=HYPERLINK(\"http://evil.example\")", "en", "EUR").await;
        customer(app, "Gone", "en", "EUR").await;
        invoice(app, &lan, "1500000", "VND").await;
        let delete = "mutation ($id: ID!) { deleteCustomer(id: $id) { customer { id } userErrors { code } } }";
        let gone = app.ask("{ customers(filter: { search: \"gone\" }) { nodes { id } } }", json!({})).await;
        app.make("customer", delete, json!({ "id": gone["customers"]["nodes"][0]["id"] })).await;
        let variables = json!({
            "order": [{ "field": "CREATED_AT" }], "key": "k",
            "fields": ["DISPLAY_NAME", "STAGE", "BALANCE", "OWNER_NAME", "LANGUAGE"],
        });
        assert_eq!(lines(app, &app.token(), variables.clone()).await, [
            "displayName,stage,balance,balance.currency,owner.name,language",
            "Nguyễn Lan,PROSPECT,1500000,VND,,vi",
            "\"'=HYPERLINK(\"\"http://evil.example\"\")\",PROSPECT,0.00,EUR,,en",
        ]);
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM file").await, 1);
        lines(app, &app.token(), variables).await;
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM file").await, 1, "a repeated request is the first one");
    }

    async fn only_who_asked_for_it_gets_the_file_and_only_for_a_week(app: App) {
        customer(app, "Lan", "vi", "VND").await;
        let asked = app.make("job", EXPORT, json!({ "key": "k" })).await;
        let id = &asked["id"];
        app.drain().await;
        let job = app.ask(JOB, json!({ "id": id })).await["job"].clone();
        assert_eq!((&job["state"], &job["done"], &job["total"]), (&json!("SUCCEEDED"), &json!(1), &json!(1)), "{job:#}");
        let mine = app.token();
        assert_eq!(fetch(app, Some(&mine), id).await.0, 200);
        let administrator = app.token_of(Role::Administrator).await;
        assert_eq!(fetch(app, Some(&administrator), id).await.0, 404);
        assert_eq!(fetch(app, None, id).await.0, 401);
        assert_eq!(fetch(app, Some(&mine), &json!("job_x")).await.0, 404);
        app.advance(TimeDelta::days(7));
        assert_eq!(fetch(app, Some(&app.token()), id).await.0, 404, "it has expired");
        export::sweep(&app.db, &app.clock, &*app.files).await.expect("a sweep");
        let removed = audit::Entity::find().filter(audit::Column::Action.eq(audit::Action::Deleted));
        let removed = removed.all(app.db.reader()).await.expect("entries");
        let [removed] = &removed[..] else { panic!("{removed:#?}") };
        assert_eq!((removed.record_table.as_str(), removed.at), ("file", app.clock.now()));
    }

    async fn a_browser_follows_the_link_to_a_file_for_minutes(app: App) {
        customer(app, "Lan", "vi", "VND").await;
        let id = app.make("job", EXPORT, json!({ "fields": ["DISPLAY_NAME", "BALANCE"], "key": "k" })).await["id"].clone();
        app.drain().await;
        let path = link(app, &id).await;
        let file = get(app, &path, &[]).await;
        assert_eq!((file.status().as_u16(), header(&file, "content-type")), (200, "text/csv; charset=utf-8"));
        let disposition = header(&file, "content-disposition");
        assert!(disposition.starts_with("attachment; filename=\"customers-2026"), "{disposition}");
        assert_eq!(header(&file, "cache-control"), "private, no-cache");
        let part = get(app, &path, &[("range", "bytes=3-13")]).await;
        assert_eq!((part.status().as_u16(), part.body().as_ref()), (206, b"displayName".as_slice()));
        // Sales sees no balances, and a link is no better than whom it is for.
        app.execute("UPDATE user_account SET role_id = (SELECT id FROM role WHERE key = 'SALES')").await;
        assert_eq!(follow(app, &path).await.0, 404);
        app.advance(TimeDelta::minutes(6));
        assert_eq!(follow(app, &path).await.0, 410);
    }

    async fn what_somebody_may_not_see_is_not_in_their_file(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        invoice(app, &lan, "1000", "VND").await;
        let sales = app.token_of(Role::Sales).await;
        let whole = lines(app, &app.token(), json!({ "key": "a" })).await;
        let part = lines(app, &sales, json!({ "key": "b" })).await;
        assert!(whole[0].contains("balance") && !part[0].contains("balance"), "{whole:?} {part:?}");
        assert_eq!(part[0].split(',').count(), part[1].split(',').count());
        let invoices = "mutation { exportInvoices(idempotencyKey: \"i\") { job { id } userErrors { code } } }";
        assert_eq!(app.send_as(Some(&sales), invoices, json!({})).await.error_code(), Some("FORBIDDEN"));
        let owing = json!({ "filter": { "invoices": { "some": {} } }, "key": "f" });
        let refused = app.send_as(Some(&sales), EXPORT, owing).await;
        assert_eq!(refused.data["exportCustomers"]["userErrors"][0]["code"], "FORBIDDEN");
        let only = app.send_as(Some(&sales), EXPORT, json!({ "fields": ["BALANCE"], "key": "o" })).await;
        assert_eq!(only.data["exportCustomers"]["userErrors"][0]["field"], json!(["fields"]));
    }

    async fn what_a_key_may_not_see_is_in_no_file_of_its_either(app: App) {
        customer(app, "Lan", "vi", "VND").await;
        let key = secret(app, &["READ_CUSTOMERS"]).await;
        let all = lines(app, &key, json!({ "key": "a" })).await;
        assert!(all[0].contains("displayName") && !all[0].contains("balance"), "{all:?}");
        let named = json!({ "fields": ["DISPLAY_NAME", "BALANCE"], "key": "b" });
        assert_eq!(lines(app, &key, named).await, ["displayName", "Lan"]);
    }

    async fn a_list_of_many_pages_is_whole_and_in_order(app: App) {
        for page in 0..3 {
            let rows: Vec<_> = (0..400).map(|row| json!({ "number": format!("{page}-{row:03}"), "displayName": format!("Khách {}", row % 7) })).collect();
            let upsert = "mutation ($rows: [UpdateCustomerInput!]!, $key: String!) { upsertCustomers(input: { rows: $rows }, idempotencyKey: $key) { succeeded userErrors { code } } }";
            app.make("succeeded", upsert, json!({ "rows": rows, "key": format!("{page}") })).await;
        }
        let order = json!([{ "field": "DISPLAY_NAME", "direction": "DESC" }, { "field": "NUMBER" }]);
        let found = lines(app, &app.token(), json!({ "order": order, "fields": ["NUMBER", "DISPLAY_NAME"], "key": "k" })).await;
        let mut expected: Vec<_> = (0..3).flat_map(|page| (0..400).map(move |row| (row % 7, format!("{page}-{row:03}")))).collect();
        expected.sort_by_key(|(name, number)| (std::cmp::Reverse(*name), number.clone()));
        let expected: Vec<_> = expected.into_iter().map(|(name, number)| format!("{number},Khách {name}")).collect();
        assert_eq!(found[1..], expected);
    }

    async fn a_workbook_of_invoices_says_whose_they_are(app: App) {
        let input = json!({ "kind": "PERSON", "displayName": "Lan", "number": "K-1", "currency": "VND" });
        let lan = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        invoice(app, lan["id"].as_str().expect("an id"), "1000", "VND").await;
        for (format, begin) in [("XLSX", "PK"), ("CSV", "\u{feff}number,customer.number,customer.displayName,total,total.currency,dueOn\r\n")] {
            let query = format!("mutation {{ exportInvoices(format: {format}, idempotencyKey: \"{format}\",
              fields: [NUMBER, CUSTOMER_NUMBER, CUSTOMER_DISPLAY_NAME, TOTAL, DUE_ON]) {{ job {{ id }} userErrors {{ code field }} }} }}");
            let job = app.make("job", &query, json!({})).await;
            app.drain().await;
            let (status, body) = fetch(app, Some(&app.token()), &job["id"]).await;
            assert!(status == 200 && body.starts_with(begin.as_bytes()), "{format} {status}");
            if format == "CSV" {
                let text = String::from_utf8(body.to_vec()).expect("UTF-8");
                assert!(text.ends_with(",K-1,Lan,1000,VND,2026-12-20\r\n"), "{text}");
            }
        }
    }
}
