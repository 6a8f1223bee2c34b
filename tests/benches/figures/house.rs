//! What figures are taken on: a PostgreSQL that keeps what it commits, Redis, a mail server, and
//! Rapport in this process, with the clock and the connections of production.
//!
//! Invariant: whoever asks for a Rapport gets one with an empty database.

use std::sync::Arc;
use std::time::Duration;

use api::access::hashing::Hashing;
use api::access::token::Tokens;
use api::context::Shared;
use api::files::link::Links;
use api::http::budget::Budget;
use api::http::documents::{Documents, Shelf};
use api::http::server::{Patience, serve};
use api::http::socket::Rules;
use api::serve::{Parts, routes};
use clap::Parser;
use entity::access::Role;
use entity::access::session::{self, Device};
use entity::clock::Clock;
use entity::db::Db;
use entity::id::UserId;
use futures::FutureExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use tempfile::TempDir;
use tests::app::set_up;
use tests::stack::sink::Sink;
use tests::stack::{Durability, Postgres, Redis, scratch};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tokio_util::sync::DropGuard;
use uuid::Uuid;
use worker::config::Stack;
use worker::engine::Engine;
use worker::runtime::Runtime;

use crate::figure::Failure;

/// Connections to the API, to the database and to the mail server, for Rapport and for its limits.
pub const CONNECTIONS: usize = 16;

/// Which stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// SQLite, and the queue in the process.
    Embedded,
    /// PostgreSQL and Redis.
    Production,
}

/// The servers. They end with it.
pub struct House {
    /// Where mails go.
    pub sink: Sink,
    /// The database server.
    pub postgres: Postgres,
    redis: Redis,
    /// What several figures read and none changes.
    pub company: OnceCell<Box<Rapport>>,
    /// See `company`.
    pub million: OnceCell<Box<Rapport>>,
    /// Where everything lies. Last, so that it goes when nobody uses it any more.
    pub dir: TempDir,
}

/// Rapport on a database of its own.
pub struct Rapport {
    /// The database.
    pub db: Db,
    /// The name of its database.
    pub name: String,
    /// The time.
    pub clock: Clock,
    /// An administrator.
    pub user: UserId,
    stack: Stack,
}

/// A running API. It ends with it.
pub struct Server {
    /// Host and port.
    pub address: String,
    /// Their token.
    pub token: String,
    _running: DropGuard,
}

#[derive(Parser)]
struct Configured {
    #[command(flatten)]
    stack: Stack,
}

impl House {
    /// Starts all servers.
    pub async fn build() -> Result<Self, Failure> {
        let dir = scratch("rapport-bench-")?;
        let postgres = Postgres::start(dir.path(), Durability::Durable).await?;
        let redis = Redis::start(dir.path()).await?;
        let sink = Sink::start(dir.path(), 1).await?;
        let (company, million) = (OnceCell::new(), OnceCell::new());
        Ok(Self { sink, postgres, redis, company, million, dir })
    }

    /// A fresh Rapport: a migrated database with an organisation and an administrator in it.
    pub async fn rapport(&self, on: On) -> Result<Rapport, Failure> {
        let name = format!("rapport_{}", Uuid::new_v4().simple());
        let folder = self.dir.path().join(&name);
        std::fs::create_dir_all(&folder)?;
        let database = match on {
            On::Embedded => format!("sqlite://{}", folder.join("rapport.db").display()),
            On::Production => self.postgres.create_database(&name).await?,
        };
        let (folder, connections) = (folder.display().to_string(), CONNECTIONS.to_string());
        let (redis, mail) = (self.redis.url(), self.sink.url());
        let mut arguments = vec!["rapport", "--data-dir", &folder, "--database-url", &database];
        arguments.extend(["--database-pool", &connections, "--redis-prefix", &name]);
        if on == On::Production {
            arguments.extend(["--redis-url", redis, "--smtp-url", &mail]);
            arguments.extend(["--smtp-connections", &connections]);
        }
        let stack = Configured::try_parse_from(arguments)?.stack;
        let clock = Clock::system();
        let db = stack.database(&clock).await?;
        let user = found(&db, &clock).await?;
        Ok(Rapport { db, name, clock, user, stack })
    }
}

impl Rapport {
    /// Starts its API.
    pub async fn serve(&self) -> Result<Server, Failure> {
        let key = b"a key for a house that lives for minutes";
        let tokens = Arc::new(Tokens::new(key));
        let (now, user) = (self.clock.now(), self.user);
        let begun = self.db.write(move |txn| {
            async move { session::begin(txn, user, &Device::default(), now).await }.boxed()
        });
        let session = begun.await?.session.id;
        let token = tokens.issue(user, session, now).ok_or("no token could be signed")?;
        let (router, stop) = routes(Parts {
            shared: Shared {
                db: self.db.clone(),
                clock: self.clock.clone(),
                signal: self.stack.signal()?,
                tokens,
                hashing: Hashing::default(),
                links: Links::new(key),
                customer_links: self.stack.links()?,
                words: worker::document::Documents::embedded()?,
            },
            files: self.stack.files()?,
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            proxies: 0,
            cors_origins: Vec::new(),
            documents: Documents::automatic(Shelf::new(None, self.clock.clone())),
            budget: Budget::unlimited(self.clock.clone()),
            introspection: false,
            sockets: Rules::default(),
            max_requests: 256,
            development: None,
        })?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let running = stop.asked.clone().drop_guard();
        let patience = Patience { notice: Duration::ZERO, ..Patience::default() };
        tokio::spawn(serve(listener, router, stop, patience));
        Ok(Server { address, token, _running: running })
    }

    /// Its workers, ready to run.
    pub fn workers(&self) -> Result<Runtime, Failure> {
        let (db, clock) = (self.db.clone(), self.clock.clone());
        let (signal, files) = (self.stack.signal()?, self.stack.files()?);
        Ok(Runtime::new(&self.stack, db, clock, signal, files, None)?)
    }

    /// Its engine, which advances runs when it is told to.
    pub fn engine(&self) -> Result<Engine, Failure> {
        let (db, clock) = (self.db.clone(), self.clock.clone());
        Ok(Engine { db, clock, signal: self.stack.signal()? })
    }

    /// Closes its database.
    pub async fn end(self) -> Result<(), Failure> {
        Ok(self.db.close().await?)
    }
}

/// An organisation with an administrator.
async fn found(db: &Db, clock: &Clock) -> Result<UserId, entity::Error> {
    let now = clock.now();
    db.write(move |txn| {
        async move {
            let email = "administrator@rapport.example";
            set_up(txn, email, Role::Administrator, String::new(), now).await
        }
        .boxed()
    })
    .await
}
