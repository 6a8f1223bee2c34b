//! Everybody logs in at the same moment: some get in, the others are told when to come back, and nobody else
//! notices.

use std::time::{Duration, Instant};

use futures::future::join_all;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, TransactionTrait,
};
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

/// How often each of them is answered until all have been answered who log in, at least. Who waited for all of
/// these would be answered once.
const ANSWERS: usize = 10;

/// By how many times others wait less than who logs in, who waits for the passwords of those before.
const SOONER: u32 = 4;

/// How long each of them waits for an answer at most.
const PATIENCE: Duration = Duration::from_secs(20);

fn email(number: usize) -> String {
    format!("user-{}@rapport.example", number % USERS)
}

/// What came of logging in: the code of what went wrong, if anything, the header `Retry-After`, and how long it
/// took.
async fn log_in(app: &App, number: usize) -> (Option<String>, Option<String>, Duration) {
    let begun = Instant::now();
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
        return (None, wait, begun.elapsed());
    }
    let code = [&answer["errors"][0]["extensions"]["code"], &login["userErrors"][0]["code"]];
    let code = code.into_iter().find_map(Value::as_str).unwrap_or_default();
    (Some(code.to_owned()), wait, begun.elapsed())
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

/// Who looks at the database server by a connection of its own: how many others there are to the database.
struct Watch {
    server: DatabaseConnection,
    database: String,
}

impl Watch {
    /// `None` on SQLite, which has no server.
    async fn of(app: &App) -> Option<Self> {
        let backend = app.db.reader().get_database_backend();
        if backend != DbBackend::Postgres {
            return None;
        }
        let name = Statement::from_string(backend, "SELECT current_database()::text AS name");
        let row = app.db.reader().query_one_raw(name).await.expect("an answer").expect("a row");
        let database = row.try_get("", "name").expect("a name");
        let url = std::env::var("TEST_DATABASE_URL").expect("a server");
        Some(Self { server: Database::connect(url).await.expect("a connection"), database })
    }

    async fn connections(&self) -> i64 {
        let sql = "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE datname = $1";
        let count = Statement::from_sql_and_values(
            DbBackend::Postgres,
            sql,
            [self.database.as_str().into()],
        );
        let row = self.server.query_one_raw(count).await.expect("an answer").expect("a row");
        row.try_get("", "n").expect("a number")
    }
}

/// How many connections there are at most until all have been answered who log in.
async fn most_connections(watch: Option<&Watch>, answered: &CancellationToken) -> i64 {
    let mut most = 0;
    while let (Some(watch), false) = (watch, answered.is_cancelled()) {
        most = most.max(watch.connections().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    most
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
        let watch = Watch::of(app).await;
        let opened = match &watch {
            Some(watch) => watch.connections().await,
            None => 0,
        };
        let (token, answered) = (app.token(), CancellationToken::new());
        let storm = async {
            let logins = join_all((0..LOGINS).map(|number| log_in(app, number))).await;
            answered.cancel();
            logins
        };
        let others = join_all((0..OTHERS).map(|_| ask(app, &token, &answered)));
        let (logins, others, most) = tokio::join!(storm, others, most_connections(watch.as_ref(), &answered));

        let (begun, refused): (Vec<_>, Vec<_>) = logins.into_iter().partition(|(code, ..)| code.is_none());
        assert!(!begun.is_empty(), "{refused:?}");
        for (code, wait, _) in &refused {
            assert_eq!((code.as_deref(), wait.as_deref()), (Some("OVERLOADED"), Some("1")));
        }
        let each = others.iter().map(Vec::len).collect::<Vec<_>>();
        assert!(each.iter().all(|answers| *answers >= ANSWERS), "{each:?}");
        let (codes, mut times): (Vec<_>, Vec<_>) = others.into_iter().flatten().unzip();
        let refused = codes.iter().filter(|code| !code.is_empty()).collect::<Vec<_>>();
        assert!(refused.iter().all(|code| *code == "OVERLOADED"), "{refused:?}");
        assert!(refused.len() * 4 < codes.len(), "{} of {}", refused.len(), codes.len());
        times.sort();
        let mut waited: Vec<_> = begun.into_iter().map(|(_, _, time)| time).collect();
        waited.sort();
        let (theirs, waited) = (times[times.len() / 2], waited[waited.len() / 2]);
        assert!(theirs * SOONER < waited, "others wait {theirs:?}, and who logs in {waited:?}");
        assert!(most <= opened, "{most} connections to the database, and {opened} in the pool");
        let (code, wait, _) = log_in(app, 0).await;
        assert_eq!((code, wait), (None, None), "there is room again");
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
