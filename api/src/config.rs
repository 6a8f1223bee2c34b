//! What `rapport serve` is configured with, besides the stack of [`worker::config`]: `LISTEN`,
//! `TOKEN_KEY`, `TOKEN_KEY_FILE`, `PROXIES`, `CORS_ORIGINS`, `MAX_REQUESTS`.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use worker::config::{ConfigError, Environment, Stack, secret};

/// The shortest key that tokens are signed with, in bytes.
const SHORTEST_KEY: usize = 32;

/// What `rapport serve` is configured with.
#[derive(Args, Clone, Debug)]
pub struct Server {
    /// Where to listen; port 0 takes any free one.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// The secret that access tokens are signed and second factors sealed with: 32 characters or more,
    /// the same for all processes; with another one, second factors open by recovery codes alone
    /// [default in development: made once and kept in `DATA_DIR/token.key`]
    #[arg(long, env = "TOKEN_KEY", hide_env_values = true, value_name = "SECRET")]
    pub token_key: Option<String>,
    /// A file with that secret instead.
    #[arg(long, env = "TOKEN_KEY_FILE", value_name = "FILE")]
    pub token_key_file: Option<PathBuf>,
    /// How many proxies of your own stand before this server; as many entries of X-Forwarded-For are
    /// believed.
    #[arg(long, env = "PROXIES", default_value_t = 0, value_name = "N")]
    pub proxies: usize,
    /// The origins that browsers may call from, separated by commas; none by default.
    #[arg(long, env = "CORS_ORIGINS", value_delimiter = ',', value_name = "ORIGINS")]
    pub cors_origins: Vec<String>,
    /// Requests at once; more are refused with 503 and told when to come back.
    #[arg(long, env = "MAX_REQUESTS", default_value_t = 256, value_name = "N")]
    pub max_requests: usize,
}

impl Server {
    /// The secret that access tokens are signed with.
    ///
    /// # Errors
    /// When it is missing in production, too short, or cannot be read.
    pub fn key(&self, stack: &Stack) -> Result<Vec<u8>, ConfigError> {
        let given = secret("TOKEN_KEY_FILE", self.token_key.clone(), self.token_key_file.as_ref())?;
        let refuse = |what: &str| Err(ConfigError::Refused("TOKEN_KEY", what.to_owned()));
        match given {
            Some(key) if key.len() < SHORTEST_KEY => {
                refuse("a key needs 32 characters or more; `openssl rand -hex 32` makes one")
            }
            Some(key) => Ok(key.into_bytes()),
            None if stack.environment == Environment::Production => refuse(
                "production needs a key, the same for all processes; `openssl rand -hex 32` makes one",
            ),
            None => kept_key(&stack.data_dir.join("token.key")),
        }
    }
}

/// The key in `path`, made on first use and readable by its owner only.
fn kept_key(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let failed = |error| ConfigError::Unreadable("DATA_DIR", path.to_owned(), error);
    if let Ok(key) = std::fs::read(path)
        && key.len() >= SHORTEST_KEY
    {
        return Ok(key);
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let key = entity::text::hex(&rand::random::<[u8; 32]>());
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(key.as_bytes()).map_err(failed)?;
    Ok(key.into_bytes())
}
