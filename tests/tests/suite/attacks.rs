//! What is asked to do harm: refused at once, and the server goes on.

use std::fmt::Write;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};
use tests::app::App;
use tests::socket::Socket;
use tests::{graphql, on_both_stacks};

const LIMIT: Duration = Duration::from_secs(20);

/// Posts a body as the accountant; status, code of the first error, and the whole answer.
async fn post(app: &App, body: String) -> (u16, String, String) {
    let request = Request::post("/graphql")
        .header("host", &app.address)
        .header("content-type", "application/json")
        .header("accept", "application/graphql-response+json")
        .header("authorization", format!("Bearer {}", app.token()))
        .body(Full::from(body))
        .expect("a request");
    let (status, body) = graphql::exchange(&app.address, request, LIMIT).await.expect("an answer");
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
    (status.as_u16(), code.to_owned(), answer.to_string())
}

async fn query(app: &App, query: &str) -> (u16, String, String) {
    post(app, json!({ "query": query }).to_string()).await
}

fn many(text: impl Fn(usize) -> String, times: usize) -> String {
    (0..times).fold(String::new(), |mut all, number| {
        let _ = write!(all, "{} ", text(number));
        all
    })
}

on_both_stacks! {
    async fn a_document_that_is_a_bomb_is_refused_before_it_costs_anything(app: App) {
        let nested = |open: &str, close: &str| format!("{{ node(id: {}1{}) {{ id }} }}", open.repeat(5_000), close.repeat(5_000));
        let chain = many(|link| format!("fragment F{link} on Query {{ ...F{0} ...F{0} }}", link + 1), 28);
        let fields = many(|_| "customer(id: \"cus_x\") { id }".to_owned(), 100_000);
        let aliases = many(|number| format!("a{number}: me {{ id }}"), 100_000);
        let few_aliases = many(|number| format!("a{number}: id"), 200);
        let deep = many(|_| "customers { nodes { invoices { nodes { customer {".to_owned(), 8);
        let logins = many(|number| format!("a{number}: login(input: {{ email: \"a@b.c\", password: \"x\" }}) {{ accessToken }}"), 20);
        let introspection = format!("{{ __schema {{ types {{ {} name {} }} }} }}", "fields { type { ".repeat(40), "} }".repeat(40));
        for (what, document) in [
            ("lists in lists", nested("[", "]")),
            ("objects in objects", nested("{a:", "}")),
            ("types in types", format!("query ($x: {}Int{}) {{ me {{ id }} }}", "[".repeat(5_000), "]".repeat(5_000))),
            ("fragments that double", format!("{{ ...F0 }} {chain} fragment F28 on Query {{ __typename }}")),
            ("a cycle of fragments", "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }".to_owned()),
            ("fields", format!("{{ {fields} }}")),
            ("aliases", format!("{{ {aliases} }}")),
            ("aliases of a field", format!("{{ me {{ {few_aliases} }} }}")),
            ("directives", format!("{{ me {{ id {} }} }}", "@skip(if: false) ".repeat(10_000))),
            ("depth", format!("{{ {deep} id {} }}", "} } } } }".repeat(8))),
            ("attempts to log in", format!("mutation {{ {logins} }}")),
            ("introspection", introspection),
        ] {
            let begun = Instant::now();
            let (status, code, answer) = query(app, &document).await;
            assert!((400..500).contains(&status), "{what}: {status} {answer}");
            assert!(["TOO_COMPLEX", "GRAPHQL_VALIDATION_FAILED", "PAYLOAD_TOO_LARGE"].contains(&code.as_str()), "{what}: {answer}");
            assert!(begun.elapsed() < Duration::from_secs(2), "{what}: {:?}", begun.elapsed());
        }
        let batch = vec![json!({ "query": "{ me { id } }" }); 100];
        assert_eq!(post(app, json!(batch).to_string()).await.0, 400);
        assert_eq!(app.ask("{ me { email } }", json!({})).await["me"]["email"], "accountant@rapport.example");
    }

    async fn a_page_is_never_larger_than_a_page_and_pages_in_pages_are_charged(app: App) {
        for first in ["1000000000", "-1", "2147483648", "101", "null, last: 101"] {
            let (_, code, answer) = query(app, &format!("{{ customers(first: {first}) {{ nodes {{ id }} }} }}")).await;
            assert!(["BAD_REQUEST", "GRAPHQL_VALIDATION_FAILED", "TOO_COMPLEX"].contains(&code.as_str()), "{first}: {answer}");
        }
        let pages = "{ customers(first: 100) { nodes { invoices(first: 100) { nodes { id number } } } } }";
        let (status, code, answer) = query(app, pages).await;
        assert_eq!((status, code.as_str()), (400, "TOO_COMPLEX"), "{answer}");
        let ids = vec!["cus_x"; 101];
        let nodes = json!({ "query": "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", "variables": { "ids": ids } });
        assert_eq!(post(app, nodes.to_string()).await.1, "BAD_REQUEST");
    }

    async fn in_production_nothing_tells_what_there_is(app: App) {
        for document in ["{ __schema { types { name } } }", "{ __type(name: \"Customer\") { fields { name } } }"] {
            let (_, code, answer) = query(app, document).await;
            assert!(!answer.contains("Customer\"") && !answer.contains("displayName"), "{answer}");
            assert!(!code.is_empty() || answer.contains("null"), "{answer}");
        }
        let (_, _, answer) = query(app, "{ customer { displayNam } customerz { id } me { emai } }").await;
        assert!(!answer.contains("Did you mean") && !answer.contains("\"email\""), "{answer}");
        for path in ["/", "/mail", "/graphiql", "/graphql/"] {
            let status = graphql::get(&app.address, path, LIMIT).await.expect("an answer");
            assert_eq!(status, 404, "{path}");
        }
    }

    async fn a_thousand_subscriptions_are_too_many(app: App) {
        let mut sockets = Vec::new();
        let mut refused = 0;
        for _ in 0..2 {
            let mut socket = Socket::open(&app.address, &app.token()).await;
            for number in 0..500 {
                socket.ask(&number.to_string(), "subscription { customerChanged { id } }", json!({})).await;
            }
            sockets.push(socket);
        }
        for socket in &mut sockets {
            while let Some(message) = socket.silence().await {
                let message = message.expect("the socket stays");
                assert_eq!(message["payload"][0]["extensions"]["code"], "RATE_LIMITED", "{message}");
                refused += 1;
            }
        }
        assert_eq!(refused, 900);
        assert_eq!(app.ask("{ me { email } }", json!({})).await["me"]["email"], "accountant@rapport.example");
    }
}
