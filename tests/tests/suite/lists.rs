//! Lists: filters, orders, pages, and what they cost.

use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::given::{CREATE_CUSTOMER, customer, invoice};

const PAGE: &str = "query ($first: Int, $after: String, $last: Int, $before: String, $order: [CustomerOrder!]) {
  customers(first: $first, after: $after, last: $last, before: $before, orderBy: $order) {
    totalCount nodes { displayName number } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

async fn names(app: &App, filter: Value) -> Vec<String> {
    let query = "query ($filter: CustomerFilter) { customers(filter: $filter, orderBy: [{ field: DISPLAY_NAME }]) { nodes { displayName } } }";
    let data = app.ask(query, json!({ "filter": filter })).await;
    let nodes = data["customers"]["nodes"].as_array().expect("nodes");
    nodes.iter().filter_map(|node| node["displayName"].as_str()).map(str::to_owned).collect()
}

/// All pages in one direction, two at a time.
async fn all_pages(app: &App, order: &Value, backwards: bool) -> Vec<Value> {
    let (mut cursor, mut all) = (Value::Null, Vec::new());
    loop {
        let variables = match backwards {
            false => json!({ "first": 2, "after": cursor, "order": order }),
            true => json!({ "last": 2, "before": cursor, "order": order }),
        };
        let data = app.ask(PAGE, variables).await;
        let page = &data["customers"];
        assert_eq!(page["totalCount"], 7);
        let nodes = page["nodes"].as_array().expect("nodes").clone();
        let (more, edge) = match backwards {
            false => ("hasNextPage", "endCursor"),
            true => ("hasPreviousPage", "startCursor"),
        };
        all = if backwards { [nodes, all].concat() } else { [all, nodes].concat() };
        cursor = page["pageInfo"][edge].clone();
        if page["pageInfo"][more] == json!(false) {
            return all;
        }
    }
}

on_both_stacks! {
    async fn search_needs_no_diacritics_and_filters_combine(app: App) {
        for name in ["Nguyễn Đức Anh", "SIA Ķīpsala", "100% Bánh_mì", "Ba'nh \"mi\""] {
            customer(app, name, "vi", "VND").await;
        }
        assert_eq!(names(app, json!({ "search": "nguyen duc" })).await, ["Nguyễn Đức Anh"]);
        assert_eq!(names(app, json!({ "search": "KIPSALA" })).await, ["SIA Ķīpsala"]);
        assert_eq!(names(app, json!({ "search": "100%" })).await, ["100% Bánh_mì"]);
        assert_eq!(names(app, json!({ "search": "%" })).await, ["100% Bánh_mì"]);
        assert_eq!(names(app, json!({ "displayName": { "contains": "_" } })).await, ["100% Bánh_mì"]);
        assert_eq!(names(app, json!({ "displayName": { "startsWith": "Ba'nh \"" } })).await, ["Ba'nh \"mi\""]);
        assert_eq!(names(app, json!({ "search": "nobody" })).await, Vec::<String>::new());
        let either = json!({ "or": [{ "search": "kipsala" }, { "search": "duc" }], "not": { "search": "sia" } });
        assert_eq!(names(app, either).await, ["Nguyễn Đức Anh"]);
        assert_eq!(names(app, json!({ "id": { "in": ["cus_x"] } })).await, Vec::<String>::new());
        assert_eq!(names(app, json!({ "stage": { "notIn": ["PROSPECT"] } })).await, Vec::<String>::new());
    }

    async fn pages_in_either_direction_are_the_whole_list_in_any_order(app: App) {
        for (name, number) in [("C", Some("2")), ("A", None), ("B", Some("2")), ("D", Some("1")), ("E", None), ("F", Some("3")), ("G", None)] {
            let input = json!({ "kind": "PERSON", "displayName": name, "number": number.map(|number| format!("{number}{name}")) });
            app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        }
        let orders = [
            json!([]),
            json!([{ "field": "DISPLAY_NAME", "direction": "DESC" }]),
            json!([{ "field": "NUMBER" }, { "field": "DISPLAY_NAME", "direction": "DESC" }]),
            json!([{ "field": "NUMBER", "direction": "DESC", "nulls": "FIRST" }, { "field": "DISPLAY_NAME" }]),
            json!([{ "field": "CREATED_AT" }]),
        ];
        for order in orders {
            let data = app.ask(PAGE, json!({ "first": 100, "order": order })).await;
            let whole = data["customers"]["nodes"].as_array().expect("nodes").clone();
            assert_eq!(whole.len(), 7);
            assert_eq!(all_pages(app, &order, false).await, whole, "{order}");
            assert_eq!(all_pages(app, &order, true).await, whole, "{order}");
        }
        let order = json!([{ "field": "NUMBER", "nulls": "FIRST" }, { "field": "DISPLAY_NAME" }]);
        let data = app.ask(PAGE, json!({ "first": 4, "order": order })).await;
        let first: Vec<_> = data["customers"]["nodes"].as_array().expect("nodes").iter().map(|node| node["displayName"].clone()).collect();
        assert_eq!(first, ["A", "E", "G", "D"]);
    }

    async fn a_page_that_cannot_be_is_an_error_that_says_what_to_do(app: App) {
        customer(app, "Lan", "vi", "VND").await;
        let page = app.ask(PAGE, json!({ "first": 1 })).await;
        let cursor = &page["customers"]["pageInfo"]["endCursor"];
        let by_name = json!([{ "field": "DISPLAY_NAME" }]);
        for variables in [
            json!({ "first": 101 }),
            json!({ "first": -1 }),
            json!({ "first": 1, "last": 1 }),
            json!({ "after": "nonsense" }),
            json!({ "after": cursor, "order": by_name }),
        ] {
            let reply = app.send(PAGE, variables.clone()).await;
            assert_eq!(reply.error_code(), Some("BAD_REQUEST"), "{variables}");
        }
        assert_eq!(app.ask(PAGE, json!({ "first": 0 })).await["customers"]["nodes"], json!([]));
    }

    async fn invoices_are_filtered_by_amount_day_and_customer(app: App) {
        let lan = customer(app, "Nguyễn Lan", "vi", "VND").await;
        let bakery = customer(app, "Bakery", "en", "EUR").await;
        invoice(app, &lan, "1000000", "VND").await;
        invoice(app, &bakery, "99.50", "EUR").await;
        let numbers = async |filter: Value| {
            let query = "query ($filter: InvoiceFilter) { invoices(filter: $filter) { nodes { number } } }";
            let data = app.ask(query, json!({ "filter": filter })).await;
            data["invoices"]["nodes"].as_array().expect("nodes").len()
        };
        assert_eq!(numbers(json!({ "customer": { "search": "nguyen" } })).await, 1);
        assert_eq!(numbers(json!({ "customerId": { "eq": lan } })).await, 1);
        assert_eq!(numbers(json!({ "total": { "currency": "EUR", "gte": "99.5", "lte": "99.509" } })).await, 1);
        assert_eq!(numbers(json!({ "total": { "currency": "EUR", "gte": "99.501" } })).await, 0);
        assert_eq!(numbers(json!({ "total": { "currency": "VND", "gte": "0" } })).await, 1);
        assert_eq!(numbers(json!({ "dueOn": { "lt": "2026-12-20" } })).await, 0);
        assert_eq!(numbers(json!({ "dueOn": { "eq": "2026-12-20" }, "disputed": { "eq": false } })).await, 2);
    }
}
