//! With whose records: scopes, teams, the reporting line, shares, deputies; and who may give what to whom.

use entity::access::Role;
use entity::id::{Id, UserId};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::given::{
    CREATE_CUSTOMER, CREATE_ROLE, CREATE_TEAM, ISSUE_INVOICE, RECORD_PAYMENT, SHARE_CUSTOMER,
    invoice, payment, role,
};

pub const UPDATE_CUSTOMER: &str = "mutation ($id: ID!, $input: UpdateCustomerInput!) {
  updateCustomer(id: $id, input: $input) { customer { id } userErrors { code field } } }";

pub const UPDATE_USER: &str = "mutation ($id: ID!, $input: UpdateUserInput!) {
  updateUser(id: $id, input: $input) { user { id role { key } disabledAt } userErrors { code field } } }";

pub const CREATE_POSITION: &str = "mutation ($input: CreatePositionInput!) {
  createPosition(input: $input) { position { id } userErrors { code field } } }";

pub const UPDATE_POSITION: &str = "mutation ($id: ID!, $input: UpdatePositionInput!) {
  updatePosition(id: $id, input: $input) { position { id } userErrors { code field } } }";

pub const CREATE_ABSENCE: &str = "mutation ($input: CreateAbsenceInput!) {
  createAbsence(input: $input) { absence { id } userErrors { code field } } }";

/// A customer that somebody looks after.
pub async fn customer_of(app: &App, owner: UserId, name: &str) -> String {
    let input = json!({ "kind": "PERSON", "displayName": name, "currency": "VND", "ownerId": owner.global() });
    let made = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
    made["id"].as_str().expect("an id").to_owned()
}

/// The names of all customers that somebody sees.
pub async fn seen(app: &App, token: &str) -> Vec<String> {
    let query =
        "{ customers(orderBy: [{ field: DISPLAY_NAME }]) { totalCount nodes { displayName } } }";
    let reply = app.send_as(Some(token), query, Value::Null).await;
    assert_eq!(reply.errors, Vec::<Value>::new());
    let nodes = reply.data["customers"]["nodes"].as_array().expect("nodes").clone();
    assert_eq!(reply.data["customers"]["totalCount"].as_u64(), Some(nodes.len() as u64));
    nodes.iter().filter_map(|node| node["displayName"].as_str()).map(str::to_owned).collect()
}

/// Code and path of what a mutation refuses somebody.
pub async fn refusal(app: &App, token: &str, query: &str, variables: Value) -> (Value, Value) {
    let reply = app.send_as(Some(token), query, variables).await;
    assert_eq!(reply.errors, Vec::<Value>::new(), "{query}");
    let payload = reply.data.as_object().and_then(|data| data.values().next()).expect("a payload");
    (payload["userErrors"][0]["code"].clone(), payload["userErrors"][0]["field"].clone())
}

