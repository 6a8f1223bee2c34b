//! What both processes are configured with. All of it is environment variables (each is a flag too):
//! `DATA_DIR`, `DATABASE_URL`, `DATABASE_POOL`, `REDIS_URL`, `REDIS_PREFIX`, `SMTP_URL`,
//! `SMTP_CONNECTIONS`, `SMTP_TIMEOUT_S`, `FILES_URL`, `PUBLIC_URL`, `RAPPORT_ENV`, `DKIM_DOMAIN`,
//! `DKIM_SELECTOR`, `DKIM_KEY`, `DKIM_KEY_FILE`, `MAIL_RETRY_S`, `LEASE_S`, `SENDERS`, `WEBHOOK_ALLOW`, `LOG`,
//! `LOG_FORMAT`, `SMS_URL`, `SMS_TOKEN`, `SMS_TOKEN_FILE`, `SMS_SENDER`, `LINK_KEY`, `LINK_KEY_FILE`, `LINK_KEY_PREVIOUS`,
//! `LINK_KEY_PREVIOUS_FILE`, `MAIL_ATTACHMENT_MAX`; and for a bucket as `FILES_URL` those that all programs for S3 know: `AWS_ENDPOINT`,
//! `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ALLOW_HTTP` and so on.
//!
//! Invariant: a wrong value is refused at start, with a sentence that says what is allowed.

pub mod key;
mod link;
mod sms;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use entity::access::role;
use entity::automation::workflow::preset;
use entity::clock::Clock;
use entity::db::Db;
use object_store::ObjectStore;
use url::{Host, Url};

