//! Whose records one reaches holds wherever they are read: in lists, groups, searches, favourites,
//! duplicates, files and what is followed live.

use entity::access::Role;
use entity::id::Id;
use serde_json::{Value, json};
use tests::on_both_stacks;
use tests::socket::Socket;

use super::scopes::{UPDATE_CUSTOMER, UPDATE_USER, customer_of};
use crate::changing::export::lines;
use crate::given::{CREATE_TEAM, invoice, role};
use crate::live::follow;

/// All that tells of customers, but for files and what is followed.
const EVERYWHERE: &str = "query ($other: ID!) {
  customers(orderBy: [{ field: DISPLAY_NAME }]) { nodes { displayName } }
  customerGroups { count }
  invoiceGroups { count total { sum { amount } } }
  openReceivables { amount }
  search(text: \"lan\") { ... on Customer { displayName } }
  favourites { ... on Customer { displayName } }
  following { ... on Customer { displayName } }
  customerDuplicates(id: $other) { customer { displayName } }
  duplicateCustomers(reason: NAME) { count }
  customer360(id: $other) { customer { displayName } } }";

/// The names in a list of customers, in their order.
fn names(of: &Value) -> Vec<String> {
    let list = of.as_array().expect("a list").iter();
    let mut names: Vec<_> =
        list.filter_map(|one| one["displayName"].as_str()).map(str::to_owned).collect();
    names.sort();
    names
}

on_both_stacks! {
    async fn nothing_tells_of_customers_that_one_does_not_reach(app: App) {
        let grants = |scope| [("READ_CUSTOMERS", scope), ("READ_FINANCE", scope)];
        let (own, team) = (role(app, &grants("OWN")).await, role(app, &grants("TEAM")).await);
        let (lan, lans) = app.user(own).await;
        let (minh, minhs) = app.user(team).await;
        let (other, _) = app.user(own).await;
        let administrator = app.token_of(Role::Administrator).await;
        let south = json!({ "name": "South", "userIds": [lan.global(), minh.global()] });
        app.make_as(&administrator, "team", CREATE_TEAM, json!({ "input": south })).await;
        let mut ids = Vec::new();
        for (owner, name) in [(lan, "Lan A"), (minh, "Lan B"), (other, "Lan C"), (other, "Lan C")] {
            ids.push(customer_of(app, owner, name).await);
            invoice(app, &ids[ids.len() - 1], "1000", "VND").await;
        }
        // They have marked all while they reached all.
        for (user, token, narrow) in [(lan, &lans, own), (minh, &minhs, team)] {
            let as_role = |role: String| json!({ "id": user.global(), "input": { "roleId": role } });
            let wide = as_role(Role::Accountant.id().global());
            app.make_as(&administrator, "user", UPDATE_USER, wide).await;
            for id in &ids {
                for mark in ["addFavourite", "follow"] {
                    let mark = format!("mutation ($id: ID!) {{ {mark}(id: $id) {{ id userErrors {{ code }} }} }}");
                    app.make_as(token, "id", &mark, json!({ "id": id })).await;
                }
            }
            app.make_as(&administrator, "user", UPDATE_USER, as_role(narrow.global())).await;
        }
        for (token, expected) in [(&lans, &["Lan A"][..]), (&minhs, &["Lan A", "Lan B"])] {
            let reply = app.send_as(Some(token), EVERYWHERE, json!({ "other": ids[2] })).await;
            assert_eq!(reply.errors, Vec::<Value>::new());
            let data = reply.data;
            let (count, sum) = (expected.len(), json!((expected.len() * 1000).to_string()));
            for list in [&data["customers"]["nodes"], &data["search"], &data["favourites"], &data["following"]] {
                assert_eq!(names(list), expected, "{data:#}");
            }
            assert_eq!(data["customerGroups"], json!([{ "count": count }]));
            assert_eq!(data["invoiceGroups"], json!([{ "count": count, "total": [{ "sum": { "amount": sum } }] }]));
            assert_eq!(data["openReceivables"], json!([{ "amount": sum }]));
            assert_eq!(data["customerDuplicates"], json!([]));
            assert_eq!(data["duplicateCustomers"], json!([]), "theirs are alike, but not seen");
            assert_eq!(data["customer360"], Value::Null);
            let file = json!({ "fields": ["DISPLAY_NAME"], "order": [{ "field": "DISPLAY_NAME" }], "key": "k" });
            assert_eq!(lines(app, token, file).await[1..], *expected);
        }
    }

    async fn each_follower_is_told_what_they_reach(app: App) {
        let own = role(app, &[("READ_CUSTOMERS", "OWN")]).await;
        let bound = role(app, &[("READ_CUSTOMERS", "OWN"), ("READ_FINANCE", "OWN")]).await;
        let (lan, lans) = app.user(bound).await;
        let (_, minhs) = app.user(own).await;
        let id = customer_of(app, lan, "Lan").await;
        invoice(app, &id, "1000", "VND").await;
        let (mut theirs, mut others) = (Socket::open(&app.address, &lans).await, Socket::open(&app.address, &minhs).await);
        let mut all = Socket::open(&app.address, &app.token()).await;
        follow(app, &mut theirs, Value::Null).await;
        follow(app, &mut others, json!([id])).await;
        follow(app, &mut all, Value::Null).await;
        let rename = json!({ "id": id, "input": { "displayName": "Lan Anh" } });
        app.make("customer", UPDATE_CUSTOMER, rename).await;
        for socket in [&mut theirs, &mut all] {
            let seen = socket.event().await["customerChanged"].clone();
            assert_eq!((&seen["displayName"], &seen["invoices"]["totalCount"]), (&json!("Lan Anh"), &json!(1)));
        }
        assert_eq!(others.silence().await, None);
    }
}
