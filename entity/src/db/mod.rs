//! The database: one handle for PostgreSQL and SQLite.
//!
//! Invariant: every write is one transaction that is either committed or leaves nothing behind, also
//! when the caller goes away in the middle.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use sea_orm::sea_query::{Expr, ExprTrait, IntoColumnRef};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{Connection, Executor};
use sea_orm::{
    AccessMode, ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, FromQueryResult, IsolationLevel, RuntimeErr, SqliteTransactionMode, SqlxError,
    Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::Semaphore;

use crate::access::audit::{self, Origin};
use crate::error::Error;

mod ageing;
mod line;
mod which;

pub use line::Line;
pub use which::which;

use ageing::{Ageing, Asked};
use line::Lines;

/// How many bytes of a SQLite file are read where they lie in memory, of which every connection has the same.
const MAPPED: &str = "268435456";

/// How many values one statement binds at most: the limit of SQLite, the lower one.
pub const BINDS: usize = 32_766;

/// How often a write that lost a deadlock or a serialisation conflict is tried.
const ATTEMPTS: u32 = 5;

/// How long a connection counts as good after it was last heard of.
const TESTED_FOR: Duration = Duration::from_secs(1);

/// After which a connection that nobody uses is replaced: it is looked for as often, so that none lies idle for twice
/// as long, and the earliest balancers of the great clouds drop it in silence after four minutes.
const IDLE: Duration = Duration::from_secs(100);

/// How long one waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(2);

/// A pool of connections. Clones share it.
#[derive(Clone, Debug)]
pub struct Db {
    pool: DatabaseConnection,
    connections: u32,
    /// Kept as long as the pool.
    _ageing: Option<Arc<Ageing>>,
    lines: Arc<Lines>,
    /// SQLite has one writer. Waiting here is fair; waiting in SQLite's busy handler is not.
    writers: Arc<Semaphore>,
    /// How many writes have ended.
    writes: Arc<AtomicU64>,
}

impl Db {
    /// Opens `url` (`postgres://…` or `sqlite://path`) with at most `connections` connections.
    ///
    /// # Errors
    /// [`DbErr`] when the database cannot be reached within its time-out.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, DbErr> {
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(connections)
            .connect_timeout(Duration::from_secs(5))
            .acquire_timeout(ACQUIRE)
            .idle_timeout(None)
            .max_lifetime(None)
            // A connection is tested when it comes back. Testing it before each use, too, would make a
            // statement wait for two answers.
            .test_before_acquire_if_idle_for(TESTED_FOR)
            .sqlx_logging(false);
        options.map_sqlx_postgres_opts(|postgres| {
            postgres.options([
                ("statement_timeout", "30s"),
                ("lock_timeout", "10s"),
                ("idle_in_transaction_session_timeout", "60s"),
                // Compiling a plan takes longer than any statement of ours runs.
                ("jit", "off"),
            ])
        });
        let asked = Asked::default();
        let ask = Asked::clone(&asked);
        options.map_sqlx_postgres_pool_opts(move |pool| {
            let ask = Asked::clone(&ask);
            // For what is closed another one is opened, beside what else there is to do.
            pool.min_connections(connections).idle_timeout(IDLE).after_release(move |_, known| {
                let is_old = ageing::ends(&ask, known.age);
                Box::pin(async move { Ok(!is_old) })
            })
        });
        // Otherwise all of them would have to be there before anything else.
        options.connect_lazy(url.starts_with("postgres"));
        options.map_sqlx_sqlite_pool_opts(|pool| {
            pool.after_release(|connection, _| {
                Box::pin(async move {
                    // Fails when there is nothing to roll back, which is the rule.
                    let _ = connection.execute("ROLLBACK").await;
                    connection.ping().await.map(|()| true)
                })
            })
        });
        options.map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .create_if_missing(true)
                .foreign_keys(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(10))
                // What one connection writes the others read again; from the file that is a copy for every page.
                .pragma("mmap_size", MAPPED)
                // What a statement would undo if it failed needs no file.
                .pragma("temp_store", "MEMORY")
                // LIKE tells upper from lower case, as it does on PostgreSQL.
                .pragma("case_sensitive_like", "ON")
        });
        if let Some(path) = url.strip_prefix("sqlite://")
            && let Some(folder) = Path::new(path.split('?').next().unwrap_or(path)).parent()
        {
            std::fs::create_dir_all(folder)
                .map_err(|error| DbErr::Conn(RuntimeErr::Internal(error.to_string())))?;
        }
        let pool = Database::connect(options).await?;
        pool.ping().await?;
        let is_postgres = pool.get_database_backend() == DbBackend::Postgres;
        let ageing =
            is_postgres.then(|| Ageing::of(pool.get_postgres_connection_pool().clone(), &asked));
        let writers = if is_postgres { Semaphore::MAX_PERMITS } else { 1 };
        let writers = Arc::new(Semaphore::new(writers));
        let lines = Arc::new(Lines::new(connections));
        Ok(Self { pool, connections, _ageing: ageing, lines, writers, writes: Arc::default() })
    }

    /// Opens all connections that the pool may have, before there is anything to do.
    ///
    /// For PostgreSQL's password exchange sqlx gives way to other tasks eight hundred times, so that a
    /// connection that is opened while many requests are at work is not open within the time that they
    /// wait for one.
    ///
    /// # Errors
    /// [`DbErr`] when the database refuses one.
    pub async fn fill(&self) -> Result<(), DbErr> {
        let mut open = Vec::new();
        for _ in 0..self.connections {
            open.push(self.pool.begin().await?);
        }
        for unused in open {
            unused.rollback().await?;
        }
        Ok(())
    }

    /// The pool, for reading.
    #[must_use]
    pub fn reader(&self) -> &DatabaseConnection {
        &self.pool
    }

    /// The database as it is now, for several statements that have to agree. Nothing is written in it.
    ///
    /// # Errors
    /// [`DbErr`] when the database cannot be reached.
    pub async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = match self.pool.get_database_backend() {
            DbBackend::Postgres => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            },
            // Every transaction of SQLite sees one state, from its first statement on.
            _ => TransactionOptions::default(),
        };
        self.begin(options).await
    }

    /// One connection for several reads one after the other.
    #[must_use]
    pub fn line(&self) -> Line<'_> {
        self.lines.line(&self.pool)
    }

    /// A number that changes with every write through this handle or a clone of it.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Acquire)
    }

    /// Runs `work` in one transaction and commits it; any error rolls everything back. A lost
    /// deadlock or serialisation conflict is tried again, so `work` must do nothing but write rows.
    ///
    /// ```text
    /// db.write(|txn| async move { payment::record(txn, new, actor, now).await }.boxed()).await
    /// ```
    ///
    /// # Errors
    /// What `work` fails with, or the database.
    pub async fn write<T, W>(&self, work: W) -> Result<T, Error>
    where
        W: for<'c> Fn(&'c DatabaseTransaction) -> BoxFuture<'c, Result<T, Error>>,
    {
        self.write_as(&Origin::default(), work).await
    }

    /// The same, and the audit log notes the origin of what is changed.
    ///
    /// # Errors
    /// What `work` fails with, or the database.
    pub async fn write_as<T, W>(&self, origin: &Origin, work: W) -> Result<T, Error>
    where
        W: for<'c> Fn(&'c DatabaseTransaction) -> BoxFuture<'c, Result<T, Error>>,
    {
        let _turn = self.writers.acquire().await.map_err(|_| Error::Closed)?;
        let mut attempt = 1;
        loop {
            let txn = self.begin(writing()).await?;
            let done = async {
                audit::declare(&txn, origin).await?;
                let value = work(&txn).await?;
                audit::forget(&txn, origin).await?;
                Ok(value)
            };
            let outcome = match done.await {
                Ok(value) => {
                    let committed = txn.commit().await;
                    self.writes.fetch_add(1, Ordering::Release);
                    match committed {
                        Ok(()) => Ok(value),
                        Err(error) if is_lost(&error) => Err(Error::Unsure(error)),
                        Err(error) => Err(error.into()),
                    }
                }
                Err(error) => {
                    txn.rollback().await?;
                    Err(error)
                }
            };
            match outcome {
                Err(Error::Db(error)) if attempt < ATTEMPTS && is_conflict(&error) => {
                    attempt += 1;
                    tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 7)).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Begins a transaction in a task of its own, which goes on when the caller goes away: sqlx 0.9 would
    /// otherwise hand back a connection inside an open transaction (sqlx#4385), and the next write would
    /// be acknowledged and rolled back. Nobody being there to take the transaction, it is rolled back.
    async fn begin(&self, options: TransactionOptions) -> Result<DatabaseTransaction, DbErr> {
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with_options(options).await });
        begun.await.map_err(|error| DbErr::Conn(RuntimeErr::Internal(error.to_string())))?
    }

    /// The database's own clock; `None` on SQLite, which has the clock of this machine.
    ///
    /// # Errors
    /// [`DbErr`] when the database cannot be reached.
    pub async fn clock(&self) -> Result<Option<DateTime<Utc>>, DbErr> {
        #[derive(FromQueryResult)]
        struct Row {
            now: DateTime<Utc>,
        }
        if self.pool.get_database_backend() != DbBackend::Postgres {
            return Ok(None);
        }
        let sql = Statement::from_string(DbBackend::Postgres, "SELECT clock_timestamp() AS now");
        Ok(Row::find_by_statement(sql).one(&self.pool).await?.map(|row| row.now))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`DbErr`] when it does not.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.pool.ping().await
    }

    /// Closes the pool, after what is under way has ended.
    ///
    /// # Errors
    /// [`DbErr`] when a connection cannot be closed cleanly.
    pub async fn close(self) -> Result<(), DbErr> {
        self.lines.clear();
        self.pool.close().await
    }
}

