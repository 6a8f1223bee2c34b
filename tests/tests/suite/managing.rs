//! What administrators do for users whose device was lost or stolen, and to whom they cannot do it.

use entity::access::Role;
use entity::id::{Id, UserId};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use tests::socket::Socket;

use crate::access::scopes::refusal;
use crate::given::{customer, role};
use crate::live::follow;
use crate::second_factors::enrolled;
use crate::sessions::opens;

const END: &str = "mutation ($id: ID!, $keys: Boolean! = false) {
  endSessions(userId: $id, revokeApiKeys: $keys) { user { id } userErrors { code field } } }";

const RESET_FACTOR: &str = "mutation ($id: ID!) { resetSecondFactor(userId: $id) {
  user { id } userErrors { code field } } }";

const RESEND: &str = "mutation ($id: ID!) { resendInvitation(userId: $id) { user { id } userErrors { code field } } }";

const REVOKE: &str = "mutation ($id: ID!) { revokeInvitation(userId: $id) { user { id } userErrors { code field } } }";

const CREATE_KEY: &str = "mutation ($permissions: [Permission!]!) {
  createApiKey(input: { name: \"Sync\", permissions: $permissions }) { secret userErrors { code } } }";

/// A key of whoever has the token.
async fn key(app: &App, token: &str, permission: &str) -> String {
    let permissions = json!({ "permissions": [permission] });
    let secret = app.make_as(token, "secret", CREATE_KEY, permissions).await;
    secret.as_str().expect("a secret").to_owned()
}

/// How often the audit log says who changed a user's `column`, and in which request.
async fn noted(app: &App, column: &str) -> i64 {
    let noted = format!(
        "SELECT COUNT(*) AS n FROM audit_entry WHERE record_table = 'user_account' AND action = 'UPDATED' \
         AND CAST(after AS text) LIKE '%{column}%' AND request_id IS NOT NULL AND user_id IS NOT NULL"
    );
    app.number(&noted).await
}

on_both_stacks! {
    async fn an_administrator_ends_all_sessions_of_a_user(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let (user, theirs) = app.user(Role::Sales.id()).await;
        let key = key(app, &theirs, "READ_CUSTOMERS").await;
        let mut socket = Socket::open(&app.address, &theirs).await;
        follow(app, &mut socket, Value::Null).await;
        let done = app.make_as(&administrator, "user", END, json!({ "id": user.global() })).await;
        assert_eq!(done["id"], user.global());
        customer(app, "Lan", "vi", "VND").await;
        assert_eq!(socket.hear().await, Err(4403), "nothing is heard any more");
        assert!(!opens(app, &theirs).await && opens(app, &key).await && opens(app, &administrator).await);
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM user_session WHERE ending = 'ADMINISTRATOR'").await, 1);
        assert_eq!(noted(app, "sessions_ended_at").await, 1);
        app.make_as(&administrator, "user", END, json!({ "id": user.global(), "keys": true })).await;
        assert!(!opens(app, &key).await);
    }

    async fn an_administrator_takes_a_lost_second_factor_away(app: App) {
        let (chief, administrator) = app.user(Role::Administrator.id()).await;
        let (user, theirs) = app.user(Role::Sales.id()).await;
        let id = json!({ "id": user.global() });
        let none = refusal(app, &administrator, RESET_FACTOR, id.clone()).await.0;
        assert_eq!(none, "INVALID_STATE", "there is none");
        assert!(opens(app, &theirs).await, "nothing was done");

        enrolled(app, &theirs).await;
        let program = key(app, &administrator, "MANAGE_USERS").await;
        let by_program = app.send_as(Some(&program), RESET_FACTOR, id.clone()).await;
        assert_eq!(by_program.error_code(), Some("FORBIDDEN"), "that is for people");
        app.make_as(&administrator, "user", RESET_FACTOR, id).await;
        assert!(!opens(app, &theirs).await);
        let left = "SELECT (SELECT COUNT(*) FROM second_factor) + (SELECT COUNT(*) FROM recovery_code) AS n";
        assert_eq!(app.number(left).await, 0);
        let theirs = app.token_for(user).await;
        let told = app.send_as(Some(&theirs), "{ notifications { nodes { kind actor { id } } } }", json!({})).await;
        let told = &told.data["notifications"]["nodes"];
        assert_eq!(told, &json!([{ "kind": "SECOND_FACTOR_RESET", "actor": { "id": chief.global() } }]));
        assert_eq!(noted(app, "second_factor_reset_at").await, 1, "the audit log names who did it");

        enrolled(app, &administrator).await;
        let own = refusal(app, &administrator, RESET_FACTOR, json!({ "id": chief.global() })).await.0;
        assert_eq!(own, "INVALID_STATE", "their own takes their password");
        assert!(opens(app, &administrator).await);
        app.drain().await;
    }

    async fn nobody_manages_who_may_do_more_than_they_do(app: App) {
        let (_, manager) = app.user(role(app, &[("MANAGE_USERS", "ALL")]).await).await;
        let (administrator, theirs) = app.user(Role::Administrator.id()).await;
        enrolled(app, &theirs).await;
        let (helper, helpers) = app.user(role(app, &[("MANAGE_USERS", "ALL")]).await).await;
        enrolled(app, &helpers).await;
        for mutation in [END, RESET_FACTOR, RESEND, REVOKE] {
            let refused = refusal(app, &manager, mutation, json!({ "id": administrator.global() })).await.0;
            assert_eq!(refused, "FORBIDDEN", "{mutation}");
            for nobody in ["usr_x".to_owned(), UserId::new(app.clock.now()).global()] {
                let missing = refusal(app, &manager, mutation, json!({ "id": nobody })).await;
                assert_eq!(missing, (json!("NOT_FOUND"), json!(["userId"])), "{mutation}: {nobody}");
            }
        }
        assert!(opens(app, &theirs).await);
        for mutation in [RESET_FACTOR, END] {
            app.make_as(&manager, "user", mutation, json!({ "id": helper.global() })).await;
        }
        assert!(!opens(app, &helpers).await);
        app.drain().await;
    }
}
