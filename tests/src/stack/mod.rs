//! Throw-away servers on free ports: PostgreSQL, Redis and a mail server that can misbehave.
//!
//! Invariant: whatever happens to the caller short of `kill -9`, no server outlives its handle, and
//! its data goes with the directory it was started in.

mod port;
mod postgres;
mod process;
mod redis;
pub mod sink;

use std::io;
use std::path::Path;

pub use self::redis::Redis;
pub use port::free_port;
pub use postgres::{Durability, Postgres};
pub use process::{Process, Program};
use tempfile::TempDir;
pub use worker::relay::chain;

/// Why a server cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The machine lacks a program.
    #[error("{0} was not found; `tests/run` installs it or says how to get it")]
    Missing(&'static str),
    /// A program ended that should have gone on, or does not get ready.
    #[error("{name} {what}; its last words in {log}:\n{tail}")]
    Failed {
        /// The server's name.
        name: String,
        /// What it did.
        what: String,
        /// Where its output is.
        log: String,
        /// The end of its output.
        tail: String,
    },
    /// A file, a port or a process could not be used.
    #[error("a file, port or process of the throw-away servers could not be used")]
    Io(#[from] io::Error),
}

/// A temporary directory for servers, which other users may cross: PostgreSQL refuses to run as
/// root, so its data belongs to somebody else.
///
/// # Errors
/// When the directory cannot be made.
pub fn scratch(prefix: &str) -> io::Result<TempDir> {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::Builder::new().prefix(prefix).tempdir()?;
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711))?;
    Ok(dir)
}

/// PostgreSQL and Redis for a test suite: quick, and forgetful if the machine dies.
pub struct Servers {
    /// The database server; each test makes its own database on it.
    pub postgres: Postgres,
    /// The Redis; each test takes its own prefix.
    pub redis: Redis,
}

impl Servers {
    /// Starts both in `dir`.
    ///
    /// # Errors
    /// When a program is missing or a server does not get ready.
    pub async fn start(dir: &Path) -> Result<Self, StackError> {
        let (postgres, redis) =
            tokio::try_join!(Postgres::start(dir, Durability::Forgetful), Redis::start(dir),)?;
        Ok(Self { postgres, redis })
    }
}

/// Waits for SIGINT or SIGTERM, after which servers must be dropped in good order.
pub async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};

    let wait = async |kind| match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        // Without a handler the signal ends us at once, so there is nothing to wait for.
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
    }
}

/// A command without what `cargo run` told this program about its own package. A Cargo that
/// inherits it takes it for a change and builds some dependencies anew.
#[must_use]
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// A password for a server that lives for minutes.
fn password() -> String {
    use rand::RngExt;
    format!("{:032x}", rand::rng().random::<u128>())
}

#[cfg(test)]
mod tests;
