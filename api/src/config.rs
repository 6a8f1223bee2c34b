//! What `rapport serve` is configured with, besides the stack of [`worker::config`]: `LISTEN`,
//! `TOKEN_KEY`, `TOKEN_KEY_FILE`, `TOKEN_KEY_PREVIOUS`, `TOKEN_KEY_PREVIOUS_FILE`, `PROXIES`, `CORS_ORIGINS`, `MAX_REQUESTS`, `DOCUMENTS`,
//! `INTROSPECTION`, `RATE_LIMIT`, `RATE_LIMIT_ANONYMOUS`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use entity::clock::Clock;
use worker::config::key::long_enough;
use worker::config::{ConfigError, Environment, Stack, secret};

use crate::files::link::Links;
use crate::http::budget::{Allowance, Budget};
use crate::http::documents::{Documents, Manifest, ManifestError, Shelf};
use crate::http::store::Store;
use crate::serve::Development;

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
    /// The secret before it was replaced: links to files that were signed with it stay good until they
    /// expire.
    #[arg(long, env = "TOKEN_KEY_PREVIOUS", hide_env_values = true, value_name = "SECRET")]
    pub token_key_previous: Option<String>,
    /// A file with that secret instead.
    #[arg(long, env = "TOKEN_KEY_PREVIOUS_FILE", value_name = "FILE")]
    pub token_key_previous_file: Option<PathBuf>,
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
    /// Points of complexity that each user may ask for in a minute; 0 is no limit.
    #[arg(long, env = "RATE_LIMIT", default_value_t = 1_000_000, value_name = "POINTS")]
    pub rate_limit: u64,
    /// The same for each address without a user, who can do no more than log in; 0 is no limit.
    #[arg(long, env = "RATE_LIMIT_ANONYMOUS", default_value_t = 5_000, value_name = "POINTS")]
    pub rate_limit_anonymous: u64,
    /// The only documents that run: a manifest as Apollo's or Relay's build writes it [default: any
    /// document runs]
    #[arg(long, env = "DOCUMENTS", value_name = "FILE")]
    pub documents: Option<PathBuf>,
    /// Whether the schema can be asked what there is in it [default: on, off in production]
    #[arg(long, env = "INTROSPECTION", value_name = "SWITCH")]
    pub introspection: Option<Switch>,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

impl Server {
    /// Which documents run, kept in `store` where they may be any.
    ///
    /// # Errors
    /// When the manifest cannot be read.
    pub fn documents(
        &self,
        store: Option<Store>,
        clock: &Clock,
    ) -> Result<Documents, ManifestError> {
        match &self.documents {
            Some(file) => Ok(Documents::listed(Manifest::read(file)?)),
            None => Ok(Documents::automatic(Shelf::new(store, clock.clone()))),
        }
    }

    /// What each user and each address may ask for in a minute.
    #[must_use]
    pub fn budget(&self, store: Option<Store>, clock: &Clock) -> Budget {
        let limit = |points: u64| (points > 0).then_some(points);
        let allowance = Allowance {
            account: limit(self.rate_limit),
            address: limit(self.rate_limit_anonymous),
        };
        Budget::new(allowance, clock.clone(), store)
    }

    /// Whether the schema tells about itself.
    #[must_use]
    pub fn introspection(&self, stack: &Stack) -> bool {
        match self.introspection {
            Some(switch) => switch == Switch::On,
            None => stack.environment == Environment::Development,
        }
    }

    /// What only developers see: nothing in production. `demo` is whether there is demonstration data.
    #[must_use]
    pub fn development(&self, stack: &Stack, demo: bool) -> Option<Development> {
        (stack.environment == Environment::Development).then(|| Development {
            mailbox: stack.smtp_url.is_none().then(|| stack.data_dir.join("mail")),
            texts: stack.sms.sms_url.is_none().then(|| stack.data_dir.join("sms")),
            demo,
        })
    }

    /// The secret that access tokens are signed with.
    ///
    /// # Errors
    /// When it is missing in production, too short, or cannot be read.
    pub fn key(&self, stack: &Stack) -> Result<Vec<u8>, ConfigError> {
        let given = secret("TOKEN_KEY_FILE", self.token_key.clone(), self.token_key_file.as_ref())?;
        stack.key("TOKEN_KEY", given, "token.key")
    }

    /// What signs links to files with `key`, and takes those that the key before it has signed.
    ///
    /// # Errors
    /// When that key is too short or cannot be read.
    pub fn links(&self, key: &[u8]) -> Result<Links, ConfigError> {
        let file = self.token_key_previous_file.as_ref();
        let previous = secret("TOKEN_KEY_PREVIOUS_FILE", self.token_key_previous.clone(), file)?;
        let links = Links::new(key);
        Ok(match previous {
            Some(previous) => {
                links.after(&long_enough("TOKEN_KEY_PREVIOUS", previous.into_bytes())?)
            }
            None => links,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Process {
        #[command(flatten)]
        stack: Stack,
        #[command(flatten)]
        server: Server,
    }

    /// Whether the schema tells about itself, and whether there is a mailbox, if developers see anything.
    fn shown(arguments: &[&str]) -> (bool, Option<bool>) {
        let all = ["test"].iter().chain(arguments);
        let Process { stack, server } = Process::try_parse_from(all).unwrap();
        let development = server.development(&stack, true);
        (server.introspection(&stack), development.map(|shown| shown.mailbox.is_some()))
    }

    #[test]
    fn production_shows_developers_nothing_but_what_it_is_told_to() {
        assert_eq!(shown(&[]), (true, Some(true)));
        assert_eq!(shown(&["--introspection=off"]), (false, Some(true)));
        assert_eq!(shown(&["--smtp-url=smtp://127.0.0.1:25"]), (true, Some(false)));
        assert_eq!(shown(&["--env=production"]), (false, None));
        assert_eq!(shown(&["--env=production", "--introspection=on"]), (true, None));
    }
}
