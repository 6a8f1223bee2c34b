//! Products: the next kind of record, which has all that a kind of record has.

use std::fs;
use std::path::Path;

use entity::access::Role;
use entity::id::{Id, ProductId};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

const CREATE: &str = "mutation ($input: CreateProductInput!, $key: String) {
  createProduct(input: $input, idempotencyKey: $key) {
    product { id version code name unit price { amount currency } taxRate active }
    userErrors { code message field } } }";

const UPDATE: &str = "mutation ($id: ID!, $input: UpdateProductInput!, $version: Int) {
  updateProduct(id: $id, input: $input, expectedVersion: $version) {
    product { version name description price { amount currency } } userErrors { code field } } }";

const DELETE: &str = "mutation ($id: ID!) { deleteProduct(id: $id) {
  product { version deletedAt } userErrors { code field } } }";

const RESTORE: &str = "mutation ($id: ID!) { restoreProduct(id: $id) {
  product { version deletedAt } userErrors { code field } } }";

/// Sends a mutation; gives its payload.
async fn change(app: &App, query: &str, variables: Value) -> Value {
    let reply = app.send(query, variables).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    let payload = reply.data.as_object().and_then(|data| data.values().next()).cloned();
    payload.expect("a payload")
}

fn coffee() -> Value {
    json!({
        "code": " CF-1 ", "name": "Cà phê  Đắk Lắk", "unit": "kg", "taxRate": "0.08",
        "price": { "amount": "185000", "currency": "VND" },
    })
}

async fn found(app: &App, filter: Value) -> Vec<Value> {
    let query = "query ($filter: ProductFilter) { products(filter: $filter) { nodes { code } } }";
    let data = app.ask(query, json!({ "filter": filter })).await;
    let nodes = data["products"]["nodes"].as_array().expect("nodes");
    nodes.iter().map(|node| node["code"].clone()).collect()
}

/// The lines of code, neither blank nor comments, that products take: their files, and where else they are named.
fn lines_of_code(folder: &Path) -> usize {
    let entries =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let lines = entries.map(|path| {
        if path.is_dir() {
            return lines_of_code(&path);
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            return 0;
        }
        let is_own =
            path.file_name().is_some_and(|name| name.to_string_lossy().contains("product"));
        let text = fs::read_to_string(&path).expect("a source");
        let code =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
        code.filter(|line| is_own || names_products(line)).count()
    });
    lines.sum()
}

fn names_products(line: &str) -> bool {
    line.match_indices("roduct").any(|(at, word)| {
        let rest = line[at + word.len()..].trim_start_matches('s');
        !rest.starts_with(|next: char| next.is_ascii_lowercase())
    })
}

#[test]
fn a_kind_of_record_takes_less_than_150_lines_of_code() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let crates = ["entity", "migration", "api", "worker"];
    let lines =
        crates.map(|name| lines_of_code(&root.join(name).join("src"))).iter().sum::<usize>();
    assert!((100..150).contains(&lines), "{lines}");
}

