//! A PostgreSQL of our own: a fresh cluster, on loopback only, behind a password.
//!
//! Invariant: it keeps port and data over every stop, kill and start.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Signal, geteuid};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};

use super::{Process, Program, StackError, free_port, password};

/// How long a start may take; after a crash it includes recovery.
const START: Duration = Duration::from_mins(1);

/// Whether a committed row survives a crash of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As in production: a commit is on the disk.
    Durable,
    /// For test suites: several times faster; a killed server still recovers, a dead machine does
    /// not.
    Forgetful,
}

/// A running PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    url: String,
}

impl Postgres {
    /// Makes a cluster in `dir/postgres` and starts it.
    ///
    /// # Errors
    /// [`StackError::Missing`] without PostgreSQL's programs, otherwise what `initdb` or the server
    /// said.
    pub async fn start(dir: &Path, durability: Durability) -> Result<Self, StackError> {
        let programs = programs().ok_or(StackError::Missing("PostgreSQL (initdb, postgres)"))?;
        let owner = owner()?;
        let home = dir.join("postgres");
        std::fs::create_dir_all(&home)?;
        let (password, password_file) = (password(), home.join("password"));
        std::fs::write(&password_file, &password)?;
        std::fs::set_permissions(&password_file, std::fs::Permissions::from_mode(0o600))?;
        if let Some((user, group)) = owner {
            chown(&home, Some(user), Some(group))?;
            chown(&password_file, Some(user), Some(group))?;
        }
        let data = home.join("data");
        let program = |name: &str, args: Vec<String>| Program {
            name: name.to_owned(),
            path: programs.join(name),
            args: args.into_iter().map(Into::into).collect(),
            env: vec![("LC_ALL", "C".to_owned())],
            dir: home.clone(),
            log: dir.join("postgres.log"),
            owner,
        };
        let mut init = vec![format!("--pgdata={}", data.display())];
        init.push(format!("--pwfile={}", password_file.display()));
        init.extend(
            ["--username=rapport", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
                .map(str::to_owned),
        );
        if durability == Durability::Forgetful {
            init.push("--no-sync".to_owned());
        }
        program("initdb", init).run().await?;

        let port = free_port()?;
        let mut args = vec!["-D".to_owned(), data.display().to_string()];
        for setting in settings(port, durability) {
            args.extend(["-c".to_owned(), setting]);
        }
        let mut postgres = Self {
            process: Process::start(program("postgres", args))?,
            url: format!("postgres://rapport:{password}@127.0.0.1:{port}/postgres"),
        };
        postgres.ready().await?;
        Ok(postgres)
    }

    /// The address of its database `postgres`, as an owner who may create others.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of its database `name`.
    #[must_use]
    pub fn url_of(&self, name: &str) -> String {
        let server = self.url.strip_suffix("postgres").unwrap_or(&self.url);
        format!("{server}{name}")
    }

    /// Creates the empty database `name` and returns its address.
    ///
    /// # Errors
    /// When the server refuses, for example because it exists.
    pub async fn create_database(&self, name: &str) -> Result<String, DbErr> {
        let server = self.connect().await?;
        server.execute_unprepared(&format!("CREATE DATABASE \"{name}\"")).await?;
        server.close().await?;
        Ok(self.url_of(name))
    }

    /// `kill -9` of the server process. Its sessions notice and end by themselves.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Ends all sessions, writes everything down and stops.
    ///
    /// # Errors
    /// When it does not stop within half a minute.
    pub async fn stop(&mut self) -> Result<(), StackError> {
        self.process.stop(Signal::INT, Duration::from_secs(30)).await
    }

    /// Starts it again on the same port and data, and waits until it answers.
    ///
    /// # Errors
    /// When it does not get ready within a minute.
    pub async fn restart(&mut self) -> Result<(), StackError> {
        // Until the last session of a killed server has gone, a new one refuses to start.
        for _ in 0..100 {
            self.process.start_again()?;
            match self.ready().await {
                Err(_) if !self.process.is_running() => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                outcome => return outcome,
            }
        }
        self.ready().await
    }

    async fn ready(&mut self) -> Result<(), StackError> {
        let url = self.url.clone();
        self.process
            .ready(START, || async {
                match connect(&url).await {
                    Ok(connection) => connection.close().await.is_ok(),
                    Err(_) => false,
                }
            })
            .await
    }

    async fn connect(&self) -> Result<DatabaseConnection, DbErr> {
        connect(&self.url).await
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGQUIT takes the sessions along, so that the data directory can be removed at once.
        self.process.signal(Signal::QUIT);
        for _ in 0..100 {
            if !self.process.is_running() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// One connection that is known to work.
pub(super) async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).connect_timeout(Duration::from_secs(2)).sqlx_logging(false);
    let connection = Database::connect(options).await?;
    connection.execute_unprepared("SELECT 1").await?;
    Ok(connection)
}

fn settings(port: u16, durability: Durability) -> Vec<String> {
    let mut settings = vec![
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        "unix_socket_directories=".to_owned(),
        "max_connections=300".to_owned(),
        "timezone=UTC".to_owned(),
        "log_line_prefix=%m [%p] ".to_owned(),
    ];
    let forgetful = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];
    let durable = ["fsync=on", "synchronous_commit=on", "full_page_writes=on"];
    let chosen = if durability == Durability::Durable { durable } else { forgetful };
    settings.extend(chosen.map(str::to_owned));
    settings
}

/// The directory of `initdb` and `postgres`: on the path, where Debian keeps them (the newest), or
/// where `pg_config` says.
fn programs() -> Option<PathBuf> {
    let complete = |dir: &PathBuf| dir.join("initdb").is_file() && dir.join("postgres").is_file();
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(dir) = std::env::split_paths(&path).find(complete) {
        return Some(dir);
    }
    let mut installed: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, dir)| complete(dir))
        .collect();
    installed.sort();
    if let Some((_, dir)) = installed.pop() {
        return Some(dir);
    }
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let dir = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    complete(&dir).then_some(dir)
}

/// Whom to run as: ourselves, except that root, whom PostgreSQL refuses, becomes `postgres` or
/// `nobody`.
fn owner() -> Result<Option<(u32, u32)>, StackError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        let mut fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let fields = fields.find(|fields| fields.len() > 3 && fields[0] == name)?;
        Some((fields[2].parse().ok()?, fields[3].parse().ok()?))
    };
    let owner = find("postgres").or_else(|| find("nobody"));
    owner.ok_or(StackError::Missing("a user that is not root, for PostgreSQL to run as,")).map(Some)
}