on_both_stacks! {
    async fn a_scope_reaches_ones_own_ones_teams_and_whoever_reports_to_one(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let own = role(app, &[("READ_CUSTOMERS", "OWN")]).await;
        let team = role(app, &[("READ_CUSTOMERS", "TEAM")]).await;
        let (lan, lans) = app.user(own).await;
        let (minh, minhs) = app.user(team).await;
        let (chief, chiefs) = app.user(team).await;
        let (other, _) = app.user(own).await;
        for (owner, name) in [(lan, "A"), (minh, "B"), (chief, "C"), (other, "D")] {
            customer_of(app, owner, name).await;
        }
        app.make("customer", CREATE_CUSTOMER, json!({ "input": { "kind": "PERSON", "displayName": "E" } })).await;
        assert_eq!(seen(app, &lans).await, ["A"]);
        assert_eq!(seen(app, &minhs).await, ["B"]);
        let south = json!({ "name": "South", "userIds": [lan.global(), minh.global()] });
        app.make_as(&administrator, "team", CREATE_TEAM, json!({ "input": south })).await;
        assert_eq!(seen(app, &lans).await, ["A"], "a team changes nothing for who sees their own");
        assert_eq!(seen(app, &minhs).await, ["A", "B"]);

        let position = async |title: &str, above: Option<&Value>| {
            let input = json!({ "title": title, "reportsToId": above });
            app.make_as(&administrator, "position", CREATE_POSITION, json!({ "input": input })).await["id"].clone()
        };
        let head = position("Head of sales", None).await;
        let middle = position("Head of the south", Some(&head)).await;
        let clerk = position("Clerk", Some(&middle)).await;
        for (user, position) in [(chief, &head), (minh, &clerk)] {
            let variables = json!({ "id": user.global(), "input": { "positionId": position } });
            app.make_as(&administrator, "user", UPDATE_USER, variables).await;
        }
        assert_eq!(seen(app, &chiefs).await, ["A", "B", "C"], "down the line, with the teams there");
        assert_eq!(seen(app, &minhs).await, ["A", "B"], "but not up");
        let circle = json!({ "id": head, "input": { "reportsToId": clerk } });
        let refused = refusal(app, &administrator, UPDATE_POSITION, circle).await;
        assert_eq!(refused, (json!("INVALID"), json!(["input", "reportsToId"])));
    }

    async fn what_one_does_not_reach_does_not_exist(app: App) {
        let narrow = role(app, &[("READ_CUSTOMERS", "OWN"), ("WRITE_CUSTOMERS", "OWN"), ("READ_FINANCE", "OWN"),
            ("WRITE_INVOICES", "OWN"), ("WRITE_PAYMENTS", "OWN")]).await;
        let (lan, lans) = app.user(narrow).await;
        let (minh, minhs) = app.user(narrow).await;
        let (mine, theirs) = (customer_of(app, lan, "Mine").await, customer_of(app, minh, "Theirs").await);
        let (paid, unpaid) = (invoice(app, &mine, "1000", "VND").await, invoice(app, &theirs, "1000", "VND").await);
        let query = "query ($mine: ID!, $theirs: ID!, $all: [ID!]!) { one: customer(id: $mine) { balance { amount } }
            other: customer(id: $theirs) { id } node(id: $theirs) { id } nodes(ids: $all) { id }
            invoices(filter: { customer: { displayName: { startsWith: \"T\" } } }) { totalCount nodes { id } }
            customers(filter: { not: { invoices: { some: { total: { currency: \"VND\", gte: \"1000\" } } } } }) { nodes { id } } }";
        let variables = json!({ "mine": mine, "theirs": theirs, "all": [mine, theirs, paid["id"], unpaid["id"]] });
        let reply = app.send_as(Some(&lans), query, variables).await;
        assert_eq!(reply.errors, Vec::<Value>::new());
        assert_eq!(reply.data, json!({ "one": { "balance": { "amount": "1000" } }, "other": null, "node": null,
            "nodes": [{ "id": mine }, null, { "id": paid["id"] }, null],
            "invoices": { "totalCount": 0, "nodes": [] }, "customers": { "nodes": [] } }));

        let owed = app.send_as(Some(&lans), "{ openReceivables { amount } }", json!({})).await;
        assert_eq!(owed.data["openReceivables"], json!([{ "amount": "1000" }]), "a total tells of nobody else");

        let line = json!({ "description": "Consulting", "unitPrice": "1" });
        let invoicing = json!({ "input": { "customerId": theirs, "currency": "VND", "dueOn": "2026-12-20", "lines": [line] } });
        let void = "mutation ($id: ID!, $input: VoidInvoiceInput!) { voidInvoice(id: $id, input: $input) { userErrors { code field } } }";
        for (query, variables, path) in [
            (UPDATE_CUSTOMER, json!({ "id": theirs, "input": { "displayName": "X" } }), json!(["id"])),
            (ISSUE_INVOICE, invoicing, json!(["input", "customerId"])),
            (RECORD_PAYMENT, payment(&theirs, "1", "VND", "k"), json!(["input", "customerId"])),
            (void, json!({ "id": unpaid["id"], "input": { "reason": "x" } }), json!(["id"])),
            (SHARE_CUSTOMER, json!({ "input": { "customerId": theirs, "with": { "userId": lan.global() } } }), json!(["input", "customerId"])),
        ] {
            assert_eq!(refusal(app, &lans, query, variables).await, (json!("NOT_FOUND"), path), "{query}");
        }
        let for_minh = json!({ "input": { "kind": "PERSON", "displayName": "New", "ownerId": minh.global() } });
        assert_eq!(refusal(app, &lans, CREATE_CUSTOMER, for_minh).await, (json!("FORBIDDEN"), json!(["input", "ownerId"])));
        app.make_as(&lans, "customer", CREATE_CUSTOMER, json!({ "input": { "kind": "PERSON", "displayName": "New" } })).await;
        assert_eq!(seen(app, &lans).await, ["Mine", "New"], "what one adds is one's own");
        assert_eq!(seen(app, &minhs).await, ["Theirs"]);
    }

    async fn a_share_and_a_deputy_reach_further_for_as_long_as_they_last(app: App) {
        let narrow = role(app, &[("READ_CUSTOMERS", "OWN"), ("WRITE_CUSTOMERS", "OWN")]).await;
        let (lan, lans) = app.user(narrow).await;
        let (minh, minhs) = app.user(narrow).await;
        let theirs = customer_of(app, minh, "Theirs").await;
        let share = async |writable: bool| {
            let input = json!({ "customerId": theirs, "with": { "userId": lan.global() }, "writable": writable });
            app.make_as(&minhs, "share", SHARE_CUSTOMER, json!({ "input": input })).await
        };
        let change = json!({ "id": theirs, "input": { "displayName": "Theirs" } });
        share(false).await;
        assert_eq!(seen(app, &lans).await, ["Theirs"]);
        assert_eq!(refusal(app, &lans, UPDATE_CUSTOMER, change.clone()).await, (json!("FORBIDDEN"), json!(["id"])));
        let shared = share(true).await;
        assert_eq!(refusal(app, &lans, UPDATE_CUSTOMER, change.clone()).await.0, Value::Null);
        let end = "mutation ($customer: ID!, $share: ID!) { unshareCustomer(customerId: $customer, shareId: $share) { deletedId userErrors { code } } }";
        let variables = json!({ "customer": theirs, "share": shared["id"] });
        let ended = app.send_as(Some(&minhs), end, variables.clone()).await;
        assert_eq!(ended.data["unshareCustomer"]["deletedId"], shared["id"]);
        assert_eq!(refusal(app, &minhs, end, variables).await.0, "NOT_FOUND");
        assert_eq!(seen(app, &lans).await, Vec::<String>::new());

        let now = app.clock.now();
        let (from, until) = (now + chrono::TimeDelta::hours(1), now + chrono::TimeDelta::hours(2));
        let input = json!({ "deputyId": lan.global(), "startsAt": from.to_rfc3339(), "endsAt": until.to_rfc3339() });
        app.make_as(&minhs, "absence", CREATE_ABSENCE, json!({ "input": input })).await;
        assert_eq!(seen(app, &lans).await, Vec::<String>::new(), "not yet");
        app.advance(chrono::TimeDelta::minutes(90));
        let lans = app.token_for(lan).await;
        assert_eq!(seen(app, &lans).await, ["Theirs"]);
        assert_eq!(refusal(app, &lans, UPDATE_CUSTOMER, change).await.0, Value::Null);
        app.advance(chrono::TimeDelta::minutes(60));
        let lans = app.token_for(lan).await;
        assert_eq!(seen(app, &lans).await, Vec::<String>::new(), "not any more");
        let others = json!({ "input": { "userId": minh.global(), "deputyId": lan.global(),
            "startsAt": from.to_rfc3339(), "endsAt": until.to_rfc3339() } });
        let reply = app.send_as(Some(&lans), CREATE_ABSENCE, others).await;
        assert_eq!(reply.error_code(), Some("FORBIDDEN"));
    }

    async fn nobody_gives_or_takes_what_they_may_not_do_themselves(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let manager = role(app, &[("MANAGE_USERS", "ALL"), ("READ_CUSTOMERS", "TEAM")]).await;
        let (lan, lans) = app.user(manager).await;
        let wide = json!({ "input": { "name": "Wide", "grants": [{ "permission": "READ_CUSTOMERS", "scope": "ALL" }] } });
        assert_eq!(refusal(app, &lans, CREATE_ROLE, wide.clone()).await.0, "FORBIDDEN");
        let wide = app.make_as(&administrator, "role", CREATE_ROLE, wide).await;
        for role in [&wide["id"], &json!(Role::Administrator.id().global())] {
            let variables = json!({ "id": lan.global(), "input": { "roleId": role } });
            assert_eq!(refusal(app, &lans, UPDATE_USER, variables).await.0, "FORBIDDEN");
        }
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let lock_out = json!({ "id": chief.global(), "input": { "enabled": false } });
        assert_eq!(refusal(app, &lans, UPDATE_USER, lock_out.clone()).await.0, "FORBIDDEN");
        let system = "mutation ($id: ID!) { deleteRole(id: $id) { userErrors { code } } }";
        let variables = json!({ "id": Role::Sales.id().global() });
        assert_eq!(refusal(app, &administrator, system, variables).await.0, "INVALID_STATE");
        let user = app.make_as(&administrator, "user", UPDATE_USER, lock_out).await;
        assert_ne!(user["disabledAt"], Value::Null);
    }

    async fn the_last_administrator_stays_one_whoever_is_faster(app: App) {
        let (first, firsts) = app.user(Role::Administrator.id()).await;
        let (second, seconds) = app.user(Role::Administrator.id()).await;
        let demote = |user: UserId| json!({ "id": user.global(), "input": { "roleId": Role::Sales.id().global() } });
        let (one, other) = futures::join!(
            app.send_as(Some(&firsts), UPDATE_USER, demote(second)),
            app.send_as(Some(&seconds), UPDATE_USER, demote(first)),
        );
        let refused = [one, other].iter().filter(|reply| {
            reply.error_code() == Some("FORBIDDEN") || reply.data["updateUser"]["userErrors"] != json!([])
        }).count();
        assert_eq!(refused, 1, "one of them took the other's, and is the last one now");
        let left = app.number("SELECT COUNT(*) AS n FROM user_account JOIN role ON role.id = role_id WHERE role.key = 'ADMINISTRATOR'").await;
        assert_eq!(left, 1);
    }
}
