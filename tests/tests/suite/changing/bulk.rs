//! All customers of a filter, by a job that is previewed first.

use entity::access::Role;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::given::customer;

pub const UPDATE: &str =
    "mutation ($filter: CustomerFilter!, $change: BulkCustomerChangeInput!, $key: String!) {
  bulkUpdateCustomers(input: { filter: $filter, change: $change }, idempotencyKey: $key) {
    job { id state done total } sample { displayName stage } userErrors { code field } } }";

pub const DELETE: &str = "mutation ($filter: CustomerFilter!, $key: String!) {
  bulkDeleteCustomers(input: { filter: $filter }, idempotencyKey: $key) {
    job { id state total } sample { displayName } userErrors { code field } } }";

pub const START: &str =
    "mutation ($id: ID!) { startJob(id: $id) { job { id state } userErrors { code field } } }";

pub const CANCEL: &str = "mutation ($id: ID!) { cancelJob(id: $id) { job { state finishedAt } userErrors { code field } } }";

const JOB: &str = "query ($id: ID!) { job(id: $id) { state done total report } }";

/// Every customer with its stage.
async fn stages(app: &App) -> Vec<String> {
    let data = app.ask("{ customers { nodes { displayName stage } } }", json!({})).await;
    let nodes = data["customers"]["nodes"].as_array().expect("nodes").iter();
    let text = |node: &Value, field: &str| node[field].as_str().unwrap_or_default().to_owned();
    let mut stages: Vec<_> = nodes
        .map(|node| format!("{} {}", text(node, "displayName"), text(node, "stage")))
        .collect();
    stages.sort();
    stages
}

async fn prepare(app: &App, key: &str, filter: Value) -> Value {
    let change = json!({ "stage": "LAPSED", "preferredChannel": "SMS" });
    app.ask(UPDATE, json!({ "filter": filter, "change": change, "key": key })).await["bulkUpdateCustomers"].clone()
}

