//! What is asked to do harm: refused at once, and the server goes on.

use std::fmt::Write;
use std::time::{Duration, Instant};

use api::serve::Development;
use entity::access::Role;
use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};
use tests::app::App;
use tests::graphql::PATIENCE;
use tests::socket::Socket;
use tests::{graphql, on_both_stacks};

/// Posts a body as the accountant; status, code of the first error, and the whole answer.
async fn post(app: &App, body: String) -> (u16, String, String) {
    let request = Request::post("/graphql")
        .header("host", &app.address)
        .header("content-type", "application/json")
        .header("accept", "application/graphql-response+json")
        .header("authorization", format!("Bearer {}", app.token()))
        .body(Full::from(body))
        .expect("a request");
    let (status, body) =
        graphql::exchange(&app.address, request, PATIENCE).await.expect("an answer");
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
            assert!(begun.elapsed() < Duration::from_secs(10), "{what}: {:?}", begun.elapsed());
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

    async fn a_filter_too_broad_for_a_database_is_refused_and_one_as_broad_as_may_be_is_not(app: App) {
        let list = "query ($filter: CustomerFilter) { customers(filter: $filter) { totalCount nodes { id } } }";
        let asked = async |filter: Value| {
            post(app, json!({ "query": list, "variables": { "filter": filter } }).to_string()).await
        };
        let ids = |many: usize| json!({ "id": { "in": vec!["cus_01k00000000000000000000000"; many] } });
        let terms = |many: usize| json!({ "or": vec![json!({ "displayName": { "contains": "a" } }); many] });
        let searches = |text: &str| json!({ "search": text });
        let words = "lan ".repeat(20);
        for passes in [ids(1_000), json!({ "and": [ids(1_000), ids(1_000), ids(1_000), ids(1_000)] }), terms(99), searches(&words)] {
            let (status, code, answer) = asked(passes).await;
            assert_eq!((status, code.as_str()), (200, ""), "{answer}");
        }
        let broad = [
            ids(1_001), ids(20_000), json!({ "and": vec![ids(1_000); 6] }), terms(100), terms(5_000),
            json!({ "or": vec![json!({}); 5_000] }), searches(&"a ".repeat(21)), searches(&"a".repeat(201)),
            json!({ "displayName": { "contains": "a".repeat(60_000) } }),
        ];
        let view = "mutation ($filter: JSON) { createSavedView(input: { name: \"x\", list: \"customers\", filter: $filter }) { userErrors { code } } }";
        let export = "mutation ($filter: CustomerFilter, $key: String!) { exportCustomers(filter: $filter, idempotencyKey: $key) { userErrors { code } } }";
        let bulk = "mutation ($filter: CustomerFilter!, $key: String!) { bulkDeleteCustomers(input: { filter: $filter }, idempotencyKey: $key) { userErrors { code } } }";
        for (number, filter) in broad.into_iter().enumerate() {
            let (_, code, answer) = asked(filter.clone()).await;
            assert_eq!(code, "BAD_REQUEST", "{number}: {answer}");
            for query in [view, export, bulk] {
                let variables = json!({ "filter": filter, "key": format!("k{number}") });
                let reply = app.send(query, variables).await;
                let payload = reply.data.as_object().and_then(|data| data.values().next()).expect("a payload");
                assert_eq!(payload["userErrors"][0]["code"], "INVALID", "{number}: {query}: {reply:?}");
            }
        }
        let text = format!("{{ search(text: \"{}\") {{ id }} }}", "a ".repeat(21));
        assert_eq!(query(app, &text).await.1, "BAD_REQUEST");
    }

    async fn a_fault_of_the_database_tells_nothing_but_its_number(app: App) {
        let token = app.token_of(Role::Administrator).await;
        app.execute("ALTER TABLE team RENAME TO team_elsewhere").await;
        for query in ["{ teams { nodes { name } } }", "mutation { createTeam(input: { name: \"x\" }) { team { id } userErrors { code } } }"] {
            let reply = app.send_as(Some(&token), query, json!({})).await;
            assert_eq!(reply.error_code(), Some("INTERNAL"), "{query}: {reply:?}");
            assert!(reply.errors[0]["extensions"]["requestId"].is_string(), "{reply:?}");
            let told = json!(reply.errors).to_string().to_lowercase();
            for word in ["table", "relation", "select", "insert", "sqlx", ".rs", "database"] {
                assert!(!told.contains(word), "{word}: {told}");
            }
        }
        app.execute("ALTER TABLE team_elsewhere RENAME TO team").await;
        assert_eq!(app.send_as(Some(&token), "{ teams { totalCount } }", json!({})).await.data["teams"]["totalCount"], 0);
    }

    async fn in_production_nothing_tells_what_there_is(app: App) {
        for document in ["{ __schema { types { name } } }", "{ __type(name: \"Customer\") { fields { name } } }"] {
            let (_, code, answer) = query(app, document).await;
            assert!(!answer.contains("Customer\"") && !answer.contains("displayName"), "{answer}");
            assert!(!code.is_empty() || answer.contains("null"), "{answer}");
        }
        let (_, _, answer) = query(app, "{ customer { displayNam } customerz { id } me { emai } }").await;
        assert!(!answer.contains("Did you mean") && !answer.contains("\"email\""), "{answer}");
        let status = async |api: &str, path: &str| graphql::get(api, path, PATIENCE).await.expect("an answer").as_u16();
        for path in ["/", "/mail", "/graphiql", "/console/app.mjs", "/console/examples.json", "/graphql/"] {
            assert_eq!(status(&app.address, path).await, 404, "{path}");
        }
        let development = app.another_api(|parts| {
            parts.introspection = true;
            parts.development = Some(Development { mailbox: None, texts: None, demo: true });
        });
        let development = development.await;
        let schema = json!({ "query": "{ __schema { queryType { name } } }" });
        let told = graphql::post(&development, Some(&app.token()), &schema, PATIENCE).await.expect("an answer");
        assert_eq!(told.data["__schema"]["queryType"]["name"], "Query");
        assert_eq!((status(&development, "/").await, status(&development, "/graphiql").await), (200, 200));
        assert_eq!(status(&development, "/mail").await, 404, "mails go to a server");
    }

    async fn a_thousand_subscriptions_are_too_many(app: App) {
        let follow = "subscription { customerChanged { id } }";
        let mut sockets = Vec::new();
        let mut refused = 0;
        for _ in 0..2 {
            let mut socket = Socket::open(&app.address, &app.token()).await;
            for number in 0..500 {
                socket.ask(&number.to_string(), follow, json!({})).await;
            }
            // What is asked is taken up in order, and this is too much in any case.
            socket.ask("last", follow, json!({})).await;
            sockets.push(socket);
        }
        for socket in &mut sockets {
            loop {
                let message = socket.hear().await.expect("the socket stays");
                assert_eq!(message["payload"][0]["extensions"]["code"], "RATE_LIMITED", "{message}");
                if message["id"] == "last" {
                    break;
                }
                refused += 1;
            }
        }
        assert_eq!(refused, 900);
        assert_eq!(app.ask("{ me { email } }", json!({})).await["me"]["email"], "accountant@rapport.example");
    }
}
