//! One connection for the statements of a read that come one after the other.
//!
//! Taking a connection from the pool, testing it and giving it back costs about as much as a short
//! statement. A [`Line`] takes one when it first needs it, keeps it, and leaves it to the next line.
//!
//! Invariant: lines never have more than three quarters of the pool, so that a read which also asks
//! elsewhere gets its second connection; and what was cut off in the middle of a statement, has failed, or
//! was away for long goes back to the pool, which tests it and replaces it when it is old.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sea_orm::sea_query::{PostgresQueryBuilder, QueryBuilder, SelectStatement, SqlWriter, Values};
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Postgres};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, RuntimeErr,
    Value,
};
use sea_query_sqlx::SqlxValues;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use super::ACQUIRE;

/// How long a connection waits for the next line before it goes back to the pool.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// How long a connection goes from line to line before the pool sees it again.
const AWAY: Duration = Duration::from_secs(30);

/// The connections of all lines.
#[derive(Debug)]
pub(super) struct Lines {
    places: Arc<Semaphore>,
    kept: Arc<Mutex<Kept>>,
}

/// Connections that nobody uses at the moment.
#[derive(Debug, Default)]
struct Kept {
    connections: Vec<(Taken, Instant)>,
    /// Whether somebody will give them back.
    watched: bool,
}

/// A connection, and since when the pool is without it.
#[derive(Debug)]
struct Taken {
    connection: PoolConnection<Postgres>,
    since: Instant,
}

/// One connection for the statements of a read. SQLite's pool has nothing to save.
#[derive(Debug)]
pub struct Line<'a> {
    pool: &'a DatabaseConnection,
    lines: &'a Lines,
    held: Option<(Taken, OwnedSemaphorePermit)>,
}

impl Lines {
    pub(super) fn new(connections: u32) -> Self {
        let places = usize::try_from(connections).unwrap_or(usize::MAX) * 3 / 4;
        let places = Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)));
        Self { places, kept: Arc::default() }
    }

    pub(super) fn line<'a>(&'a self, pool: &'a DatabaseConnection) -> Line<'a> {
        Line { pool, lines: self, held: None }
    }

    /// Gives back what is kept.
    pub(super) fn clear(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).connections.clear();
    }

    fn keep(&self, taken: Taken) {
        if taken.since.elapsed() > AWAY {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.connections.push((taken, Instant::now()));
        if !kept.watched {
            kept.watched = true;
            tokio::spawn(watch(Arc::clone(&self.kept)));
        }
    }

    fn take(&self) -> Option<Taken> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.connections.pop().map(|(taken, _)| taken)
    }
}

/// Gives back connections that no line has wanted for a while, until there are none.
async fn watch(kept: Arc<Mutex<Kept>>) {
    loop {
        sleep(KEPT_FOR).await;
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.connections.retain(|(_, since)| since.elapsed() < KEPT_FOR);
        if kept.connections.is_empty() {
            kept.watched = false;
            return;
        }
    }
}

impl Line<'_> {
    /// Which database this is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    /// Runs a statement.
    ///
    /// # Errors
    /// [`DbErr`] of the statement, or when no connection is free in time.
    pub async fn query(&mut self, statement: &SelectStatement) -> Result<Vec<QueryResult>, DbErr> {
        if self.backend() != DbBackend::Postgres {
            return self.pool.query_all(statement).await;
        }
        let mut sql = Sql::default();
        statement.build_collect_into(PostgresQueryBuilder, &mut sql);
        // Not there while the statement runs: who is cut off then does not leave it to others.
        let (mut taken, place) = match self.held.take() {
            Some(held) => held,
            None => self.connect().await?,
        };
        let Sql { text, values } = sql;
        let query = sqlx::query_with(AssertSqlSafe(text), SqlxValues(Values(values)));
        let rows = query.fetch_all(&mut *taken.connection).await;
        let rows = rows.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))?;
        self.held = Some((taken, place));
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }

    async fn connect(&self) -> Result<(Taken, OwnedSemaphorePermit), DbErr> {
        let place = timeout(ACQUIRE, Arc::clone(&self.lines.places).acquire_owned()).await;
        let place = place.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?;
        let place =
            place.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))?;
        if let Some(kept) = self.lines.take() {
            return Ok((kept, place));
        }
        let connection = self.pool.get_postgres_connection_pool().acquire().await;
        let connection = connection.map_err(|error| match error {
            sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
            sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
            error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
        })?;
        Ok((Taken { connection, since: Instant::now() }, place))
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if let Some((taken, place)) = self.held.take() {
            self.lines.keep(taken);
            drop(place);
        }
    }
}

/// A statement's text and values. Limits stand in the text: a plan for an unknown limit assumes a tenth of
/// the rows, so that PostgreSQL would plan the statement again each time.
#[derive(Default)]
struct Sql {
    text: String,
    values: Vec<Value>,
}

impl std::fmt::Write for Sql {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.text.push_str(text);
        Ok(())
    }
}

impl std::fmt::Display for Sql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl SqlWriter for Sql {
    fn push_param<T: QueryBuilder>(&mut self, value: Value, _: &T) {
        use std::fmt::Write as _;
        let _ = match value {
            Value::BigUnsigned(Some(number)) => write!(self.text, "{number}"),
            value => {
                self.values.push(value);
                write!(self.text, "${}", self.values.len())
            }
        };
    }

    fn as_writer(&mut self) -> &mut dyn std::fmt::Write {
        self
    }
}
