//! Who follows something and loses the right to it: they hear no more of it.

use entity::access::Role;
use entity::id::Id;
use serde_json::{Value, json};
use tests::app::{App, PASSWORD};
use tests::on_both_stacks;
use tests::socket::Socket;

use crate::access::scopes::UPDATE_USER;
use crate::api_keys::{REVOKE, key};
use crate::given::{customer, role};
use crate::live::follow;
use crate::passwords::{OTHER, change, mailed, request, reset};
use crate::sessions::{EMAIL, tokens};

/// A socket that follows all customers with `token`.
async fn follower(app: &App, token: &str) -> Socket {
    let mut socket = Socket::open(&app.address, token).await;
    follow(app, &mut socket, Value::Null).await;
    socket
}

async fn hears(socket: &mut Socket, name: &str) {
    assert_eq!(socket.event().await["customerChanged"]["displayName"], name);
}

on_both_stacks! {
    async fn whose_role_changes_hears_only_what_the_new_one_allows(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let all = role(app, &[("READ_CUSTOMERS", "ALL"), ("READ_FINANCE", "ALL")]).await;
        let own = role(app, &[("READ_CUSTOMERS", "OWN"), ("READ_FINANCE", "ALL")]).await;
        let none = role(app, &[("READ_PRODUCTS", "ALL")]).await;
        let (lan, token) = app.user(all).await;
        let mut socket = follower(app, &token).await;
        customer(app, "Lan", "vi", "VND").await;
        hears(&mut socket, "Lan").await;
        for (role, name) in [(own, "Minh"), (none, "Anh")] {
            let input = json!({ "id": lan.global(), "input": { "roleId": role.global() } });
            app.make_as(&administrator, "user", UPDATE_USER, input).await;
            customer(app, name, "vi", "VND").await;
            if role == own {
                assert_eq!(socket.silence().await, None, "a stranger's customer");
            }
        }
        let refused = socket.hear().await.expect("a refusal");
        assert_eq!(refused["payload"]["errors"][0]["extensions"]["code"], "FORBIDDEN", "{refused}");
        assert!(!refused.to_string().contains("Anh"), "{refused}");
        assert_eq!(socket.hear().await, Ok(json!({ "type": "complete", "id": "s" })));
        customer(app, "Hoa", "vi", "VND").await;
        assert_eq!(socket.silence().await, None);
    }

    async fn another_password_cuts_off_all_but_who_has_chosen_it(app: App) {
        let ((mine, _), (other, _)) = (tokens(app).await, tokens(app).await);
        let (mut kept, mut ended) = (follower(app, &mine).await, follower(app, &other).await);
        assert_eq!(change(app, &mine, PASSWORD, OTHER).await["userErrors"], json!([]));
        assert_eq!(ended.hear().await, Err(4403), "without anything to hear of");
        let (administrator, input) = (app.token_of(Role::Administrator).await, json!({ "input": { "kind": "PERSON", "displayName": "Lan" } }));
        app.make_as(&administrator, "customer", crate::given::CREATE_CUSTOMER, input).await;
        hears(&mut kept, "Lan").await;

        request(app, EMAIL).await;
        app.drain().await;
        assert_eq!(reset(app, &mailed(app), PASSWORD).await["reset"], true);
        assert_eq!(kept.hear().await, Err(4403));
    }

    async fn a_key_that_is_revoked_hears_no_more(app: App) {
        let (revoked, id) = key(app, &["READ_CUSTOMERS"]).await;
        let (kept, _) = key(app, &["READ_CUSTOMERS"]).await;
        let (mut ended, mut going_on) = (follower(app, &revoked).await, follower(app, &kept).await);
        customer(app, "Lan", "vi", "VND").await;
        hears(&mut ended, "Lan").await;
        hears(&mut going_on, "Lan").await;
        app.make("apiKey", REVOKE, json!({ "id": id })).await;
        assert_eq!(ended.hear().await, Err(4403));
        customer(app, "Minh", "vi", "VND").await;
        hears(&mut going_on, "Minh").await;
    }
}
