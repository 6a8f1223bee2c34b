//! What a frontend is told that somebody may, and what they may in fact.

use std::collections::HashMap;

use entity::access::{Permission, Role, Scope};
use sea_orm::{ActiveEnum, Iterable};
use serde_json::json;
use tests::app::App;
use tests::on_both_stacks;

use super::{Needs, every_root_field, introspected, needed};
use crate::api_keys::secret;
use crate::given;

/// What somebody is told that they may: with whose records, for each permission.
async fn told(app: &App, token: &str) -> HashMap<Permission, Scope> {
    let query = "{ permissions { permission scope } }";
    let reply = app.send_as(Some(token), query, json!({})).await;
    let entries = reply.data["permissions"].as_array().expect("permissions").clone();
    let entry = |entry: &serde_json::Value| {
        let text = |field: &str| entry[field].as_str().expect("a name").to_owned();
        let permission = Permission::try_from_value(&text("permission")).expect("a permission");
        (permission, Scope::try_from_value(&text("scope")).expect("a scope"))
    };
    let told: HashMap<_, _> = entries.iter().map(entry).collect();
    assert_eq!(told.len(), entries.len(), "each permission once");
    assert_eq!(told.len(), <Permission as Iterable>::iter().count(), "and none is missing");
    told
}

on_both_stacks! {
    async fn what_somebody_is_told_that_they_may_is_what_they_are_not_refused(app: App) {
        let requests = every_root_field(&introspected().await);
        let mut tokens = Vec::new();
        for role in <Role as Iterable>::iter() {
            tokens.push(app.token_of(role).await);
        }
        let own = given::role(app, &[("READ_CUSTOMERS", "OWN"), ("READ_PRODUCTS", "ALL"), ("WRITE_PRODUCTS", "ALL")]);
        tokens.push(app.user(own.await).await.1);
        tokens.push(secret(app, &["READ_CUSTOMERS", "READ_FINANCE"]).await);
        for token in &tokens {
            let told = told(app, token).await;
            for (name, request) in &requests {
                let Needs::All(permission) = needed(name) else { continue };
                let reply = app.send_as(Some(token), request, json!({})).await;
                let is_refused = reply.error_code() == Some("FORBIDDEN");
                assert_eq!(is_refused, told[&permission] == Scope::None, "{request}: {told:?} {reply:?}");
            }
        }
        // A key may what it is for and no more.
        let may = told(app, &tokens[5]).await.into_iter().filter(|(_, scope)| *scope != Scope::None);
        assert_eq!(may.collect::<HashMap<_, _>>(), [(Permission::ReadCustomers, Scope::All), (Permission::ReadFinance, Scope::All)].into());
        let own = told(app, &tokens[4]).await;
        assert_eq!((own[&Permission::ReadCustomers], own[&Permission::ReadProducts]), (Scope::Own, Scope::All));
        assert_eq!(app.send_as(None, "{ permissions { scope } }", json!({})).await.error_code(), Some("UNAUTHENTICATED"));
    }
}
