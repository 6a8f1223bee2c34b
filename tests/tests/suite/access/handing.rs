//! Handing over and letting in: nobody gives a customer, a role or a reach that is not theirs to give.

use entity::access::Role;
use entity::id::{Id, UserId};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use super::scopes::{
    CREATE_ABSENCE, CREATE_POSITION, UPDATE_CUSTOMER, UPDATE_POSITION, UPDATE_USER, customer_of,
    refusal, seen,
};
use crate::api_keys::secret;
use crate::changing::bulk::{START, UPDATE as BULK_UPDATE};
use crate::given::{CREATE_CUSTOMER, CREATE_ROLE, CREATE_TEAM, role};

const UPDATE_TEAM: &str = "mutation ($id: ID!, $input: UpdateTeamInput!) {
  updateTeam(id: $id, input: $input) { team { id } userErrors { code field } } }";

const UPDATE_ROLE: &str = "mutation ($id: ID!, $input: UpdateRoleInput!) {
  updateRole(id: $id, input: $input) { role { id } userErrors { code field } } }";

const INVITE_USER: &str = "mutation ($input: InviteUserInput!) {
  inviteUser(input: $input) { user { id } userErrors { code field } } }";

const IMPORTS: [&str; 3] = [
    "mutation { importCustomers(input: { fileId: \"fil_x\" }, idempotencyKey: \"k\") { userErrors { code } } }",
    "mutation { importReceivables(input: { fileId: \"fil_x\" }, idempotencyKey: \"k\") { userErrors { code } } }",
    "mutation { undoImport(jobId: \"job_x\") { userErrors { code } } }",
];

/// Which imports somebody is not let do.
async fn refused_imports(app: &App, token: &str) -> Vec<bool> {
    let mut refused = Vec::new();
    for import in IMPORTS {
        let reply = app.send_as(Some(token), import, json!({})).await;
        refused.push(reply.error_code() == Some("FORBIDDEN"));
    }
    refused
}

