//! Rapport as a whole, in the test's own process: API and workers on a fresh database, with a clock
//! that is turned by hand and mails in memory.
//!
//! Invariant: a test that ends well leaves nothing half done; its end checks that.

mod end;
mod home;
mod noted;
mod serving;

use std::sync::Arc;
use std::time::Duration;

use api::access::hashing::Hashing;
use api::access::token::Tokens;
use api::context::Shared;
use api::files::link::Links;
use api::http::store::Store;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use entity::access::session::{self, Device};
use entity::access::{Actor, Role, user};
use entity::automation::message::{self, State};
use entity::clock::Clock;
use entity::db::Db;
use entity::id::{RoleId, SessionId, UserId};
use futures::FutureExt;
use object_store::ObjectStore;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::collaboration::upkeep::Upkeep;
use worker::config::Stack;
use worker::feed::Signal;
use worker::mail::transport::{Mailbox, Transport};
use worker::printing::tray::Tray;
use worker::runtime::Runtime;
use worker::sms::{Gateway, Text};
use worker::ways::Ways;

use crate::graphql::{self, PATIENCE, Reply};
use home::found;
pub use home::{Home, set_up};
use serving::{listen, parts};

/// Which stack a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// SQLite, and the queue in the process.
    Embedded,
    /// PostgreSQL and Redis, as `tests/run` starts them.
    Production,
}

