//! What is never said: passwords and tokens in no answer and no log, personal data in no log, whatever goes
//! wrong.
//!
//! The log of a test is what its own thread says, which is all but what is worked on elsewhere; so each of
//! these tests has one thread.

use std::io::Write;
use std::sync::{Arc, Mutex};

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tests::app::{App, On};
use tests::graphql;
use tests::receiver::{Act, Receiver};
use tests::socket::Socket;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::changing::import::IMPORT;
use crate::given::{CREATE_CUSTOMER, CREATE_UPLOAD, RECORD_PAYMENT, invoice, payment};
use crate::imports::upload_as;

/// A word of people, their addresses and what they say.
const NAME: &str = "kzqwx";

/// A word of passwords and tokens.
const SECRET: &str = "vbnjw";

/// All that a process says, at the finest level of our own code.
const LEVELS: &str = "info,api=trace,worker=trace,entity=trace,async_graphql=debug,hyper=info";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("the log").clone()).expect("UTF-8")
    }
}

/// Runs `test` with its log.
async fn listened(on: On, test: impl AsyncFnOnce(&mut App, &Log)) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::new(LEVELS))
        .with_span_events(FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .finish();
    let _listening = tracing::subscriber::set_default(subscriber);
    App::run(on, async |app| test(app, &log).await).await;
}

/// Status and body of a request as it is.
async fn exchange(app: &App, request: hyper::http::request::Builder, body: &str) -> (u16, String) {
    let request = request.header("host", &app.address);
    let request = request.body(Full::<Bytes>::from(body.to_owned())).expect("a request");
    let (status, body) =
        graphql::exchange(&app.address, request, graphql::PATIENCE).await.expect("an answer");
    (status.as_u16(), String::from_utf8_lossy(&body).into_owned())
}

/// The answer to a GraphQL request that is given as text, by somebody or nobody.
async fn post(app: &App, token: Option<&str>, body: &str) -> String {
    let mut request = Request::post("/graphql").header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    exchange(app, request, body).await.1
}

/// Requests with passwords and tokens that all go wrong, and what was answered.
async fn secrets(app: &App) -> Vec<String> {
    let token = app.token();
    let mut answers = Vec::new();
    let email = "accountant@rapport.example";
    let login = "mutation ($email: String!, $password: String!) {
      login(input: { email: $email, password: $password }) { userErrors { code field message } } }";
    let inputs = [
        json!({ "email": email, "password": SECRET }),
        json!({ "email": email, "password": [SECRET] }),
        json!({ "email": email, "password": { "text": SECRET } }),
        json!({ "email": format!("{SECRET}@example.vn"), "password": SECRET.repeat(2_000) }),
    ];
    for variables in inputs {
        let body = json!({ "query": login, "variables": variables });
        answers.push(post(app, None, &body.to_string()).await);
    }
    for query in [
        format!("login(input: {{ email: \"a\", password: \"{SECRET}\" }}"),
        format!("login(input: {{ email: \"a\", password: [\"{SECRET}\"] }})"),
        format!("login(input: {{ email: \"a\", password: \"{SECRET} }})"),
        format!("login(input: {{ email: \"a\", password: {SECRET} }})"),
        format!("refreshSession(refreshToken: \"rrt_{SECRET}\")"),
        format!("refreshSession(refreshToken: {{ secret: \"{SECRET}\" }})"),
        format!("resetPassword(input: {{ token: \"rpr_{SECRET}\", password: \"{SECRET}\" }})"),
        format!(
            "changePassword(input: {{ currentPassword: \"{SECRET}\", password: \"{SECRET}\" }})"
        ),
        format!(
            "changePassword(input: {{ currentPassword: \"{SECRET}\", password: \"\", revokeApiKeys: \"{SECRET}\" }})"
        ),
    ] {
        let query = format!("mutation {{ {query} {{ userErrors {{ code field message }} }} }}");
        answers.push(post(app, Some(&token), &json!({ "query": query }).to_string()).await);
    }
    answers.push(post(app, None, &format!("{{ \"query\": \"{{ me }}\", \"{SECRET}\" ")).await);
    let query = json!({ "query": "{ viewer { id } }" }).to_string();
    for wrong in [SECRET.to_owned(), format!("rap_{SECRET}"), format!("{token}{SECRET}")] {
        answers.push(post(app, Some(&wrong), &query).await);
    }
    for path in [
        format!("/files/upload/{SECRET}"),
        format!("/download/{SECRET}?signature={SECRET}"),
        format!("/graphql?query=%7B__typename%7D&token={SECRET}"),
        format!("/jobs/{SECRET}/result"),
    ] {
        let request = Request::get(path).header("cookie", format!("session={SECRET}"));
        answers.push(exchange(app, request, "").await.1);
    }
    answers
}

