//! What an API key gets of its owner's jobs and files: what it might have asked for itself.

use entity::access::Role;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::api_keys::secret;
use crate::changing::bulk::{CANCEL, DELETE, START};
use crate::changing::export::{EXPORT, fetch};
use crate::given::{customer, invoice};

const EXPORT_INVOICES: &str = "mutation { exportInvoices(idempotencyKey: \"invoices\") { job { id } userErrors { code field } } }";

/// The ids of all jobs that somebody sees.
async fn jobs(app: &App, token: &str) -> Vec<Value> {
    let reply = app.send_as(Some(token), "{ jobs { totalCount nodes { id } } }", json!({})).await;
    assert_eq!(reply.errors, Vec::<Value>::new());
    let nodes = reply.data["jobs"]["nodes"].as_array().expect("nodes").clone();
    assert_eq!(reply.data["jobs"]["totalCount"].as_u64(), Some(nodes.len() as u64));
    nodes.into_iter().map(|node| node["id"].clone()).collect()
}

/// With what somebody is refused to start or call off a job; null when they are not.
async fn refusal(app: &App, token: &str, mutation: &str, job: &Value) -> Value {
    let reply = app.send_as(Some(token), mutation, json!({ "id": job })).await;
    assert_eq!(reply.errors, Vec::<Value>::new());
    let payload = reply.data.as_object().and_then(|data| data.values().next()).expect("a payload");
    payload["userErrors"][0]["code"].clone()
}

/// Gives all users another role.
async fn make_all(app: &App, role: Role) {
    let role = role.id().0;
    let sql = match app.db.reader().get_database_backend() {
        sea_orm::DbBackend::Sqlite => {
            format!("UPDATE user_account SET role_id = unhex('{}')", role.simple())
        }
        _ => format!("UPDATE user_account SET role_id = '{role}'"),
    };
    app.execute(&sql).await;
}

on_both_stacks! {
    async fn a_key_neither_sees_nor_fetches_what_was_asked_for_without_it(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        invoice(app, &lan, "1000", "VND").await;
        let owners = app.make("job", EXPORT_INVOICES, json!({})).await["id"].clone();
        let key = secret(app, &["READ_CUSTOMERS"]).await;
        let by_key = app.make_as(&key, "job", EXPORT, json!({ "key": "k" })).await["id"].clone();
        app.drain().await;
        assert_eq!(fetch(app, Some(&key), &owners).await.0, 404);
        assert_eq!(fetch(app, Some(&key), &by_key).await.0, 200);
        assert_eq!(jobs(app, &key).await, std::slice::from_ref(&by_key));
        for query in ["query ($id: ID!) { one: job(id: $id) { report } }", "query ($id: ID!) { one: node(id: $id) { id } }"] {
            let hidden = app.send_as(Some(&key), query, json!({ "id": owners })).await;
            assert_eq!((hidden.error_code(), &hidden.data["one"]), (None, &Value::Null), "{query}");
        }
        let alike = secret(app, &["READ_CUSTOMERS"]).await;
        assert_eq!(fetch(app, Some(&alike), &by_key).await.0, 200, "a key that takes its place");
        let more = secret(app, &["READ_CUSTOMERS", "IMPORT"]).await;
        assert_eq!(fetch(app, Some(&more), &by_key).await.0, 404);
        assert_eq!(jobs(app, &more).await, Vec::<Value>::new(), "the permission to follow jobs shows no others");
        assert_eq!(fetch(app, Some(&app.token()), &by_key).await.0, 200, "whose key it is gets all");
        assert_eq!(jobs(app, &app.token()).await.len(), 2);
    }

    async fn what_a_key_asks_for_is_done_within_its_limits(app: App) {
        app.make("job", EXPORT_INVOICES, json!({})).await;
        let key = secret(app, &["READ_CUSTOMERS"]).await;
        let export = "mutation { exportJobs(fields: [KIND, STATE], idempotencyKey: \"j\") { job { id } userErrors { code } } }";
        let job = app.make_as(&key, "job", export, json!({})).await["id"].clone();
        app.drain().await;
        let (status, body) = fetch(app, Some(&key), &job).await;
        assert_eq!(status, 200);
        assert_eq!(body.as_ref(), "\u{feff}kind,state\r\nEXPORT,RUNNING\r\n".as_bytes(), "itself alone");
    }

    async fn a_file_is_given_to_nobody_who_may_not_see_its_list_any_more(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        invoice(app, &lan, "1000", "VND").await;
        let invoices = app.make("job", EXPORT_INVOICES, json!({})).await["id"].clone();
        let with_balance = json!({ "fields": ["DISPLAY_NAME", "BALANCE"], "key": "b" });
        let with_balance = app.make("job", EXPORT, with_balance).await["id"].clone();
        let names = app.make("job", EXPORT, json!({ "fields": ["DISPLAY_NAME"], "key": "n" })).await["id"].clone();
        app.drain().await;
        let token = app.token();
        for job in [&invoices, &with_balance, &names] {
            assert_eq!(fetch(app, Some(&token), job).await.0, 200);
        }
        make_all(app, Role::Sales).await;
        for (job, expected) in [(&invoices, 404), (&with_balance, 404), (&names, 200)] {
            assert_eq!(fetch(app, Some(&token), job).await.0, expected);
        }
    }

    async fn a_key_starts_and_calls_off_its_own_jobs_alone(app: App) {
        customer(app, "Lan", "vi", "VND").await;
        let prepared = |key: &str| json!({ "filter": {}, "key": key });
        let owners = app.make("job", DELETE, prepared("owner")).await["id"].clone();
        let reads = secret(app, &["READ_CUSTOMERS"]).await;
        let writes = secret(app, &["READ_CUSTOMERS", "WRITE_CUSTOMERS"]).await;
        for (key, mutation) in [(&reads, START), (&writes, START), (&reads, CANCEL), (&writes, CANCEL)] {
            assert_eq!(refusal(app, key, mutation, &owners).await, "NOT_FOUND");
        }
        let by_key = app.make_as(&writes, "job", DELETE, prepared("key")).await["id"].clone();
        assert_eq!(refusal(app, &reads, START, &by_key).await, "NOT_FOUND");
        app.drain().await;
        let left = "SELECT COUNT(*) AS n FROM customer WHERE deleted_at IS NULL";
        assert_eq!(app.number(left).await, 1, "nothing has started");
        assert_eq!(refusal(app, &writes, START, &by_key).await, Value::Null);
        app.drain().await;
        assert_eq!(app.number(left).await, 0);
        assert_eq!(refusal(app, &app.token(), CANCEL, &owners).await, Value::Null);
    }
}
