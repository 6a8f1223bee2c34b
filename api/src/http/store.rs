//! What the processes of an installation share for a while through Redis.
//!
//! Invariant: best effort. Redis may be away or lose everything; then each process goes by what it knows
//! itself, within `PATIENCE`.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisResult};

/// How long a request may wait for Redis.
const PATIENCE: Duration = Duration::from_millis(250);

/// A place in Redis. Clones share one connection.
#[derive(Clone)]
pub struct Store {
    connection: ConnectionManager,
    prefix: String,
}

impl Store {
    /// Under the installation's prefix. Does not connect yet, so Redis may be down. Needs a Tokio
    /// runtime.
    ///
    /// # Errors
    /// If the URL cannot be parsed.
    pub fn open(url: &str, prefix: &str) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(Client::open(url)?, config)?;
        Ok(Self { connection, prefix: prefix.to_owned() })
    }

    pub(super) fn connection(&self) -> ConnectionManager {
        self.connection.clone()
    }

    /// A key; those with the same `group` lie on the same node of a cluster.
    pub(super) fn key(&self, group: &str, name: &str) -> String {
        format!("{{{}:{group}}}:{name}", self.prefix)
    }
}
