//! A Redis of our own: persistent as in production, on loopback only, behind a password.
//!
//! Invariant: it keeps port and data over every stop, kill and start, except for the last second
//! before a kill.

use std::path::Path;
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, Cmd, RedisResult};
use rustix::process::Signal;

use super::{Process, Program, StackError, free_port, password};

/// A running Redis.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    url: String,
}

impl Redis {
    /// Starts `redis-server` in `dir/redis`.
    ///
    /// # Errors
    /// [`StackError::Missing`] without `redis-server`, otherwise what it said.
    pub async fn start(dir: &Path) -> Result<Self, StackError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::split_paths(&path)
            .map(|dir| dir.join("redis-server"))
            .find(|path| path.is_file())
            .ok_or(StackError::Missing("redis-server"))?;
        let home = dir.join("redis");
        std::fs::create_dir_all(&home)?;
        let (port, password) = (free_port()?, password());
        // In a file, because arguments can be read by everybody on the machine.
        let configuration = home.join("redis.conf");
        std::fs::write(&configuration, settings(port, &password))?;
        let program = Program {
            name: "redis".to_owned(),
            path,
            args: vec![configuration.into()],
            env: Vec::new(),
            dir: home,
            log: dir.join("redis.log"),
            owner: None,
        };
        let mut redis = Self {
            process: Process::start(program)?,
            url: format!("redis://:{password}@127.0.0.1:{port}"),
        };
        redis.ready().await?;
        Ok(redis)
    }

    /// Its address, password included.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Forgets everything, as after a failover to an empty replica.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn flush(&self) -> RedisResult<()> {
        ask(&self.url, "FLUSHALL").await
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// `SIGSTOP`: connections stay open and nothing answers.
    pub fn freeze(&mut self) {
        self.process.freeze();
    }

    /// `SIGCONT`.
    pub fn thaw(&mut self) {
        self.process.thaw();
    }

    /// Writes everything down and stops.
    ///
    /// # Errors
    /// When it does not stop within ten seconds.
    pub async fn stop(&mut self) -> Result<(), StackError> {
        self.process.stop(Signal::TERM, Duration::from_secs(10)).await
    }

    /// Starts it again on the same port and data, and waits until it answers.
    ///
    /// # Errors
    /// When it does not get ready within half a minute.
    pub async fn restart(&mut self) -> Result<(), StackError> {
        self.process.start_again()?;
        self.ready().await
    }

    async fn ready(&mut self) -> Result<(), StackError> {
        let url = self.url.clone();
        self.process.ready(Duration::from_secs(30), async || ask(&url, "PING").await.is_ok()).await
    }
}

async fn ask(url: &str, command: &str) -> RedisResult<()> {
    let patience = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(Duration::from_secs(2)))
        .set_response_timeout(Some(Duration::from_secs(5)));
    let mut connection =
        Client::open(url)?.get_multiplexed_async_connection_with_config(&patience).await?;
    Cmd::new().arg(command).query_async::<String>(&mut connection).await.map(|_| ())
}

fn settings(port: u16, password: &str) -> String {
    format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir .\nsave \"\"\nappendonly yes\n\
         appendfsync everysec\nmaxmemory-policy noeviction\ndaemonize no\n"
    )
}
