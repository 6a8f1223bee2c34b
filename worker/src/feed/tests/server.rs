//! A Redis of the test's own, that it may kill.

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncCommands, Client, FromRedisValue};
use tokio::time::sleep;

use crate::feed::{Feed, Publisher, StreamSettings};

pub(super) struct RedisServer {
    process: Option<Child>,
    port: u16,
    dir: PathBuf,
}

impl RedisServer {
    /// `None`, and it says so, where Redis is not installed.
    pub(super) async fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = std::env::temp_dir().join(format!("rapport-redis-{port}"));
        std::fs::create_dir_all(&dir).unwrap();
        let mut server = Self { process: None, port, dir };
        if server.boot().await {
            return Some(server);
        }
        // Not `eprintln!`, which is only shown of tests that fail.
        writeln!(std::io::stderr(), "SKIPPED: redis-server is not installed").unwrap();
        None
    }

    async fn boot(&mut self) -> bool {
        let spawned = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &self.port.to_string()])
            .arg("--dir")
            .arg(&self.dir)
            .stdout(Stdio::null())
            .spawn();
        let Ok(process) = spawned else { return false };
        self.process = Some(process);
        for _ in 0..3_000 {
            if Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.is_ok() {
                return true;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("redis-server does not answer on port {}", self.port);
    }

    pub(super) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    pub(super) async fn restart(&mut self) {
        assert!(self.boot().await);
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(super) async fn connect(&self) -> MultiplexedConnection {
        Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
    }

    /// Both ends of a feed whose leases are `lease` long.
    pub(super) fn feed(&self, lease: Duration) -> (Publisher, Feed) {
        let settings = StreamSettings::new(&self.url(), "rapport", "message", "test");
        Feed::redis(StreamSettings { lease, ..settings }).unwrap()
    }

    /// How many entries there are, and how many of them are with a consumer.
    pub(super) async fn entries(&self) -> (usize, usize) {
        let mut redis = self.connect().await;
        let all = redis.xlen(KEY).await.unwrap();
        let pending: ::redis::streams::StreamPendingReply =
            redis.xpending(KEY, "workers").await.unwrap();
        (all, pending.count())
    }

    /// Waits until every entry is acknowledged.
    pub(super) async fn settled(&self) {
        for _ in 0..3_000 {
            if self.entries().await == (0, 0) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("unacknowledged: {:?}", self.entries().await);
    }

    pub(super) async fn run<T: FromRedisValue>(&self, command: &str) -> T {
        let mut parts = command.split(' ');
        let mut command = ::redis::cmd(parts.next().unwrap());
        command.arg(parts.collect::<Vec<_>>());
        command.query_async(&mut self.connect().await).await.unwrap()
    }
}

/// The stream of [`RedisServer::feed`].
pub(super) const KEY: &str = "rapport:{message}";

impl Drop for RedisServer {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
        // Only a temporary directory is left behind otherwise.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