pub use self::link::LinkKeys;
pub use self::sms::Sms;
use crate::feed::{Feed, FeedError, Publisher, Signal, StreamSettings};
use crate::mail::dkim::{Dkim, DkimError};
use crate::mail::smtp::{Settings, SettingsError, Smtp, Timeouts};
use crate::mail::transport::{FileOutbox, Transport};
use crate::sent::Sent;
use crate::store::{Place, StoreError};

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable has a value that it cannot have.
    #[error("{0}: {1}")]
    Refused(&'static str, String),
    /// A file that a variable names cannot be read.
    #[error("{0}: {1} cannot be read")]
    Unreadable(&'static str, PathBuf, #[source] std::io::Error),
    /// The mail server's address.
    #[error("SMTP_URL")]
    Smtp(#[from] SettingsError),
    /// The gateway of text messages.
    #[error("SMS_URL")]
    Sms(#[from] crate::sms::SettingsError),
    /// The signing key.
    #[error("DKIM_KEY")]
    Dkim(#[from] DkimError),
    /// Redis's address.
    #[error("REDIS_URL")]
    Redis(#[from] FeedError),
    /// The file store.
    #[error("FILES_URL")]
    Files(#[from] StoreError),
    /// The database.
    #[error("DATABASE_URL: the database cannot be reached")]
    Database(#[from] sea_orm::DbErr),
    /// The roles of Rapport.
    #[error("DATABASE_URL: the roles of Rapport cannot be brought up to date")]
    Roles(#[from] entity::Error),
}

/// Where the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// On somebody's desk: everything has a default.
    Development,
    /// For real: nothing insecure is accepted.
    Production,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line, for machines.
    Json,
}

/// The stack that a process works on. Without any of it: `SQLite`, a queue in the process, and mail as
/// files.
#[derive(Args, Clone, Debug)]
pub struct Stack {
    /// Where the embedded stack keeps its database, mails, files and key.
    #[arg(long, env = "DATA_DIR", default_value = "var", value_name = "DIR", global = true)]
    pub data_dir: PathBuf,
    /// `postgres://user:password@host/database`, or `sqlite://path` [default: SQLite in DATA_DIR]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL", global = true)]
    pub database_url: Option<String>,
    /// Connections to the database, at most; `serve` opens all of them before it listens.
    #[arg(long, env = "DATABASE_POOL", default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=500), value_name = "N", global = true)]
    pub database_pool: u32,
    /// `redis://:password@host:6379/0`. Without it the workers run inside `rapport serve`.
    #[arg(long, env = "REDIS_URL", hide_env_values = true, value_name = "URL", global = true)]
    pub redis_url: Option<String>,
    /// Tells installations apart that share a Redis.
    #[arg(
        long,
        env = "REDIS_PREFIX",
        default_value = "rapport",
        value_name = "NAME",
        global = true
    )]
    pub redis_prefix: String,
    /// `smtp://user:password@host:587?tls=required` or `smtps://…`. Without it mails become files in
    /// `DATA_DIR/mail`.
    #[arg(long, env = "SMTP_URL", hide_env_values = true, value_name = "URL", global = true)]
    pub smtp_url: Option<String>,
    /// Connections to the mail server, at most.
    #[arg(long, env = "SMTP_CONNECTIONS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=500), value_name = "N", global = true)]
    pub smtp_connections: u16,
    /// How long the mail server may take to answer, in seconds.
    #[arg(long, env = "SMTP_TIMEOUT_S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=600), value_name = "SECONDS", global = true)]
    pub smtp_timeout_s: u64,
    /// Where text messages go.
    #[command(flatten)]
    pub sms: Sms,
    /// What the links are signed with that customers get.
    #[command(flatten)]
    pub link_keys: LinkKeys,
    /// Where files are kept: `file:///path`, shared by all processes, or `s3://bucket/prefix` with the
    /// `AWS_…` variables [default: `DATA_DIR/files`]
    #[arg(long, env = "FILES_URL", value_name = "URL", global = true)]
    pub files_url: Option<String>,
    /// The address that people reach Rapport at; its host stands in Message-IDs.
    #[arg(
        long,
        env = "PUBLIC_URL",
        default_value = "http://localhost:8000",
        value_name = "URL",
        global = true
    )]
    pub public_url: Url,
    /// In production missing secrets and unencrypted connections are refused.
    #[arg(
        long = "env",
        env = "RAPPORT_ENV",
        default_value = "development",
        value_name = "WHERE",
        global = true
    )]
    pub environment: Environment,
    /// The domain that mails are signed for (DKIM); needs DKIM_SELECTOR and DKIM_KEY too.
    #[arg(long, env = "DKIM_DOMAIN", value_name = "DOMAIN", global = true)]
    pub dkim_domain: Option<String>,
    /// The selector under which the public key stands in the DNS.
    #[arg(long, env = "DKIM_SELECTOR", value_name = "NAME", global = true)]
    pub dkim_selector: Option<String>,
    /// The private key in PEM, RSA or ed25519.
    #[arg(long, env = "DKIM_KEY", hide_env_values = true, value_name = "PEM", global = true)]
    pub dkim_key: Option<String>,
    /// A file with that key instead.
    #[arg(long, env = "DKIM_KEY_FILE", value_name = "FILE", global = true)]
    pub dkim_key_file: Option<PathBuf>,
    /// The pause after a mail's first temporary failure, in seconds; it doubles with each.
    #[arg(long, env = "MAIL_RETRY_S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "SECONDS", global = true)]
    pub mail_retry_s: u64,
    /// How many bytes a document has at most that mails have attached; to a larger one they have a link alone.
    #[arg(long, env = "MAIL_ATTACHMENT_MAX", default_value_t = 5 << 20, value_name = "BYTES", global = true)]
    pub mail_attachment_max: u64,
    /// How long a worker may be silent before its work is given to others, in seconds.
    #[arg(long, env = "LEASE_S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(3..=600), value_name = "SECONDS", global = true)]
    pub lease_s: u64,
    /// How many batches of up to 8 mails a process sends at once.
    #[arg(long, env = "SENDERS", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64), value_name = "N", global = true)]
    pub senders: u16,
    /// Addresses within your network that webhooks may go to all the same, separated by commas.
    #[arg(
        long,
        env = "WEBHOOK_ALLOW",
        value_delimiter = ',',
        value_name = "ADDRESSES",
        global = true
    )]
    pub webhook_allow: Vec<IpAddr>,
    /// What is logged: `info`, or a filter such as `info,worker=debug`.
    #[arg(long, env = "LOG", default_value = "info", value_name = "FILTER", global = true)]
    pub log: String,
    /// How the log is written [default: text, json in production]
    #[arg(long, env = "LOG_FORMAT", value_name = "FORMAT", global = true)]
    pub log_format: Option<LogFormat>,
}

