//! Text that is meant to do harm, at every place of the API that takes text, and cursors that nobody was given.
//!
//! Invariant: none of it is ever a fault of the server, and what is refused changes nothing.

use std::collections::HashSet;
use std::fmt::Write;

use entity::access::Role;
use serde_json::{Value, json};
use tests::on_both_stacks;

use crate::access::{introspected, value};
use crate::given::{customer, invoice};

/// How many fields are asked for in one request.
const AT_ONCE: usize = 10;

/// A root field with one place for a text: `$` in its arguments.
struct Case {
    field: String,
    arguments: String,
    /// `String` or `ID`.
    scalar: String,
}

/// All places for texts of the root fields of one type. Each field of an input type is met once.
fn cases(root: &str, types: &[Value], seen: &mut HashSet<String>) -> Vec<Case> {
    let fields = types.iter().find(|kind| kind["name"] == root).expect("a root type");
    let fields = fields["fields"].as_array().expect("fields").iter();
    // Whoever logs out cannot go on.
    let fields = fields.filter(|field| !text(&field["name"]).starts_with("logout"));
    let mut cases = Vec::new();
    for field in fields {
        let arguments = field["args"].as_array().expect("arguments");
        for (arguments, scalar) in places(arguments, false, types, seen) {
            cases.push(Case { field: text(&field["name"]).to_owned(), arguments, scalar });
        }
    }
    cases
}

/// The arguments or fields of an input, each time with the place in another one of them.
fn places(
    inputs: &[Value],
    is_one_of: bool,
    types: &[Value],
    seen: &mut HashSet<String>,
) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let is_needed = |other: &Value| {
            !is_one_of && other["type"]["kind"] == "NON_NULL" && other["defaultValue"].is_null()
        };
        let others =
            inputs.iter().enumerate().filter(|(at, other)| *at != index && is_needed(other));
        let others = others.fold(String::new(), |all, (_, other)| {
            all + &format!(", {}: {}", text(&other["name"]), value(&other["type"], types))
        });
        for (literal, scalar) in within(&input["type"], types, seen) {
            found.push((format!("{}: {literal}{others}", text(&input["name"])), scalar));
        }
    }
    found
}