/// How a transaction begins that writes.
fn writing() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

/// Whether the database had no connection to give, cannot be reached, or has too much to do: the same may
/// succeed in a moment.
#[must_use]
pub fn is_busy(error: &DbErr) -> bool {
    // 53300: it has too many connections. 55P03: another transaction held a lock for too long.
    matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_))
        || matches!(code(error).as_deref(), Some("53300" | "55P03"))
        || is_conflict(error)
        || is_lost(error)
}

/// Whether the connection ended in the middle: the server has gone, or ends what it does since it goes.
fn is_lost(error: &DbErr) -> bool {
    let broke = match error {
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => matches!(**cause, SqlxError::Io(_)),
        _ => false,
    };
    // 57P01 to 57P03: somebody stops it, it has crashed, it is not up yet.
    broke || code(error).is_some_and(|code| code.starts_with("57P0"))
}

/// Whether the database asks to try the transaction again: `40001`, `40P01`, or a busy SQLite.
fn is_conflict(error: &DbErr) -> bool {
    matches!(code(error).as_deref(), Some("40001" | "40P01" | "5" | "517"))
}

/// The database's own code of an error: PostgreSQL's SQLSTATE, or SQLite's result code.
#[must_use]
pub fn code(error: &DbErr) -> Option<String> {
    let (DbErr::Conn(cause) | DbErr::Exec(cause) | DbErr::Query(cause)) = error else {
        return None;
    };
    let RuntimeErr::SqlxError(cause) = cause else { return None };
    Some(cause.as_database_error()?.code()?.into_owned())
}

/// The sum of `column` as a 64-bit integer on both databases; PostgreSQL would make it numeric.
#[must_use]
pub fn sum(column: impl IntoColumnRef) -> Expr {
    Expr::col(column).sum().cast_as("bigint")
}
