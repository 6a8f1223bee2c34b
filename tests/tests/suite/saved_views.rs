//! Saved views, favourites, and what is followed.

use chrono::TimeDelta;
use entity::access::Role;
use serde_json::{Value, json};
use tests::on_both_stacks;

use crate::given::customer;

const SAVE: &str = "mutation ($input: CreateSavedViewInput!) { createSavedView(input: $input) {
  savedView { id version name list filter orderBy columns shared problem owner { id } } userErrors { code field message } } }";

const UPDATE: &str = "mutation ($id: ID!, $input: UpdateSavedViewInput!, $version: Int) {
  updateSavedView(id: $id, input: $input, expectedVersion: $version) {
    savedView { version filter problem } userErrors { code field message } } }";

const DELETE: &str =
    "mutation ($id: ID!) { deleteSavedView(id: $id) { id userErrors { code field } } }";

const CUSTOMERS: &str = "query ($view: ID, $filter: CustomerFilter, $order: [CustomerOrder!], $first: Int, $after: String) {
  customers(view: $view, filter: $filter, orderBy: $order, first: $first, after: $after) {
    totalCount nodes { displayName } pageInfo { endCursor } } }";

const FIELD: &str =
    "mutation ($input: CreateCustomFieldInput!) { createCustomField(input: $input) {
  customField { id } userErrors { message } } }";

const ARCHIVE: &str =
    "mutation ($id: ID!) { archiveCustomField(id: $id) { userErrors { message } } }";

fn names(page: &Value) -> String {
    let nodes = page["customers"]["nodes"].as_array().expect("nodes").iter();
    nodes.filter_map(|node| node["displayName"].as_str()).collect()
}

