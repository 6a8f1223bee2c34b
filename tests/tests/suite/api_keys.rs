//! API keys: programs that act for a user, and may no more than they are for.

use chrono::TimeDelta;
use entity::access::Role;
use http_body_util::Full;
use hyper::{Request, StatusCode, header};
use serde_json::{Value, json};
use tests::app::App;
use tests::graphql;
use tests::on_both_stacks;

use crate::given::{CREATE_CUSTOMER, customer};
use crate::sessions::{EMAIL, opens};

const CREATE: &str = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) {
  secret apiKey { id name visible permissions usedAt expiresAt revokedAt } userErrors { code field message } } }";

pub const REVOKE: &str = "mutation ($id: ID!) { revokeApiKey(id: $id) {
  apiKey { revokedAt } userErrors { code } } }";

async fn create(app: &App, input: Value) -> Value {
    app.ask(CREATE, json!({ "input": input })).await["createApiKey"].clone()
}

/// A key of the accountant's for these permissions: its secret, its id.
pub async fn key(app: &App, permissions: &[&str]) -> (String, String) {
    let made = create(app, json!({ "name": "Sync", "permissions": permissions })).await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&made["secret"]), text(&made["apiKey"]["id"]))
}

/// The secret of such a key.
pub async fn secret(app: &App, permissions: &[&str]) -> String {
    key(app, permissions).await.0
}