/// The places within a value of a type.
fn within(of: &Value, types: &[Value], seen: &mut HashSet<String>) -> Vec<(String, String)> {
    let name = of["name"].as_str().unwrap_or_default();
    match of["kind"].as_str() {
        Some("NON_NULL") => within(&of["ofType"], types, seen),
        Some("LIST") => {
            let inner = within(&of["ofType"], types, seen).into_iter();
            inner.map(|(literal, scalar)| (format!("[{literal}]"), scalar)).collect()
        }
        Some("INPUT_OBJECT") if seen.insert(name.to_owned()) => {
            let kind = types.iter().find(|kind| kind["name"] == name).expect("an input type");
            let fields = kind["inputFields"].as_array().expect("fields");
            let inner = places(fields, kind["isOneOf"] == true, types, seen).into_iter();
            inner.map(|(literal, scalar)| (format!("{{ {literal} }}"), scalar)).collect()
        }
        Some("SCALAR") if ["String", "ID"].contains(&name) => {
            vec![("$".to_owned(), name.to_owned())]
        }
        _ => Vec::new(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

/// One request with a text at the place of each case.
fn request(word: &str, cases: &[Case], hostile: &str, customer: &str) -> (String, Value) {
    let (mut declared, mut selected) = (String::new(), String::new());
    let mut variables = json!({});
    for (at, Case { field, arguments, scalar }) in cases.iter().enumerate() {
        let arguments = arguments
            .replace("id: \"x\"", &format!("id: \"{customer}\""))
            .replace("customerId: \"x\"", &format!("customerId: \"{customer}\""))
            .replace('$', &format!("$v{at}"));
        let _ = write!(declared, "$v{at}: {scalar}! ");
        let _ = write!(selected, "a{at}: {field}({arguments}) {{ __typename }} ");
        variables[format!("v{at}")] = hostile.into();
    }
    (format!("{word} ({declared}) {{ {selected} }}"), variables)
}

/// The cursor, with another key in the place of its first.
fn forged(cursor: &str, key: &Value) -> String {
    let bytes = cursor.as_bytes().chunks(2).map(|pair| {
        u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("digits")
    });
    let mut cursor: Value = serde_json::from_slice(&bytes.collect::<Vec<_>>()).expect("JSON");
    cursor["keys"][0] = key.clone();
    entity::text::hex(cursor.to_string().as_bytes())
}

on_both_stacks! {
    async fn no_text_anywhere_is_a_fault_of_the_server(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let schema = introspected().await;
        let types = schema["__schema"]["types"].as_array().expect("types");
        let mut seen = HashSet::new();
        let roots = [("query", cases("Query", types, &mut seen)), ("mutation", cases("Mutation", types, &mut seen))];
        assert!(roots.iter().all(|(_, cases)| cases.len() > 100), "few places are found");
        let token = app.token_of(Role::Administrator).await;
        let long = "ế".repeat(21_846);
        for hostile in ["\0", "'); --", "%_\\", "\u{202e}x\u{200f}", &long] {
            for (word, cases) in &roots {
                for cases in cases.chunks(AT_ONCE) {
                    let changes = "SELECT COUNT(*) AS n FROM audit_entry";
                    let before = app.number(changes).await;
                    let (document, variables) = request(word, cases, hostile, &lan);
                    let reply = app.send_as(Some(&token), &document, variables).await;
                    let codes: Vec<_> = reply.errors.iter().map(|error| error["extensions"]["code"].clone()).collect();
                    let is_refused = reply.data.is_null();
                    assert!(!codes.contains(&json!("INTERNAL")), "{hostile:.20}: {document}: {:#?}", reply.errors);
                    assert!(hostile != "\0" || codes == ["BAD_REQUEST"], "{document}: {:#?}", reply.errors);
                    if is_refused && hostile == "\0" {
                        assert_eq!(app.number(changes).await, before, "{document}");
                    }
                }
            }
        }
    }

    async fn a_cursor_that_nobody_was_given_is_refused_or_gives_a_page(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        invoice(app, &lan, "1000", "VND").await;
        let keys = [
            json!({ "text": "a" }), json!({ "text": "\0" }), json!({ "number": 1 }), json!({ "number": i64::MAX }),
            json!({ "truth": true }), json!({ "instant": "2026-11-03T00:00:00Z" }),
            json!({ "instant": "-200000-11-03T00:00:00Z" }), json!({ "day": "2026-11-03" }), json!({ "day": "-200000-11-03" }),
            json!({ "id": "00000000-0000-0000-0000-000000000000" }), Value::Null,
        ];
        for (list, order) in [
            ("customers", "DISPLAY_NAME"), ("customers", "CREATED_AT"), ("customers", "EMAIL"), ("customers", "VERSION"),
            ("invoices", "DUE_ON"), ("invoices", "TOTAL"), ("invoices", "NUMBER"), ("invoices", "STATE"),
        ] {
            let query = format!("query ($after: String) {{ {list}(orderBy: [{{ field: {order} }}], after: $after) {{ pageInfo {{ endCursor }} }} }}");
            let given = app.send(&query, json!({})).await;
            if given.error_code() == Some("GRAPHQL_VALIDATION_FAILED") {
                continue;
            }
            let cursor = text(&given.data[list]["pageInfo"]["endCursor"]).to_owned();
            for key in &keys {
                let reply = app.send(&query, json!({ "after": forged(&cursor, key) })).await;
                assert!([None, Some("BAD_REQUEST")].contains(&reply.error_code()), "{list} {order} {key}: {reply:?}");
            }
            let number = forged(&cursor, &json!({ "truth": false }));
            assert_eq!(app.send(&query, json!({ "after": number })).await.error_code(), Some("BAD_REQUEST"), "{list} {order}");
        }
        let query = "query ($id: ID!, $after: String) { customer(id: $id) { timeline(after: $after) { pageInfo { endCursor } } } }";
        let given = app.ask(query, json!({ "id": lan })).await;
        let cursor = text(&given["customer"]["timeline"]["pageInfo"]["endCursor"]).to_owned();
        for key in &keys {
            let reply = app.send(query, json!({ "id": lan, "after": forged(&cursor, key) })).await;
            assert!([None, Some("BAD_REQUEST")].contains(&reply.error_code()), "{key}: {reply:?}");
        }
    }
}