on_both_stacks! {
    async fn a_customer_goes_to_those_alone_whose_customers_the_giver_may_change(app: App) {
        let grants = |scope| [("READ_CUSTOMERS", "ALL"), ("WRITE_CUSTOMERS", scope)];
        let (own, team) = (role(app, &grants("OWN")).await, role(app, &grants("TEAM")).await);
        let (lan, lans) = app.user(own).await;
        let (minh, minhs) = app.user(team).await;
        let (other, _) = app.user(own).await;
        let administrator = app.token_of(Role::Administrator).await;
        let south = json!({ "name": "South", "userIds": [lan.global(), minh.global()] });
        app.make_as(&administrator, "team", CREATE_TEAM, json!({ "input": south })).await;
        let (of_lan, of_minh) = (customer_of(app, lan, "A").await, customer_of(app, minh, "B").await);
        let give = |id: &str, owner: Option<UserId>| {
            json!({ "id": id, "input": { "ownerId": owner.map(Id::global) } })
        };
        let beyond = (json!("FORBIDDEN"), json!(["input", "ownerId"]));
        for owner in [Some(minh), Some(other), None] {
            assert_eq!(refusal(app, &lans, UPDATE_CUSTOMER, give(&of_lan, owner)).await, beyond, "{owner:?}");
        }
        for owner in [Some(other), None] {
            assert_eq!(refusal(app, &minhs, UPDATE_CUSTOMER, give(&of_minh, owner)).await, beyond, "{owner:?}");
        }
        assert_eq!(refusal(app, &lans, UPDATE_CUSTOMER, give(&of_lan, Some(lan))).await.0, Value::Null, "as it was");
        assert_eq!(refusal(app, &minhs, UPDATE_CUSTOMER, give(&of_minh, Some(lan))).await.0, Value::Null);
        assert_eq!(refusal(app, &app.token(), UPDATE_CUSTOMER, give(&of_minh, None)).await.0, Value::Null);

        let bulk = |owner: Option<UserId>, key: &str| {
            json!({ "filter": {}, "change": { "ownerId": owner.map(Id::global) }, "key": key })
        };
        for (owner, key) in [(Some(other), "a"), (None, "b")] {
            assert_eq!(refusal(app, &lans, BULK_UPDATE, bulk(owner, key)).await, beyond, "{owner:?}");
        }
        let job = app.make_as(&minhs, "job", BULK_UPDATE, bulk(Some(minh), "c")).await["id"].clone();
        app.make_as(&minhs, "job", START, json!({ "id": job })).await;
        app.drain().await;
        let owners = "{ customers(orderBy: [{ field: DISPLAY_NAME }]) { nodes { displayName owner { id } } } }";
        let owners = app.ask(owners, json!({})).await["customers"]["nodes"].clone();
        assert_eq!(owners, json!([
            { "displayName": "A", "owner": { "id": minh.global() } },
            { "displayName": "B", "owner": null },
        ]));
    }

    async fn a_customer_goes_to_nobody_who_may_not_log_in(app: App) {
        let (lan, _) = app.user(Role::Sales.id()).await;
        let administrator = app.token_of(Role::Administrator).await;
        let of_lan = customer_of(app, lan, "A").await;
        let out = json!({ "id": lan.global(), "input": { "enabled": false } });
        app.make_as(&administrator, "user", UPDATE_USER, out).await;
        let gone = (json!("NOT_FOUND"), json!(["input", "ownerId"]));
        let token = app.token();
        let give = json!({ "id": of_lan, "input": { "ownerId": lan.global() } });
        assert_eq!(refusal(app, &token, UPDATE_CUSTOMER, give.clone()).await.0, Value::Null, "whose it was, it stays");
        let mine = app.make("customer", CREATE_CUSTOMER, json!({ "input": { "kind": "PERSON", "displayName": "B" } })).await;
        let give = json!({ "id": mine["id"], "input": give["input"] });
        assert_eq!(refusal(app, &token, UPDATE_CUSTOMER, give).await, gone);
        let all = json!({ "filter": {}, "change": { "ownerId": lan.global() }, "key": "k" });
        assert_eq!(refusal(app, &token, BULK_UPDATE, all).await, gone);
    }

    async fn who_imports_may_change_all_that_is_imported(app: App) {
        assert_eq!(refused_imports(app, &app.token()).await, [false, false, false]);
        let all = ["IMPORT", "WRITE_CUSTOMERS", "WRITE_INVOICES", "WRITE_PAYMENTS"];
        for (scope, expected) in [("ALL", [false, false, false]), ("TEAM", [true, true, true])] {
            let grants = all.map(|permission| (permission, scope));
            let (_, token) = app.user(role(app, &grants).await).await;
            assert_eq!(refused_imports(app, &token).await, expected, "{scope}");
        }
        for (permissions, expected) in [
            (&all[..1], [true, true, true]),
            (&all[1..], [true, true, true]),
            (&all[..2], [false, true, false]),
            (&all[..3], [false, true, false]),
            (&all[..], [false, false, false]),
        ] {
            let key = secret(app, permissions).await;
            assert_eq!(refused_imports(app, &key).await, expected, "{permissions:?}");
        }
    }

    async fn nobody_lets_themselves_reach_further(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let manager = role(app, &[("MANAGE_USERS", "ALL"), ("READ_CUSTOMERS", "TEAM")]).await;
        let helper = role(app, &[("MANAGE_USERS", "ALL")]).await;
        let (lan, lans) = app.user(manager).await;
        let (_, helpers) = app.user(helper).await;
        let (minh, _) = app.user(role(app, &[("READ_CUSTOMERS", "OWN")]).await).await;
        customer_of(app, minh, "Theirs").await;
        let position = async |title: &str, above: Option<&Value>| {
            let input = json!({ "title": title, "reportsToId": above });
            app.make_as(&administrator, "position", CREATE_POSITION, json!({ "input": input })).await["id"].clone()
        };
        let (head, side) = (position("Head", None).await, position("Side", None).await);
        let clerk = position("Clerk", Some(&head)).await;
        for (user, position) in [(lan, &side), (minh, &clerk)] {
            let place = json!({ "id": user.global(), "input": { "positionId": position } });
            app.make_as(&administrator, "user", UPDATE_USER, place).await;
        }
        let south = json!({ "input": { "name": "South", "userIds": [minh.global()] } });
        let south = app.make_as(&administrator, "team", CREATE_TEAM, south).await["id"].clone();
        let now = app.clock.now();
        let (from, until) = (now.to_rfc3339(), (now + chrono::TimeDelta::hours(1)).to_rfc3339());
        let both = json!([lan.global(), minh.global()]);
        let wider = [
            (CREATE_TEAM, json!({ "input": { "name": "North", "userIds": both } })),
            (UPDATE_TEAM, json!({ "id": south, "input": { "userIds": both } })),
            (UPDATE_POSITION, json!({ "id": clerk, "input": { "reportsToId": side } })),
            (UPDATE_USER, json!({ "id": lan.global(), "input": { "positionId": head } })),
            (UPDATE_USER, json!({ "id": minh.global(), "input": { "email": "lan@evil.example" } })),
            (CREATE_ABSENCE, json!({ "input": { "userId": minh.global(), "deputyId": lan.global(), "startsAt": from, "endsAt": until } })),
        ];
        // Whoever has less can be a tool of who has more, so that they may not either.
        for (mutation, variables) in &wider {
            for token in [&lans, &helpers] {
                let refused = refusal(app, token, mutation, variables.clone()).await.0;
                assert!(refused == "FORBIDDEN", "{mutation}: {refused}");
            }
        }
        assert_eq!(seen(app, &lans).await, Vec::<String>::new());
        for (mutation, variables) in [
            (CREATE_TEAM, json!({ "input": { "name": "Empty" } })),
            (UPDATE_TEAM, json!({ "id": south, "input": { "name": "Far south" } })),
            (UPDATE_POSITION, json!({ "id": clerk, "input": { "title": "Seller" } })),
            (UPDATE_USER, json!({ "id": lan.global(), "input": { "positionId": side, "email": "lan@rapport.example" } })),
        ] {
            assert_eq!(refusal(app, &lans, mutation, variables).await.0, Value::Null, "{mutation}");
        }
        for (mutation, variables) in wider {
            assert_eq!(refusal(app, &administrator, mutation, variables).await.0, Value::Null, "{mutation}");
        }
        assert_eq!(seen(app, &lans).await, ["Theirs"]);
    }

    async fn a_role_above_ones_own_is_given_in_no_way(app: App) {
        let manager = role(app, &[("MANAGE_USERS", "ALL"), ("READ_CUSTOMERS", "OWN")]).await;
        let (_, lans) = app.user(manager).await;
        let narrow = role(app, &[("READ_CUSTOMERS", "OWN")]).await;
        let above = role(app, &[("READ_CUSTOMERS", "TEAM")]).await;
        let grants = |scope: &str| json!({ "grants": [{ "permission": "READ_CUSTOMERS", "scope": scope }] });
        for (id, scope) in [(narrow, "TEAM"), (narrow, "ALL"), (above, "OWN")] {
            let variables = json!({ "id": id.global(), "input": grants(scope) });
            assert_eq!(refusal(app, &lans, UPDATE_ROLE, variables).await.0, "FORBIDDEN", "{scope}");
        }
        let user = |role: String| json!({ "input": {
            "email": "new@rapport.example", "name": "New", "roleId": role } });
        for role in [above.global(), Role::Sales.id().global(), Role::Administrator.id().global()] {
            assert_eq!(refusal(app, &lans, INVITE_USER, user(role)).await.0, "FORBIDDEN");
        }
        assert_eq!(refusal(app, &lans, INVITE_USER, user(narrow.global())).await.0, Value::Null);
        // A key does not give what it is not for, whatever its owner may.
        let administrator = app.token_of(Role::Administrator).await;
        let create = "mutation { createApiKey(input: { name: \"Users\", permissions: [MANAGE_USERS] }) { secret userErrors { code } } }";
        let key = app.make_as(&administrator, "secret", create, json!({})).await;
        let wide = json!({ "input": { "name": "Wide", "grants": grants("OWN")["grants"] } });
        assert_eq!(refusal(app, key.as_str().expect("a secret"), CREATE_ROLE, wide).await.0, "FORBIDDEN");
    }

    async fn the_last_administrator_cannot_go(app: App) {
        let (chief, chiefs) = app.user(Role::Administrator.id()).await;
        for change in [json!({ "enabled": false }), json!({ "roleId": Role::Sales.id().global() })] {
            let variables = json!({ "id": chief.global(), "input": change });
            assert_eq!(refusal(app, &chiefs, UPDATE_USER, variables).await.0, "INVALID_STATE");
        }
        let (second, _) = app.user(Role::Administrator.id()).await;
        let off = json!({ "id": second.global(), "input": { "enabled": false } });
        assert_eq!(refusal(app, &chiefs, UPDATE_USER, off).await.0, Value::Null);
        let off = json!({ "id": chief.global(), "input": { "enabled": false } });
        assert_eq!(refusal(app, &chiefs, UPDATE_USER, off).await.0, "INVALID_STATE", "who may not log in does not count");
    }
}