on_both_stacks! {
    async fn what_the_preview_shows_is_touched_and_nothing_else(app: App) {
        for name in ["An", "Anh", "Bình", "Ánh"] {
            customer(app, name, "vi", "VND").await;
        }
        let preview = prepare(app, "k", json!({ "search": "an" })).await;
        assert_eq!(preview["userErrors"], json!([]));
        let job = &preview["job"];
        assert_eq!((&job["state"], &job["done"], &job["total"]), (&json!("PREVIEW"), &json!(0), &json!(3)));
        assert_eq!(preview["sample"].as_array().map(Vec::len), Some(3));
        assert_eq!(prepare(app, "k", json!({ "search": "an" })).await, preview, "a repeated request");
        app.drain().await;
        assert!(stages(app).await.iter().all(|one| one.ends_with("PROSPECT")), "nothing has started");

        // Meanwhile one goes, one falls out of the filter, and one comes in.
        customer(app, "Lan", "vi", "VND").await;
        let rename = "mutation ($id: ID!) { updateCustomer(id: $id, input: { displayName: \"Ích\", email: null }) { customer { id } userErrors { code } } }";
        let found = app.ask("{ customers(filter: { displayName: { eq: \"Ánh\" } }) { nodes { id } } }", json!({})).await;
        app.make("customer", rename, json!({ "id": found["customers"]["nodes"][0]["id"] })).await;
        app.make("job", START, json!({ "id": job["id"] })).await;
        app.drain().await;
        let done = app.ask(JOB, json!({ "id": job["id"] })).await["job"].clone();
        assert_eq!(done, json!({ "state": "SUCCEEDED", "done": 3, "total": 3, "report": { "touched": 2, "skipped": 1 } }));
        let left = ["An LAPSED", "Anh LAPSED", "Bình PROSPECT", "Lan PROSPECT", "Ích PROSPECT"];
        assert_eq!(stages(app).await, left);
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM event WHERE kind = 'customer.updated' AND actor_id IS NOT NULL").await, 3);
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM job_target").await, 0);
        assert_eq!(app.refusal(START, json!({ "id": job["id"] })).await.0, "INVALID_STATE");
    }

    async fn a_job_is_deleted_by_batches_and_can_be_called_off_before(app: App) {
        for page in 0..3 {
            let rows: Vec<_> = (0..400).map(|row| json!({ "number": format!("{page}-{row}"), "displayName": "Khách" })).collect();
            let upsert = "mutation ($rows: [UpdateCustomerInput!]!, $key: String!) { upsertCustomers(input: { rows: $rows }, idempotencyKey: $key) { succeeded userErrors { code } } }";
            app.make("succeeded", upsert, json!({ "rows": rows, "key": format!("{page}") })).await;
        }
        let delete = async |key: &str| app.ask(DELETE, json!({ "filter": { "search": "khach" }, "key": key })).await["bulkDeleteCustomers"].clone();
        let (first, second) = (delete("a").await, delete("b").await);
        assert_eq!((&first["job"]["total"], &second["job"]["total"]), (&json!(1200), &json!(1200)));
        let cancelled = app.make("job", CANCEL, json!({ "id": first["job"]["id"] })).await;
        assert!(cancelled["state"] == "CANCELLED" && cancelled["finishedAt"].is_string());
        assert_eq!(app.refusal(CANCEL, json!({ "id": first["job"]["id"] })).await.0, "INVALID_STATE");
        app.make("job", START, json!({ "id": second["job"]["id"] })).await;
        app.drain().await;
        let done = app.ask(JOB, json!({ "id": second["job"]["id"] })).await["job"].clone();
        assert_eq!(done["report"], json!({ "touched": 1200, "skipped": 0 }));
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM customer WHERE deleted_at IS NULL").await, 0);
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM customer WHERE version <> 2").await, 0);
    }

    async fn a_job_is_its_makers_and_does_what_they_may(app: App) {
        customer(app, "Lan", "vi", "VND").await;
        let sales = app.token_of(Role::Sales).await;
        let variables = json!({ "filter": {}, "change": { "stage": "REGULAR" }, "key": "k" });
        let made = app.send_as(Some(&sales), UPDATE, variables).await;
        let job = made.data["bulkUpdateCustomers"]["job"].clone();
        assert_eq!((&job["state"], made.error_code()), (&json!("PREVIEW"), None), "they see their own job");
        let other = app.token_of(Role::Sales).await;
        let unseen = app.send_as(Some(&other), JOB, json!({ "id": job["id"] })).await;
        assert_eq!(unseen.data["job"], Value::Null);
        assert_eq!(app.refusal(START, json!({ "id": job["id"] })).await.0, "NOT_FOUND", "an accountant's is another");
        // A filter tells nothing that a list would not.
        let owes = json!({ "filter": { "invoices": { "some": {} } }, "change": { "stage": "REGULAR" }, "key": "f" });
        let refused = app.send_as(Some(&sales), UPDATE, owes).await;
        assert_eq!(refused.data["bulkUpdateCustomers"]["userErrors"][0]["code"], "FORBIDDEN");
        let auditor = app.token_of(Role::Auditor).await;
        let refused = app.send_as(Some(&auditor), UPDATE, json!({ "filter": {}, "change": {}, "key": "x" })).await;
        assert_eq!(refused.error_code(), Some("FORBIDDEN"));
        assert_eq!(stages(app).await, ["Lan PROSPECT"]);
    }

    async fn rights_are_checked_again_when_the_job_runs(app: App) {
        customer(app, "Lan", "vi", "VND").await;
        let sales = app.token_of(Role::Sales).await;
        let variables = json!({ "filter": {}, "change": { "stage": "REGULAR" }, "key": "k" });
        let made = app.send_as(Some(&sales), UPDATE, variables).await;
        let job = &made.data["bulkUpdateCustomers"]["job"]["id"];
        disable_sellers(app).await;
        let queue = "UPDATE job SET state = 'QUEUED'";
        sea_orm::ConnectionTrait::execute_unprepared(app.db.reader(), queue).await.expect("a job that starts");
        app.drain().await;
        let ended = app.ask(JOB, json!({ "id": job })).await["job"].clone();
        assert_eq!(ended["state"], "FAILED", "{ended:#}");
        assert_eq!(ended["report"]["error"], "who started the job may not change customers any more");
        assert_eq!(stages(app).await, ["Lan PROSPECT"]);
    }

    async fn a_change_that_cannot_be_is_refused_at_once(app: App) {
        let refused = async |filter: Value, change: Value| app.refusal(UPDATE, json!({ "filter": filter, "change": change, "key": change.to_string() })).await;
        assert_eq!(refused(json!({}), json!({})).await, ("INVALID".into(), "input.change".into()));
        assert_eq!(refused(json!({}), json!({ "language": "Vietnamese" })).await, ("INVALID".into(), "input.language".into()));
        assert_eq!(refused(json!({}), json!({ "ownerId": "usr_x" })).await, ("NOT_FOUND".into(), "input.ownerId".into()));
    }
}

async fn disable_sellers(app: &App) {
    let sql = "UPDATE user_account SET disabled_at = created_at \
         WHERE role_id = (SELECT id FROM role WHERE key = 'SALES')";
    sea_orm::ConnectionTrait::execute_unprepared(app.db.reader(), sql)
        .await
        .expect("disabled users");
}