impl Stack {
    /// Refuses what is not safe enough for production.
    ///
    /// # Errors
    /// [`ConfigError::Refused`] with what to set.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |name, what: &str| Err(ConfigError::Refused(name, what.to_owned()));
        if let Some(url) = &self.database_url
            && !["postgres://", "postgresql://", "sqlite://"]
                .iter()
                .any(|scheme| url.starts_with(scheme))
        {
            return refuse(
                "DATABASE_URL",
                "write postgres://user:password@host/database or sqlite://path",
            );
        }
        if self.environment == Environment::Development {
            return Ok(());
        }
        let Some(database) = self.database_url.as_deref().and_then(|url| Url::parse(url).ok())
        else {
            return refuse(
                "DATABASE_URL",
                "production needs PostgreSQL; write postgres://user:password@host/database",
            );
        };
        if database.scheme() == "sqlite" {
            return refuse(
                "DATABASE_URL",
                "production needs PostgreSQL; SQLite is for one machine",
            );
        }
        let encrypted = database.query_pairs().any(|(name, value)| {
            name == "sslmode" && matches!(&*value, "require" | "verify-ca" | "verify-full")
        });
        if !encrypted && !is_loopback(&database) {
            return refuse(
                "DATABASE_URL",
                "add ?sslmode=verify-full (or require): the database is on another machine",
            );
        }
        let Some(redis) = self.redis_url.as_deref().and_then(|url| Url::parse(url).ok()) else {
            return refuse(
                "REDIS_URL",
                "production needs Redis; write redis://:password@host:6379/0",
            );
        };
        if redis.password().is_none_or(str::is_empty) {
            return refuse(
                "REDIS_URL",
                "production needs a Redis with a password; write redis://:password@host:6379/0",
            );
        }
        if self.smtp_url.is_none() {
            return refuse(
                "SMTP_URL",
                "production needs a mail server; write smtp://user:password@host:587?tls=required",
            );
        }
        if self.public_url.scheme() != "https" && !is_loopback(&self.public_url) {
            return refuse(
                "PUBLIC_URL",
                "production needs the https:// address that people reach Rapport at",
            );
        }
        Ok(())
    }

    /// Opens the database and brings its schema and the roles of Rapport up to date. A server that is away, as after a power
    /// cut in which all start at once, is waited for.
    ///
    /// # Errors
    /// When it cannot be reached within a minute, or a migration fails.
    pub async fn database(&self, clock: &Clock) -> Result<Db, ConfigError> {
        let embedded = || format!("sqlite://{}", self.data_dir.join("rapport.db").display());
        let url = self.database_url.clone().unwrap_or_else(embedded);
        let mut tries = 0;
        loop {
            match open(&url, self.database_pool).await {
                Err(error) if tries < 30 && is_away(&error) => {
                    tries += 1;
                    tracing::warn!(error = %crate::relay::chain(&error), "waiting for the database");
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
                opened => {
                    let db = opened?;
                    role::install(&db, clock.now()).await?;
                    preset::install(&db, clock.now()).await?;
                    return Ok(db);
                }
            }
        }
    }

    /// Where files are kept.
    ///
    /// # Errors
    /// When the address is none of a folder or a bucket.
    pub fn place(&self) -> Result<Place, ConfigError> {
        match &self.files_url {
            None => Ok(Place::Folder(self.data_dir.join("files"))),
            Some(url) => Ok(Place::parse(url)?),
        }
    }

    /// Opens the file store.
    ///
    /// # Errors
    /// When the address is none of a store, or the folder cannot be made.
    pub fn files(&self) -> Result<Arc<dyn ObjectStore>, ConfigError> {
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Ok(self.place()?.open(std::env::vars_os().filter_map(text))?)
    }

    /// What mails are handed to.
    ///
    /// # Errors
    /// When the mail server's address is malformed.
    pub fn transport(&self) -> Result<Transport, ConfigError> {
        let Some(url) = &self.smtp_url else {
            return Ok(Transport::Files(FileOutbox::new(self.data_dir.join("mail"))));
        };
        let reply = Duration::from_secs(self.smtp_timeout_s);
        let mut settings = Settings::parse(url)?.hello(&self.domain());
        settings.connections = usize::from(self.smtp_connections);
        settings.timeouts = Timeouts {
            connect: reply.min(Duration::from_secs(10)),
            command: reply.min(Duration::from_secs(30)),
            reply,
        };
        Ok(Transport::Smtp(Smtp::new(settings)))
    }

    /// What mails are signed with, if anything.
    ///
    /// # Errors
    /// When only a part of it is given, or the key is none.
    pub fn dkim(&self) -> Result<Option<Arc<Dkim>>, ConfigError> {
        let key = secret("DKIM_KEY_FILE", self.dkim_key.clone(), self.dkim_key_file.as_ref())?;
        match (&self.dkim_domain, &self.dkim_selector, &key) {
            (None, None, None) => Ok(None),
            (Some(domain), Some(selector), Some(key)) => {
                Ok(Some(Arc::new(Dkim::new(domain, [(selector.as_str(), key.as_str())])?)))
            }
            _ => {
                let what = "signing needs DKIM_DOMAIN, DKIM_SELECTOR and DKIM_KEY (or DKIM_KEY_FILE) together";
                Err(ConfigError::Refused("DKIM_DOMAIN", what.to_owned()))
            }
        }
    }

    /// The feed of one kind of work.
    ///
    /// # Errors
    /// When Redis's address is malformed.
    pub fn feed(&self, lane: &str) -> Result<(Publisher, Feed), ConfigError> {
        let Some(url) = &self.redis_url else { return Ok(Feed::embedded()) };
        let mut settings = StreamSettings::new(url, &self.redis_prefix, lane, "worker");
        settings.lease = self.lease();
        Ok(Feed::redis(settings)?)
    }

    /// Where it is noted how much has left.
    ///
    /// # Errors
    /// When Redis's address is malformed.
    pub fn sent(&self) -> Result<Sent, ConfigError> {
        match &self.redis_url {
            Some(url) => Ok(Sent::redis(url, &self.redis_prefix).map_err(FeedError::Address)?),
            None => Ok(Sent::file(self.data_dir.join("sent.json"))),
        }
    }

    /// The wake-up from whoever writes to the relays.
    ///
    /// # Errors
    /// When Redis's address is malformed.
    pub fn signal(&self) -> Result<Signal, ConfigError> {
        match &self.redis_url {
            Some(url) => Ok(Signal::redis(url, &self.redis_prefix)?),
            None => Ok(Signal::embedded()),
        }
    }

    /// How long a worker may be silent before its work is given to others.
    #[must_use]
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_s)
    }

    /// The host of the public address: the right side of Message-IDs, and our name to mail servers.
    #[must_use]
    pub fn domain(&self) -> String {
        match self.public_url.host() {
            Some(Host::Domain(name)) if name.contains('.') => name.to_owned(),
            _ => "rapport.localhost".to_owned(),
        }
    }
}