on_both_stacks! {
    /// Its fields are stored as they are meant, and it is found without diacritics.
    async fn a_product_is_added_and_found(app: App) {
        let input = json!({ "input": coffee(), "key": "coffee" });
        let made = change(app, CREATE, input.clone()).await;
        let product = &made["product"];
        assert_eq!(made["userErrors"], json!([]));
        assert_eq!(product["code"], "CF-1");
        assert_eq!(product["name"], "Cà phê Đắk Lắk");
        assert_eq!(product["price"], json!({ "amount": "185000", "currency": "VND" }));
        assert_eq!((&product["taxRate"], &product["active"]), (&json!("0.08"), &json!(true)));
        assert_eq!(change(app, CREATE, input).await["product"]["id"], product["id"]);
        assert_eq!(found(app, json!({ "search": "dak ca phe" })).await, ["CF-1"]);
        assert_eq!(found(app, json!({ "search": "tra" })).await, [] as [&str; 0]);
    }

    /// A form shows all that is wrong with it.
    async fn all_fields_that_are_wrong_are_told_at_once(app: App) {
        let input = json!({
            "code": " ", "name": "n".repeat(201), "unit": "u".repeat(17), "taxRate": "0.1",
            "price": { "amount": "-1", "currency": "EUR" },
        });
        let refused = change(app, CREATE, json!({ "input": input })).await;
        let fields: Vec<_> = refused["userErrors"].as_array().expect("errors").iter()
            .map(|error| error["field"][1].as_str().expect("a field").to_owned()).collect();
        assert_eq!(fields, ["code", "name", "unit", "price"]);
        let mut input = coffee();
        input["price"] = json!({ "amount": "0.5", "currency": "VND" });
        let refused = change(app, CREATE, json!({ "input": input })).await;
        assert_eq!(refused["userErrors"][0]["field"], json!(["input", "price"]));
        input = coffee();
        input["taxRate"] = json!("1.5");
        let refused = change(app, CREATE, json!({ "input": input })).await;
        assert_eq!(refused["userErrors"][0]["field"], json!(["input", "taxRate"]));
        assert_eq!(found(app, json!({})).await, [] as [&str; 0]);
    }

    /// What is absent stays, what is null is cleared, another version is refused; so is another one's code.
    async fn a_product_is_changed(app: App) {
        let id = change(app, CREATE, json!({ "input": coffee() })).await["product"]["id"].clone();
        let input = json!({ "description": "Rang mộc", "price": { "amount": "9.90", "currency": "EUR" } });
        let changed = change(app, UPDATE, json!({ "id": id, "input": input, "version": 1 })).await;
        assert_eq!(changed["product"], json!({
            "version": 2, "name": "Cà phê Đắk Lắk", "description": "Rang mộc",
            "price": { "amount": "9.90", "currency": "EUR" },
        }));
        let again = change(app, UPDATE, json!({ "id": id, "input": {}, "version": 1 })).await;
        assert_eq!(again["userErrors"][0]["code"], "STALE_VERSION");
        let cleared = json!({ "id": id, "input": { "description": null } });
        assert_eq!(change(app, UPDATE, cleared).await["product"]["description"], Value::Null);
        let twice = change(app, CREATE, json!({ "input": coffee() })).await;
        assert_eq!(twice["userErrors"][0]["code"], "NOT_UNIQUE");
        let message = "another product has this code, or had it; choose another one";
        assert_eq!(twice["userErrors"][0]["message"], message);
        assert_eq!(twice["userErrors"][0]["field"], json!(["input", "code"]));
    }

    /// An id that is malformed, one that names nothing, and one of a deleted product answer alike.
    async fn an_id_that_names_none_is_told(app: App) {
        let gone = change(app, CREATE, json!({ "input": coffee() })).await["product"]["id"].clone();
        change(app, DELETE, json!({ "id": gone })).await;
        let absent = ProductId::new(app.clock.now()).global();
        let update = "mutation ($id: ID!) { updateProduct(id: $id, input: {}) { userErrors { code message field } } }";
        for id in [json!("prd_x"), json!(absent), gone] {
            let refused = change(app, update, json!({ "id": id })).await;
            let missing = json!({ "code": "NOT_FOUND", "message": "there is no such product", "field": ["id"] });
            assert_eq!(refused["userErrors"], json!([missing]), "{id}");
        }
    }

    /// Deleting twice is deleting once, and so is restoring.
    async fn a_product_is_deleted_and_restored(app: App) {
        let id = change(app, CREATE, json!({ "input": coffee() })).await["product"]["id"].clone();
        for _ in 0..2 {
            let deleted = change(app, DELETE, json!({ "id": id })).await;
            assert_eq!((&deleted["product"]["version"], &deleted["userErrors"]), (&json!(2), &json!([])));
            assert_ne!(deleted["product"]["deletedAt"], Value::Null);
        }
        assert_eq!(found(app, json!({})).await, [] as [&str; 0]);
        assert_eq!(found(app, json!({ "deletedAt": { "isNull": false } })).await, ["CF-1"]);
        for _ in 0..2 {
            let restored = change(app, RESTORE, json!({ "id": id })).await;
            assert_eq!(restored["product"], json!({ "version": 3, "deletedAt": null }));
        }
        assert_eq!(found(app, json!({})).await, ["CF-1"]);
        let query = "query ($id: ID!) { product(id: $id) { history { totalCount nodes { action user { id } } } } }";
        let admin = app.token_of(Role::Administrator).await;
        let history = app.send_as(Some(&admin), query, json!({ "id": id })).await.data;
        assert_eq!(history["product"]["history"]["totalCount"], 3);
    }
}