on_both_stacks! {
    async fn a_key_is_shown_once_and_stored_as_its_hash(app: App) {
        let input = json!({ "name": " Nightly  sync ", "permissions": ["READ_CUSTOMERS", "READ_FINANCE", "READ_CUSTOMERS"] });
        let made = create(app, input).await;
        let secret = made["secret"].as_str().expect("a secret");
        assert!(secret.starts_with("rap_") && secret.len() == 76, "{secret}");
        let key = &made["apiKey"];
        assert_eq!(key["name"], "Nightly sync");
        assert_eq!(key["visible"], secret[..12]);
        assert_eq!(key["permissions"], json!(["READ_CUSTOMERS", "READ_FINANCE"]));
        assert_eq!(key["usedAt"], Value::Null);
        let stored = format!("SELECT COUNT(*) AS n FROM api_key WHERE secret_sha256 = '{secret}'");
        assert_eq!(app.number(&stored).await, 0);

        assert!(opens(app, secret).await);
        let list = app.ask("{ apiKeys { nodes { name usedAt user { email } } } }", json!({})).await;
        let nodes = &list["apiKeys"]["nodes"];
        assert_eq!((&nodes[0]["user"]["email"], nodes[0]["usedAt"].is_string()), (&json!(EMAIL), true));
        app.advance(TimeDelta::minutes(30));
        assert!(opens(app, secret).await);
        let list_again = app.ask("{ apiKeys { nodes { name usedAt user { email } } } }", json!({})).await;
        assert_eq!(list, list_again, "its use is noted once an hour");
        let others = app.token_of(Role::Administrator).await;
        let none = app.send_as(Some(&others), "{ apiKeys { totalCount } }", json!({})).await.data;
        assert_eq!(none["apiKeys"]["totalCount"], 0, "users see their own");
    }

    async fn a_key_may_what_it_is_for_and_its_owner_may(app: App) {
        let reads = secret(app, &["READ_CUSTOMERS"]).await;
        let writes = secret(app, &["READ_CUSTOMERS", "WRITE_CUSTOMERS"]).await;
        let lan = customer(app, "Lan", "vi", "VND").await;
        let read = "query ($id: ID!) { customer(id: $id) { displayName } }";
        let seen = app.send_as(Some(&reads), read, json!({ "id": lan })).await;
        assert_eq!(seen.data["customer"]["displayName"], "Lan");
        let balance = "query ($id: ID!) { customer(id: $id) { balance { amount } } }";
        let hidden = app.send_as(Some(&writes), balance, json!({ "id": lan })).await;
        assert_eq!(hidden.error_code(), Some("FORBIDDEN"));
        let input = json!({ "input": { "kind": "PERSON", "displayName": "Minh" } });
        assert_eq!(app.send_as(Some(&reads), CREATE_CUSTOMER, input.clone()).await.error_code(), Some("FORBIDDEN"));
        assert_eq!(app.send_as(Some(&writes), CREATE_CUSTOMER, input.clone()).await.error_code(), None);

        let sales = entity::access::Role::Auditor.id().0;
        let demote = match app.db.reader().get_database_backend() {
            sea_orm::DbBackend::Sqlite => format!("UPDATE user_account SET role_id = unhex('{}')", sales.simple()),
            _ => format!("UPDATE user_account SET role_id = '{sales}'"),
        };
        app.execute(&demote).await;
        assert_eq!(app.send_as(Some(&writes), CREATE_CUSTOMER, input).await.error_code(), Some("FORBIDDEN"), "nor more than its owner");
        assert!(opens(app, &writes).await);
        app.execute("UPDATE user_account SET disabled_at = created_at").await;
        assert!(!opens(app, &writes).await && !opens(app, &reads).await);
    }

    async fn nobody_gets_a_key_for_what_they_may_not(app: App) {
        let refused = async |input: Value| create(app, input).await["userErrors"][0].clone();
        let error = refused(json!({ "name": "x", "permissions": ["MANAGE_USERS"] })).await;
        assert_eq!((&error["code"], &error["field"]), (&json!("INVALID"), &json!(["input", "permissions"])));
        assert_eq!(refused(json!({ "name": "x", "permissions": [] })).await["code"], "INVALID");
        assert_eq!(refused(json!({ "name": " ", "permissions": ["IMPORT"] })).await["field"], json!(["input", "name"]));
        let past = app.clock.now().to_rfc3339();
        let error = refused(json!({ "name": "x", "permissions": ["IMPORT"], "expiresAt": past })).await;
        assert_eq!(error["field"], json!(["input", "expiresAt"]));
        let key = secret(app, &["READ_CUSTOMERS"]).await;
        let input = json!({ "input": { "name": "x", "permissions": ["READ_CUSTOMERS"] } });
        let by_key = app.send_as(Some(&key), CREATE, input).await;
        assert_eq!(by_key.error_code(), Some("FORBIDDEN"), "a key makes no keys");
        for query in ["mutation { logoutEverywhere { ended } }", "mutation { startTotp { secret } }", "{ currentSession { id } }"] {
            assert_eq!(app.send_as(Some(&key), query, json!({})).await.error_code(), Some("FORBIDDEN"), "{query}");
        }
    }

    async fn a_key_ends_when_it_is_revoked_or_its_time_has_come(app: App) {
        let until = (app.clock.now() + TimeDelta::days(1)).to_rfc3339();
        let input = json!({ "name": "Day", "permissions": ["READ_CUSTOMERS"], "expiresAt": until });
        let day = create(app, input).await;
        let day = day["secret"].as_str().expect("a secret");
        let made = create(app, json!({ "name": "Ever", "permissions": ["READ_CUSTOMERS"] })).await;
        let (ever, id) = (made["secret"].as_str().expect("a secret"), made["apiKey"]["id"].clone());
        app.advance(TimeDelta::days(1));
        assert!(!opens(app, day).await && opens(app, ever).await);
        let stranger = app.token_of(Role::Administrator).await;
        let refused = app.send_as(Some(&stranger), REVOKE, json!({ "id": id })).await.data;
        assert_eq!(refused["revokeApiKey"]["userErrors"][0]["code"], "NOT_FOUND");
        let revoked = app.ask(REVOKE, json!({ "id": id })).await;
        assert!(revoked["revokeApiKey"]["apiKey"]["revokedAt"].is_string());
        assert!(!opens(app, ever).await);
        let last = if ever.ends_with('0') { "1" } else { "0" };
        assert!(!opens(app, &(ever[..75].to_owned() + last)).await, "mistyped");
    }

    async fn a_key_in_an_address_is_none(app: App) {
        let key = secret(app, &["READ_CUSTOMERS"]).await;
        let path = format!("/graphql?query=%7Bme%7Bname%7D%7D&access_token={key}&token={key}&apiKey={key}");
        let request = Request::get(path)
            .header(header::HOST, &app.address)
            .header(header::ACCEPT, "application/json")
            .body(Full::default())
            .expect("a request");
        let (status, body) = graphql::exchange(&app.address, request, graphql::PATIENCE).await.expect("an answer");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        assert_eq!(status, StatusCode::OK, "a refusal within GraphQL");
    }
}