on_both_stacks! {
    async fn a_view_gives_its_list_filter_and_order(app: App) {
        for name in ["A", "B", "C", "D"] {
            customer(app, name, "vi", if name == "D" { "EUR" } else { "VND" }).await;
        }
        let filter = json!({ "currency": { "eq": "VND" } });
        let order = json!([{ "field": "DISPLAY_NAME", "direction": "DESC" }]);
        let input = json!({ "name": " Dong ", "list": "customers", "filter": filter, "orderBy": order, "columns": ["displayName", "owner"] });
        let view = app.make("savedView", SAVE, json!({ "input": input })).await;
        assert_eq!((&view["name"], &view["filter"], &view["problem"]), (&json!("Dong"), &filter, &Value::Null));
        let id = &view["id"];
        let page = app.ask(CUSTOMERS, json!({ "view": id, "first": 2 })).await;
        assert_eq!((names(&page).as_str(), &page["customers"]["totalCount"]), ("CB", &json!(3)));
        let after = &page["customers"]["pageInfo"]["endCursor"];
        let rest = app.ask(CUSTOMERS, json!({ "view": id, "first": 2, "after": after })).await;
        assert_eq!(names(&rest), "A");
        let narrowed = json!({ "view": id, "filter": { "displayName": { "ne": "B" } }, "order": [{ "field": "DISPLAY_NAME" }] });
        assert_eq!(names(&app.ask(CUSTOMERS, narrowed).await), "AC");

        let changed = app.make("savedView", UPDATE, json!({ "id": id, "input": { "filter": null }, "version": 1 })).await;
        assert_eq!((&changed["version"], &changed["filter"]), (&json!(2), &Value::Null));
        assert_eq!(names(&app.ask(CUSTOMERS, json!({ "view": id })).await), "DCBA");
        let stale = app.refusal(UPDATE, json!({ "id": id, "input": {}, "version": 1 })).await;
        assert_eq!(stale.0, "STALE_VERSION");
        let other = "query ($view: ID) { invoices(view: $view) { totalCount } }";
        assert_eq!(app.send(other, json!({ "view": id })).await.error_code(), Some("BAD_REQUEST"));

        let gone = app.make("id", DELETE, json!({ "id": id })).await;
        assert_eq!(gone, *id);
        assert_eq!(app.refusal(DELETE, json!({ "id": id })).await.0, "NOT_FOUND");
        assert_eq!(app.send(CUSTOMERS, json!({ "view": id })).await.error_code(), Some("BAD_REQUEST"));
    }

    async fn a_view_of_today_is_another_one_tomorrow(app: App) {
        customer(app, "A", "vi", "VND").await;
        let saved = async |name: &str, within: Value| {
            let input = json!({ "name": name, "list": "customers", "filter": { "createdAt": { "within": within } } });
            app.make("savedView", SAVE, json!({ "input": input })).await["id"].clone()
        };
        let today = saved("Today", json!({ "unit": "DAY", "from": 0, "to": 0 })).await;
        let before = saved("Before", json!({ "unit": "DAY", "to": -1 })).await;
        let seen = async |view: &Value| names(&app.ask(CUSTOMERS, json!({ "view": view })).await);
        assert_eq!((seen(&today).await.as_str(), seen(&before).await.as_str()), ("A", ""));
        app.advance(TimeDelta::days(1));
        customer(app, "B", "vi", "VND").await;
        assert_eq!((seen(&today).await.as_str(), seen(&before).await.as_str()), ("B", "A"));

        let refused = async |within: Value| {
            let input = json!({ "name": "V", "list": "customers", "filter": { "createdAt": { "within": within } } });
            app.refusal(SAVE, json!({ "input": input })).await
        };
        for within in [json!({ "unit": "DAY" }), json!({ "unit": "HOUR", "to": 0 }), json!({ "unit": "YEAR", "to": 100_000 })] {
            assert_eq!(refused(within).await, ("INVALID".to_owned(), "input.filter".to_owned()));
        }
    }

    async fn what_a_list_does_not_take_is_not_saved(app: App) {
        let view = |filter: Value, order: Value, columns: Value| {
            json!({ "input": { "name": "V", "list": "customers", "filter": filter, "orderBy": order, "columns": columns } })
        };
        let null = Value::Null;
        for (variables, field) in [
            (view(json!({ "nothing": { "eq": 1 } }), null.clone(), json!([])), "filter"),
            (view(json!({ "stage": { "eq": "FRIEND" } }), null.clone(), json!([])), "filter"),
            (view(json!([1]), null.clone(), json!([])), "filter"),
            (view(null.clone(), json!([{ "field": "PHONE" }]), json!([])), "orderBy"),
            (view(null.clone(), null.clone(), json!(["secret"])), "columns"),
            (view(null.clone(), null.clone(), json!(["customFields.none"])), "columns"),
            (json!({ "input": { "name": "V", "list": "nothing" } }), "list"),
            (json!({ "input": { "name": " ", "list": "customers" } }), "name"),
        ] {
            let refusal = app.refusal(SAVE, variables.clone()).await;
            assert_eq!(refusal, ("INVALID".to_owned(), format!("input.{field}")), "{variables}");
        }
        let sales = app.token_of(Role::Sales).await;
        let peeking = view(json!({ "invoices": { "some": {} } }), null.clone(), json!([]));
        let reply = app.send_as(Some(&sales), SAVE, peeking).await;
        assert_eq!(reply.data["createSavedView"]["userErrors"][0]["code"], "INVALID");
    }

    async fn a_view_is_its_owners_unless_it_is_shared(app: App) {
        let save = |name: &str, shared: bool| json!({ "input": { "name": name, "list": "customers", "shared": shared } });
        let own = app.make("savedView", SAVE, save("Own", false)).await;
        let shared = app.make("savedView", SAVE, save("Shared", true)).await;
        let sales = app.token_of(Role::Sales).await;
        let list = "{ savedViews(filter: { list: { eq: \"customers\" } }) { nodes { name } totalCount } }";
        let seen = app.send_as(Some(&sales), list, json!({})).await;
        assert_eq!(seen.data["savedViews"], json!({ "nodes": [{ "name": "Shared" }], "totalCount": 1 }));
        assert_eq!(app.ask(list, json!({})).await["savedViews"]["totalCount"], 2);
        let reply = app.send_as(Some(&sales), CUSTOMERS, json!({ "view": own["id"] })).await;
        assert_eq!(reply.error_code(), Some("BAD_REQUEST"));
        let reply = app.send_as(Some(&sales), CUSTOMERS, json!({ "view": shared["id"] })).await;
        assert!(reply.errors.is_empty());
        let one = "query ($id: ID!) { savedView(id: $id) { name } }";
        let reply = app.send_as(Some(&sales), one, json!({ "id": own["id"] })).await;
        assert_eq!(reply.data["savedView"], Value::Null);
        for id in [&own["id"], &shared["id"]] {
            let reply = app.send_as(Some(&sales), UPDATE, json!({ "id": id, "input": { "name": "X" } })).await;
            assert_eq!(reply.data["updateSavedView"]["userErrors"][0]["code"], "NOT_FOUND");
            let reply = app.send_as(Some(&sales), DELETE, json!({ "id": id })).await;
            assert_eq!(reply.data["deleteSavedView"]["userErrors"][0]["code"], "NOT_FOUND");
        }
    }

    async fn a_view_whose_field_is_archived_says_so(app: App) {
        let admin = app.token_of(Role::Administrator).await;
        let input = json!({ "key": "tier", "label": "Tier", "type": "TEXT" });
        let field = app.send_as(Some(&admin), FIELD, json!({ "input": input })).await;
        let field = &field.data["createCustomField"]["customField"]["id"];
        let filter = json!({ "customFields": [{ "field": "tier", "eq": "Gold" }] });
        let input = json!({ "name": "V", "list": "customers", "filter": filter, "columns": ["customFields.tier"] });
        let view = app.make("savedView", SAVE, json!({ "input": input })).await;
        assert_eq!(names(&app.ask(CUSTOMERS, json!({ "view": view["id"] })).await), "");
        app.send_as(Some(&admin), ARCHIVE, json!({ "id": field })).await;
        let query = "query ($id: ID!) { savedView(id: $id) { name problem } savedViews { nodes { problem } } }";
        let data = app.ask(query, json!({ "id": view["id"] })).await;
        let problem = data["savedView"]["problem"].as_str().expect("a problem");
        assert!(problem.contains("tier"), "{problem}");
        assert_eq!(data["savedViews"]["nodes"][0]["problem"], problem);
    }

    async fn favourites_keep_the_order_that_one_gives_them(app: App) {
        let mut ids = Vec::new();
        for name in ["A", "B", "C", "D"] {
            let id = customer(app, name, "vi", "VND").await;
            let add = "mutation ($id: ID!) { addFavourite(id: $id) { id userErrors { code } } }";
            app.make("id", add, json!({ "id": id })).await;
            app.advance(TimeDelta::seconds(1));
            ids.push(id);
        }
        let order = async || {
            let data = app.ask("{ favourites { ... on Customer { displayName } } }", json!({})).await;
            let all = data["favourites"].as_array().expect("a list").clone();
            all.iter().filter_map(|one| one["displayName"].as_str()).collect::<String>()
        };
        assert_eq!(order().await, "DCBA");
        let step = "mutation ($id: ID!, $before: ID) { moveFavourite(id: $id, before: $before) { id userErrors { code field } } }";
        for (id, before, expected) in [(3, None, "CBAD"), (3, Some(1), "CDBA"), (0, Some(2), "ACDB"), (0, Some(0), "ACDB")] {
            app.make("id", step, json!({ "id": ids[id], "before": before.map(|at: usize| &ids[at]) })).await;
            assert_eq!(order().await, expected);
        }
        let moves = ids.iter().map(|id| app.send(step, json!({ "id": id, "before": ids[0] })));
        for reply in futures::future::join_all(moves).await {
            assert_eq!(reply.data["moveFavourite"]["userErrors"], json!([]));
        }
        let after = order().await;
        let mut letters: Vec<_> = after.chars().collect();
        letters.sort_unstable();
        assert!(letters == ['A', 'B', 'C', 'D'] && after.ends_with('A'), "{after}");
        assert_eq!(app.number("SELECT COUNT(DISTINCT position) AS n FROM mark").await, 4);

        let new = customer(app, "E", "vi", "VND").await;
        assert_eq!(app.refusal(step, json!({ "id": new })).await, ("NOT_FOUND".to_owned(), "id".to_owned()));
        app.make("id", "mutation ($id: ID!) { addFavourite(id: $id) { id userErrors { code } } }", json!({ "id": new })).await;
        assert_eq!(order().await, format!("E{after}"));
        let sales = app.token_of(Role::Sales).await;
        let others = app.send_as(Some(&sales), step, json!({ "id": new })).await;
        assert_eq!(others.data["moveFavourite"]["userErrors"][0]["code"], "NOT_FOUND");
    }

    async fn favourites_and_what_is_followed_are_marked_once_and_seen_by_those_who_may(app: App) {
        let (lan, minh) = (customer(app, "Lan", "vi", "VND").await, customer(app, "Minh", "vi", "VND").await);
        let mark = |field: &str| format!("mutation ($id: ID!) {{ {field}(id: $id) {{ id userErrors {{ code field }} }} }}");
        for (field, id) in [("addFavourite", &lan), ("addFavourite", &lan), ("follow", &minh), ("follow", &lan)] {
            assert_eq!(app.make("id", &mark(field), json!({ "id": id })).await, json!(id));
            app.advance(chrono::TimeDelta::seconds(1));
        }
        let query = "query ($id: ID!) { favourites { ... on Customer { displayName } } following { id }
          followers(id: $id) { ... on User { name } } }";
        let data = app.ask(query, json!({ "id": lan })).await;
        assert_eq!(data, json!({
            "favourites": [{ "displayName": "Lan" }],
            "following": [{ "id": lan }, { "id": minh }],
            "followers": [{ "name": "Lê Minh Châu" }],
        }));
        app.make("id", &mark("unfollow"), json!({ "id": minh })).await;
        app.make("id", &mark("removeFavourite"), json!({ "id": lan })).await;
        let data = app.ask(query, json!({ "id": minh })).await;
        assert_eq!(data, json!({ "favourites": [], "following": [{ "id": lan }], "followers": [] }));

        for id in ["nonsense", "cus_01k00000000000000000000000"] {
            let refusal = app.refusal(&mark("follow"), json!({ "id": id })).await;
            assert_eq!(refusal, ("NOT_FOUND".to_owned(), "id".to_owned()));
        }
        let bill = crate::given::invoice(app, &lan, "1000", "VND").await;
        let sales = app.token_of(Role::Sales).await;
        let reply = app.send_as(Some(&sales), &mark("follow"), json!({ "id": bill["id"] })).await;
        assert_eq!(reply.data["follow"]["userErrors"][0]["code"], "NOT_FOUND");
        app.make("id", &mark("follow"), json!({ "id": bill["id"] })).await;
        let reply = app.send_as(Some(&sales), query, json!({ "id": bill["id"] })).await;
        assert_eq!(reply.data, json!({ "favourites": [], "following": [], "followers": [] }));
    }
}