/// Declares a test that runs on both stacks. The production half needs `tests/run`.
#[macro_export]
macro_rules! on_both_stacks {
    ($($(#[$doc:meta])* async fn $name:ident($app:ident: App) $body:block)+) => {
        $(mod $name {
            use super::*;

            async fn test($app: &mut $crate::app::App) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn embedded() {
                $crate::app::App::run($crate::app::On::Embedded, async |app| test(app).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "the production half runs by tests/run"]
            async fn production() {
                $crate::app::App::run($crate::app::On::Production, async |app| test(app).await).await;
            }
        })+
    };
}

/// A running Rapport.
pub struct App {
    /// The database, to look at what GraphQL does not show.
    pub db: Db,
    /// The clock, to turn.
    pub clock: Clock,
    /// What wakes the workers and tells followers, to lose things on purpose.
    pub signal: Signal,
    /// What the API's processes share, where they share anything.
    pub store: Option<Store>,
    /// Where files are, to look at what nobody shows.
    pub files: Arc<dyn ObjectStore>,
    /// What customers got.
    pub mailbox: Mailbox,
    /// What their telephones got.
    pub texts: Mailbox<Text>,
    /// Host and port of the API.
    pub address: String,
    shared: Shared,
    accountant: (UserId, SessionId),
    stack: Stack,
    stop: CancellationToken,
    workers: Workers,
}

/// Workers that work until they are killed, or their Rapport ends.
pub type Workers = tokio::task::JoinHandle<Result<(), worker::feed::FeedError>>;

/// Ends workers as a machine ends that loses its power.
pub async fn kill(workers: &mut Workers) {
    workers.abort();
    // It ends with being aborted, which is no failure here.
    drop(workers.await);
}

#[derive(Parser)]
struct Configured {
    #[command(flatten)]
    stack: Stack,
}

/// When tests begin: a Tuesday morning in Vietnam.
#[must_use]
pub fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_793_671_200, 0).unwrap_or_default()
}

/// The secret that tokens and links are signed with.
pub const KEY: &[u8] = b"a key that is long enough for tests";

/// What everybody may ask for in a minute, in points.
pub const RATE_LIMIT: u64 = 1_000_000;

/// The password of every user of a test.
pub const PASSWORD: &str = "correct horse battery";

impl App {
    /// Runs `test` on a fresh Rapport, and checks afterwards that nothing is left half done.
    ///
    /// # Panics
    /// When the stack cannot be started, or the test or the check fails.
    pub async fn run(on: On, test: impl AsyncFnOnce(&mut Self)) {
        let home = Home::fresh(on).await.expect("a home");
        Self::run_in(home.arguments.clone(), test).await;
    }

    /// Runs `test` on the Rapport that lives at a home with these arguments, whether it is new or has been
    /// run there before; and checks afterwards that nothing is left half done.
    ///
    /// # Panics
    /// As [`App::run`].
    pub async fn run_in(arguments: Vec<String>, test: impl AsyncFnOnce(&mut Self)) {
        let mut app = Self::start(arguments).await.expect("the stack starts");
        test(&mut app).await;
        app.end().await;
    }

    async fn start(arguments: Vec<String>) -> Result<Self, Box<dyn std::error::Error>> {
        let stack = Configured::try_parse_from(arguments)?.stack;
        let clock = Clock::manual(beginning());
        let db = stack.database(&clock).await?;
        let accountant = found(&db, &clock).await?;
        let mailbox = Mailbox::new();
        let shared = Shared {
            db: db.clone(),
            clock: clock.clone(),
            signal: stack.signal()?,
            tokens: Arc::new(Tokens::new(KEY)),
            hashing: Hashing::default(),
            links: Links::new(KEY),
            customer_links: stack.links()?,
            words: worker::document::Documents::embedded()?,
        };
        let texts = Mailbox::new();
        let ways = Ways {
            mail: Transport::Memory(mailbox.clone()),
            sms: Gateway::Memory(texts.clone()),
            post: Tray::new(stack.files()?),
        };
        let signal = shared.signal.clone();
        let files = stack.files()?;
        let keep = Arc::clone(&files);
        let workers =
            Runtime::new(&stack, db.clone(), clock.clone(), signal.clone(), keep, Some(ways))?;
        let store = match &stack.redis_url {
            Some(url) => Some(Store::open(url, &stack.redis_prefix)?),
            None => None,
        };
        let stop = CancellationToken::new();
        let address = listen(parts(&shared, store.clone(), Arc::clone(&files)), &stop).await?;
        let workers = tokio::spawn(workers.run(stop.clone()));
        Ok(Self {
            db,
            clock,
            signal,
            store,
            files,
            mailbox,
            texts,
            address,
            shared,
            accountant,
            stack,
            stop,
            workers,
        })
    }

    /// A token of the accountant.
    ///
    /// # Panics
    /// When signing fails.
    #[must_use]
    pub fn token(&self) -> String {
        let (user, session) = self.accountant;
        self.shared.tokens.issue(user, session, self.clock.now()).expect("a token")
    }

    /// A fresh user's token.
    ///
    /// # Panics
    /// When the user cannot be created.
    pub async fn token_of(&self, role: Role) -> String {
        self.user(role.id()).await.1
    }

    /// A fresh user with a role, and their token.
    ///
    /// # Panics
    /// When the user cannot be created.
    pub async fn user(&self, role: RoleId) -> (UserId, String) {
        let now = self.clock.now();
        let user = self.db.write(move |txn| {
            let new = user::NewUser {
                email: format!("{}@rapport.example", Uuid::new_v4().simple()),
                name: "Somebody".to_owned(),
                password_hash: Some(String::new()),
                role,
                position: None,
                language: None,
            };
            async move { user::create(txn, new, Actor::System, now).await }.boxed()
        });
        let user = user.await.expect("a user").id;
        (user, self.token_for(user).await)
    }

    /// A token of a fresh session of a user.
    ///
    /// # Panics
    /// When the session cannot be begun.
    pub async fn token_for(&self, user: UserId) -> String {
        let now = self.clock.now();
        let begun = self.db.write(move |txn| {
            async move { session::begin(txn, user, &Device::default(), now).await }.boxed()
        });
        let session = begun.await.expect("a session").session.id;
        self.shared.tokens.issue(user, session, now).expect("a token")
    }

    /// Sends a request as the accountant.
    ///
    /// # Panics
    /// When no GraphQL answer comes.
    pub async fn send(&self, query: &str, variables: Value) -> Reply {
        self.send_as(Some(&self.token()), query, variables).await
    }

    /// Sends a request with `token`, or as nobody.
    ///
    /// # Panics
    /// When no GraphQL answer comes.
    pub async fn send_as(&self, token: Option<&str>, query: &str, variables: Value) -> Reply {
        let body = json!({ "query": query, "variables": variables });
        graphql::post(&self.address, token, &body, PATIENCE).await.expect("an answer")
    }

    /// What the header `Retry-After` says that answers a request without a token.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn retry_after(&self, query: &str, variables: Value) -> Option<String> {
        let body = json!({ "query": query, "variables": variables });
        let request = graphql::request(&self.address, None, &body).expect("a request");
        let answer = graphql::respond(&self.address, request, PATIENCE).await.expect("an answer");
        Some(answer.headers().get("retry-after")?.to_str().expect("text").to_owned())
    }

    /// The data of an answer without top-level errors.
    ///
    /// # Panics
    /// On errors.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let reply = self.send(query, variables).await;
        assert!(reply.errors.is_empty(), "{query}: {:#?}", reply.errors);
        reply.data
    }

    /// What a mutation made: the one object of its payload, which has no user errors.
    ///
    /// # Panics
    /// On errors of either kind.
    pub async fn make(&self, field: &str, query: &str, variables: Value) -> Value {
        self.make_as(&self.token(), field, query, variables).await
    }

    /// What a mutation made for somebody.
    ///
    /// # Panics
    /// On errors of either kind.
    pub async fn make_as(&self, token: &str, field: &str, query: &str, variables: Value) -> Value {
        let reply = self.send_as(Some(token), query, variables).await;
        assert!(reply.errors.is_empty(), "{query}: {:#?}", reply.errors);
        let data = reply.data;
        let payload = data.as_object().and_then(|data| data.values().next()).expect("a payload");
        assert_eq!(payload["userErrors"], json!([]), "{query}");
        payload[field].clone()
    }

    /// The user errors of a mutation that is refused: code, path.
    ///
    /// # Panics
    /// When it is not refused.
    pub async fn refusal(&self, query: &str, variables: Value) -> (String, String) {
        let data = self.ask(query, variables).await;
        let payload = data.as_object().and_then(|data| data.values().next()).expect("a payload");
        let error = &payload["userErrors"][0];
        let path = error["field"].as_array().into_iter().flatten();
        let path = path.filter_map(Value::as_str).collect::<Vec<_>>().join(".");
        (error["code"].as_str().unwrap_or_default().to_owned(), path)
    }

    /// Ends the workers as a machine ends that loses its power.
    pub async fn kill_workers(&mut self) {
        kill(&mut self.workers).await;
    }

    /// Starts other workers in the place of dead ones.
    ///
    /// # Panics
    /// When they do not start.
    pub fn start_workers(&mut self) {
        self.workers = self.more_workers();
    }

    /// Starts workers beside those that there are, as another process does.
    ///
    /// # Panics
    /// When they do not start.
    #[must_use]
    pub fn more_workers(&self) -> Workers {
        let ways = Ways {
            mail: Transport::Memory(self.mailbox.clone()),
            sms: Gateway::Memory(self.texts.clone()),
            post: Tray::new(Arc::clone(&self.files)),
        };
        let (db, clock, signal) = (self.db.clone(), self.clock.clone(), self.signal.clone());
        let files = Arc::clone(&self.files);
        let workers = Runtime::new(&self.stack, db, clock, signal, files, Some(ways));
        tokio::spawn(workers.expect("workers").run(self.stop.clone()))
    }

    /// Waits until all that is due by the clock is done.
    ///
    /// # Panics
    /// When that takes longer than half a minute.
    pub async fn drain(&self) {
        for _ in 0..1_500 {
            if self.unfinished().await.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("work is left that is due: {:?}", self.unfinished().await);
    }

    /// Turns the clock.
    pub fn advance(&self, by: TimeDelta) {
        self.clock.advance(by);
    }

    /// The worker's upkeep of files, to be done now.
    ///
    /// # Panics
    /// When the stack has no place for files.
    #[must_use]
    pub fn upkeep(&self) -> Upkeep {
        Upkeep {
            db: self.db.clone(),
            clock: self.clock.clone(),
            files: Arc::clone(&self.files),
            folder: self.stack.place().expect("a place").folder(),
        }
    }

    /// How many messages are in each state.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn states(&self) -> Vec<(State, i64)> {
        message::count_by_state(self.db.reader()).await.expect("counts")
    }

    /// Does to the database what no request does; it counts at once, as if this process had written it.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn execute(&self, sql: &str) {
        self.db.reader().execute_unprepared(sql).await.expect(sql);
        self.db.write(|_| async { Ok(()) }.boxed()).await.expect("an empty write");
    }

    /// One number that a statement gives.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn number(&self, sql: &str) -> i64 {
        #[derive(FromQueryResult)]
        struct Row {
            n: Option<i64>,
        }
        let reader = self.db.reader();
        let statement = Statement::from_string(reader.get_database_backend(), sql);
        let row = Row::find_by_statement(statement).one(reader).await.expect(sql);
        row.and_then(|row| row.n).unwrap_or_default()
    }
}
