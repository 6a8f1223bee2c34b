//! The database server goes away and comes back while requests are going on: who asks meanwhile is told to come back,
//! and nothing is lost or done twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tests::app::{App, Home, On};
use tests::graphql::{self, PATIENCE};
use tests::stack::{Durability, Postgres, scratch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::given::CREATE_CUSTOMER;

/// How many ask at once: more than there are connections.
const CLIENTS: usize = 24;

/// How many are served one after another, and nobody is refused, once all is well again.
const SERVED: usize = 250;

/// How long that may take after the server is back, on a machine that has other things to do, too.
const WITHIN: Duration = Duration::from_secs(30);

/// How the server goes.
#[derive(Clone, Copy, Debug)]
enum End {
    /// In good order, as for an update.
    Stopped,
    /// As a machine that loses its power.
    Killed,
}

/// Who asks, and what they are told.
struct Clients<'a> {
    app: &'a App,
    /// How many have been served since somebody was refused.
    served: AtomicUsize,
    end: CancellationToken,
}

impl Clients<'_> {
    /// Sends a request; gives the code with which it is refused.
    async fn ask(&self, body: &Value) -> Option<String> {
        let reply = graphql::post(&self.app.address, Some(&self.app.token()), body, PATIENCE).await;
        let code = reply.expect("an answer").error_code().map(str::to_owned);
        match &code {
            None => self.served.fetch_add(1, Ordering::Relaxed),
            Some(_) => self.served.swap(0, Ordering::Relaxed),
        };
        code
    }

    /// Reads and writes in turn. What is written has a key, and is repeated until it is there. Gives how much that
    /// was, and all codes.
    async fn work(&self, client: usize, end: End) -> (usize, Vec<String>) {
        let (mut made, mut codes) = (0, Vec::new());
        while !self.end.is_cancelled() {
            codes.extend(self.ask(&json!({ "query": "{ customers { totalCount } }" })).await);
            let name = format!("{end:?} {client} {made}");
            let input = json!({ "kind": "PERSON", "displayName": name });
            let variables = json!({ "input": input, "key": name });
            let write = json!({ "query": CREATE_CUSTOMER, "variables": variables });
            while let Some(code) = self.ask(&write).await {
                codes.push(code);
            }
            made += 1;
        }
        (made, codes)
    }

    /// Waits until as many are served as everybody is who is not refused.
    async fn are_served(&self) {
        self.served.store(0, Ordering::Relaxed);
        while self.served.load(Ordering::Relaxed) < SERVED {
            sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the production half runs by tests/run"]
async fn a_database_that_goes_and_comes_back_is_a_reason_to_come_back_and_no_more() {
    let folder = scratch("rapport-outage-").expect("a folder");
    let mut server = Postgres::start(folder.path(), Durability::Durable).await.expect("a server");
    let database = server.create_database("rapport").await.expect("a database");
    let home = Home::fresh(On::Production).await.expect("a home");
    let mut arguments = home.arguments.clone();
    let address = arguments.iter().position(|word| word == "--database-url").expect("an address");
    arguments[address + 1] = database;
    App::run_in(arguments, async |app| {
        // As a server does before it listens.
        app.db.fill().await.expect("connections");
        for end in [End::Stopped, End::Killed] {
            is_survived(app, &mut server, end).await;
        }
    })
    .await;
}

/// Takes the server away while requests go on, and brings it back.
async fn is_survived(app: &App, server: &mut Postgres, end: End) {
    let all = "SELECT COUNT(*) AS n FROM customer";
    let before = app.number(all).await;
    let clients = Clients { app, served: AtomicUsize::default(), end: CancellationToken::new() };
    let outage = async {
        timeout(WITHIN, clients.are_served()).await.expect("all are served before");
        match end {
            End::Stopped => server.stop().await.expect("an end"),
            End::Killed => server.kill(),
        }
        sleep(Duration::from_secs(3)).await;
        server.restart().await.expect("a start");
        timeout(WITHIN, clients.are_served()).await.expect("all are served again");
        clients.end.cancel();
    };
    let work = join_all((0..CLIENTS).map(|client| clients.work(client, end)));
    let ((), worked) = tokio::join!(outage, work);
    let (made, codes): (Vec<_>, Vec<_>) = worked.into_iter().unzip();
    let codes: BTreeSet<String> = codes.into_iter().flatten().collect();
    assert_eq!(codes, BTreeSet::from(["OVERLOADED".to_owned()]), "{end:?}");
    let made = i64::try_from(made.into_iter().sum::<usize>()).expect("a number");
    assert_eq!(app.number(all).await - before, made, "each is there, and once");
    let double = "SELECT COUNT(*) - COUNT(DISTINCT display_name) AS n FROM customer";
    assert_eq!(app.number(double).await, 0, "{end:?}");
}