/// Requests with names and addresses: some are carried out, some refused.
async fn names(app: &App) {
    let field = |name: &str| format!("{NAME} {name}");
    let email = format!("{NAME}@example.vn");
    let input = json!({
        "kind": "PERSON", "displayName": field("customer"), "email": email, "phone": "0987", "currency": "VND",
        "contacts": [{ "name": field("contact"), "email": email }], "addresses": [{ "lines": field("street") }],
    });
    let made = app.make("customer", CREATE_CUSTOMER, json!({ "input": input, "key": NAME })).await;
    let id = made["id"].as_str().expect("an id");
    let refused =
        json!({ "kind": "PERSON", "displayName": field(""), "email": NAME, "language": NAME });
    app.send(CREATE_CUSTOMER, json!({ "input": refused })).await;
    app.send(CREATE_CUSTOMER, json!({ "input": { "kind": NAME, "displayName": [NAME] } })).await;
    app.send(
        "query ($search: String) { customers(filter: { search: $search }) { nodes { email } } }",
        json!({ "search": NAME }),
    )
    .await;
    app.send(
        &format!("{{ customers(filter: {{ {NAME}: 1 }}) {{ nodes {{ {NAME} }} }} }}"),
        json!({}),
    )
    .await;
    invoice(app, id, "1000", "VND").await;
    app.make("payment", RECORD_PAYMENT, payment(id, "1000", "VND", "key")).await;
    let input = json!({ "record": id, "fileName": format!("{NAME}.txt"), "size": 3 });
    let upload = app.make("upload", CREATE_UPLOAD, json!({ "input": input })).await;
    let link = upload["url"].as_str().expect("a link").to_owned();
    // Less comes than was promised.
    exchange(app, Request::put(link), "k").await;
    let file =
        format!("number,name,email,stage\n1,{NAME},{NAME},x\n{NAME},{NAME},{email},{NAME}\n");
    let (_, file) = upload_as(app, &app.token(), &format!("{NAME}.csv"), &file).await;
    app.make("job", IMPORT, json!({ "input": { "fileId": file["id"] }, "key": "import" })).await;
    let mut socket = Socket::open(&app.address, &app.token()).await;
    socket.ask("1", &format!("subscription {{ {NAME} }}"), json!({ "name": NAME })).await;
    assert!(socket.hear().await.is_ok());
    app.drain().await;
}

/// A fault in the middle of writing, and what was answered.
async fn fault(app: &App) -> String {
    app.execute("ALTER TABLE note RENAME TO elsewhere").await;
    let id =
        app.ask("{ customers { nodes { id } } }", json!({})).await["customers"]["nodes"][0]["id"]
            .clone();
    let create = "mutation ($id: ID!, $body: String!) { createNote(customerId: $id, input: { body: $body }) {
      note { id } userErrors { code message } } }";
    let body =
        json!({ "query": create, "variables": { "id": id, "body": format!("{NAME} {SECRET}") } });
    let answer = post(app, Some(&app.token()), &body.to_string()).await;
    app.execute("ALTER TABLE elsewhere RENAME TO note").await;
    answer
}

async fn test(app: &mut App, log: &Log) {
    let receiver = Receiver::start(|_| Act::Answer(500)).await;
    let administrator = app.token_of(entity::access::Role::Administrator).await;
    let endpoint =
        "mutation ($input: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $input) {
      webhookEndpoint { id } userErrors { code message } } }";
    let input =
        json!({ "url": receiver.url(&format!("/{SECRET}")), "kinds": ["customer.created"] });
    let made =
        app.make_as(&administrator, "webhookEndpoint", endpoint, json!({ "input": input })).await;
    assert_ne!(made, Value::Null);

    let answers = secrets(app).await;
    names(app).await;
    let broken = fault(app).await;
    for answer in answers.iter().chain([&broken]) {
        assert!(!answer.contains(SECRET), "an answer tells a secret: {answer}");
    }
    assert!(broken.contains("INTERNAL") && !broken.contains(NAME), "{broken}");
    let said = log.text();
    assert!(said.contains("answered") && said.contains("createNote"), "{said}");
    for line in said.lines() {
        assert!(!line.contains(SECRET) && !line.contains(NAME), "the log tells: {line}");
        assert!(!line.contains(&app.token()), "the log tells a token: {line}");
    }
}

#[tokio::test]
async fn secrets_and_names_are_in_no_log_and_secrets_in_no_answer_embedded() {
    listened(On::Embedded, test).await;
}

#[tokio::test]
#[ignore = "the production half runs by tests/run"]
async fn secrets_and_names_are_in_no_log_and_secrets_in_no_answer_production() {
    listened(On::Production, test).await;
}
