//! How many batches have left, kept outside of the database: in Redis, or in a file on the embedded stack.
//!
//! Invariant: what is noted for a database only goes up, and may be lost; then it is noted anew with the next batch.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use entity::automation::sending::{Model, Noted};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use uuid::Uuid;

/// How long a batch waits for Redis.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why it could not be read or noted.
#[derive(Debug, thiserror::Error)]
pub enum SentError {
    /// Redis does not answer.
    #[error("Redis does not say how much was sent")]
    Redis(#[from] RedisError),
    /// The file cannot be read or written.
    #[error("the file that says how much was sent cannot be used: {0}")]
    File(PathBuf, #[source] std::io::Error),
}

/// Where it is noted. Clones share it.
#[derive(Clone)]
pub struct Sent(Place);

#[derive(Clone)]
enum Place {
    Redis { connection: ConnectionManager, key: String },
    File { path: Arc<Path>, turn: Arc<Mutex<()>> },
}

/// What the file says.
#[derive(Deserialize, Serialize)]
struct Line {
    token: Uuid,
    count: i64,
}

impl Sent {
    /// In Redis, under the installation's prefix. Does not connect yet, so Redis may be down. Needs a Tokio runtime.
    ///
    /// # Errors
    /// If the URL cannot be parsed.
    pub fn redis(url: &str, prefix: &str) -> Result<Self, RedisError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(1);
        let connection = ConnectionManager::new_lazy_with_config(Client::open(url)?, config)?;
        Ok(Self(Place::Redis { connection, key: format!("{prefix}:sent") }))
    }

    /// In a file that one process uses.
    #[must_use]
    pub fn file(path: PathBuf) -> Self {
        Self(Place::File { path: path.into(), turn: Arc::default() })
    }

    /// What is noted; nothing where it was lost.
    ///
    /// # Errors
    /// When nobody knows whether something is.
    pub async fn noted(&self) -> Result<Noted, SentError> {
        match &self.0 {
            Place::Redis { connection, key } => {
                let mut all = redis::cmd("ZRANGE");
                all.arg(key).arg(0).arg(-1).arg("WITHSCORES");
                let all: Vec<(String, i64)> = all.query_async(&mut connection.clone()).await?;
                let known = |(token, count): (String, i64)| Some((token.parse().ok()?, count));
                Ok(all.into_iter().filter_map(known).collect())
            }
            Place::File { path, .. } => {
                let line = read(path).await?;
                Ok(line.map(|line| (line.token, line.count)).into_iter().collect())
            }
        }
    }

    /// Notes that a batch leaves.
    ///
    /// # Errors
    /// When it could not be noted.
    pub async fn note(&self, counted: &Model) -> Result<(), SentError> {
        match &self.0 {
            Place::Redis { connection, key } => {
                let mut raise = redis::cmd("ZADD");
                raise.arg(key).arg("GT").arg(counted.count).arg(counted.token.to_string());
                Ok(raise.query_async(&mut connection.clone()).await?)
            }
            Place::File { path, turn } => {
                let _turn = turn.lock().await;
                let known = read(path).await?.filter(|line| line.token == counted.token);
                if known.is_some_and(|line| line.count >= counted.count) {
                    return Ok(());
                }
                let line = Line { token: counted.token, count: counted.count };
                let failed = |error| SentError::File(path.to_path_buf(), error);
                let text = serde_json::to_vec(&line).map_err(|error| failed(error.into()))?;
                // There whole or not at all, whenever the machine stops.
                let draft = path.with_extension(format!("{:016x}", rand::random::<u64>()));
                tokio::fs::write(&draft, text).await.map_err(failed)?;
                tokio::fs::rename(&draft, path).await.map_err(failed)
            }
        }
    }
}

/// What a file says, if it is there and can be understood.
async fn read(path: &Path) -> Result<Option<Line>, SentError> {
    match tokio::fs::read(path).await {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SentError::File(path.to_owned(), error)),
    }
}
