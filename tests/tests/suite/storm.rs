//! Everybody logs in at the same moment: some get in, the others are told when to come back, and nobody else
//! notices.

use std::time::{Duration, Instant};

use futures::future::join_all;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use sea_orm::TransactionTrait;
use serde_json::{Value, json};
use tests::app::{App, PASSWORD};
use tests::{graphql, on_both_stacks};
use tokio_util::sync::CancellationToken;

use crate::given::users;

const LOGIN: &str = "mutation ($email: String!, $password: String!) {
  login(input: { email: $email, password: $password }) { accessToken userErrors { code } } }";

/// How many log in at once.
const LOGINS: usize = 500;

/// How many users they are: each may try ten times.
const USERS: usize = 100;

/// How many others go on working meanwhile.
const OTHERS: usize = 4;

/// How long each of them waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

fn email(number: usize) -> String {
    format!("user-{}@rapport.example", number % USERS)
}

/// What came of logging in: the code of what went wrong, if anything, and the header `Retry-After`.
async fn log_in(app: &App, number: usize) -> (Option<String>, Option<String>) {
    let body =
        json!({ "query": LOGIN, "variables": { "email": email(number), "password": PASSWORD } });
    let request = graphql::request(&app.address, None, &body).expect("a request");
    let answer =
        graphql::respond(&app.address, request, PATIENCE).await.expect("an answer in time");
    let wait =
        answer.headers().get("retry-after").map(|wait| wait.to_str().expect("text").to_owned());
    let answer: Value = serde_json::from_slice(answer.body()).expect("JSON");
    let login = &answer["data"]["login"];
    if login["accessToken"].is_string() {
        return (None, wait);
    }
    let code = [&answer["errors"][0]["extensions"]["code"], &login["userErrors"][0]["code"]];
    let code = code.into_iter().find_map(Value::as_str).unwrap_or_default();
    (Some(code.to_owned()), wait)
}

/// Asks something cheap again and again until all have been answered who log in: codes and times.
async fn ask(app: &App, token: &str, answered: &CancellationToken) -> Vec<(String, Duration)> {
    let mut seen = Vec::new();
    while !answered.is_cancelled() {
        let begun = Instant::now();
        let reply = app.send_as(Some(token), "{ me { email } }", json!({})).await;
        seen.push((reply.error_code().unwrap_or_default().to_owned(), begun.elapsed()));
    }
    seen
}

/// Status, code and `Retry-After` of the answer to a request.
async fn refusal(app: &App, request: Request<Full<Bytes>>) -> (u16, String, String) {
    let answer =
        graphql::respond(&app.address, request, PATIENCE).await.expect("an answer in time");
    let wait =
        answer.headers().get("retry-after").map(|wait| wait.to_str().expect("text").to_owned());
    let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
    let code = body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned();
    (answer.status().as_u16(), code, wait.unwrap_or_default())
}

on_both_stacks! {
    async fn when_all_log_in_at_once_some_get_in_the_others_are_told_when_and_nobody_else_waits(app: App) {
        users(app, (0..USERS).map(email)).await;
        // As a server does before it listens.
        app.db.fill().await.expect("connections");
        let (token, answered) = (app.token(), CancellationToken::new());
        let storm = async {
            let logins = join_all((0..LOGINS).map(|number| log_in(app, number))).await;
            answered.cancel();
            logins
        };
        let others = join_all((0..OTHERS).map(|_| ask(app, &token, &answered)));
        let (logins, others) = tokio::join!(storm, others);

        let (begun, refused): (Vec<_>, Vec<_>) = logins.into_iter().partition(|(code, _)| code.is_none());
        assert!(!begun.is_empty(), "{refused:?}");
        for refused in refused {
            assert_eq!(refused, (Some("OVERLOADED".to_owned()), Some("1".to_owned())));
        }
        let (codes, mut times): (Vec<_>, Vec<_>) = others.into_iter().flatten().unzip();
        let refused = codes.iter().filter(|code| !code.is_empty()).collect::<Vec<_>>();
        assert!(refused.iter().all(|code| *code == "OVERLOADED"), "{refused:?}");
        assert!(refused.len() * 4 < codes.len(), "{} of {}", refused.len(), codes.len());
        times.sort();
        let (median, slowest) = (times[times.len() / 2], times[times.len() - 1]);
        assert!(median < Duration::from_secs(1) && slowest < Duration::from_secs(8), "{median:?} {slowest:?}");
        assert_eq!(log_in(app, 0).await, (None, None), "there is room again");
    }

    async fn a_database_without_a_free_connection_is_a_reason_to_come_back(app: App) {
        let mut held = Vec::new();
        while let Ok(txn) = app.db.reader().begin().await {
            held.push(txn);
        }
        let token = app.token();
        let login = json!({ "query": LOGIN, "variables": { "email": email(0), "password": PASSWORD } });
        let me = json!({ "query": "{ me { email } }" });
        let upload = Request::post("/files?name=a.csv")
            .header("host", &app.address)
            .header("authorization", format!("Bearer {token}"))
            .body(Full::from("a"))
            .expect("a request");
        let (resolver, viewer, file) = tokio::join!(
            refusal(app, graphql::request(&app.address, None, &login).expect("a request")),
            refusal(app, graphql::request(&app.address, Some(&token), &me).expect("a request")),
            refusal(app, upload),
        );
        let overloaded = |status| (status, "OVERLOADED".to_owned(), "1".to_owned());
        assert_eq!((resolver, viewer, file), (overloaded(200), overloaded(503), overloaded(503)));
        for txn in held {
            txn.rollback().await.expect("the end of it");
        }
        assert_eq!(app.ask("{ me { email } }", json!({})).await["me"]["email"], "accountant@rapport.example");
    }
}