/// Whether the server could not be reached. A wrong password or a missing file is not cured by waiting.
fn is_away(error: &sea_orm::DbErr) -> bool {
    use sea_orm::{DbErr, RuntimeErr, SqlxError};
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(cause)) => {
            // 57P…: it is starting up, shutting down, or has just crashed.
            matches!(**cause, SqlxError::Io(_) | SqlxError::PoolTimedOut)
                || entity::db::code(error).is_some_and(|code| code.starts_with("57P"))
        }
        DbErr::ConnectionAcquire(_) => true,
        _ => false,
    }
}

async fn open(url: &str, connections: u32) -> Result<Db, sea_orm::DbErr> {
    let db = Db::connect(url, connections).await?;
    migration::migrate(db.reader()).await?;
    Ok(db)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        // The host of a scheme that browsers do not know, such as postgres, is never read as an address.
        Some(Host::Domain(name)) => {
            name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => true,
    }
}

/// A secret that is given as itself or as a file.
///
/// # Errors
/// When the file cannot be read.
pub fn secret(
    name: &'static str,
    given: Option<String>,
    file: Option<&PathBuf>,
) -> Result<Option<String>, ConfigError> {
    match (given, file) {
        (Some(secret), _) => Ok(Some(secret)),
        (None, Some(path)) => std::fs::read_to_string(path)
            .map(|text| Some(text.trim_end().to_owned()))
            .map_err(|error| ConfigError::Unreadable(name, path.clone(), error)),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
