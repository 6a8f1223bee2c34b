//! What the links that customers get are signed with: `LINK_KEY`, `LINK_KEY_FILE`, `LINK_KEY_PREVIOUS` and
//! `LINK_KEY_PREVIOUS_FILE`.

use std::path::PathBuf;

use clap::Args;

use super::key::long_enough;
use super::{ConfigError, Stack, secret};
use crate::link::Links;

/// The keys of links.
#[derive(Args, Clone, Debug)]
pub struct LinkKeys {
    /// The secret that links of customers are signed with: 32 characters or more, the same for all processes
    /// [default in development: made once and kept in `DATA_DIR/link.key`]
    #[arg(long, env = "LINK_KEY", hide_env_values = true, value_name = "SECRET", global = true)]
    pub link_key: Option<String>,
    /// A file with that secret instead.
    #[arg(long, env = "LINK_KEY_FILE", value_name = "FILE", global = true)]
    pub link_key_file: Option<PathBuf>,
    /// The secrets before it was replaced, with spaces between: links that were signed with them stay good.
    #[arg(
        long,
        env = "LINK_KEY_PREVIOUS",
        hide_env_values = true,
        value_name = "SECRETS",
        global = true
    )]
    pub link_key_previous: Option<String>,
    /// A file with those secrets instead, one a line.
    #[arg(long, env = "LINK_KEY_PREVIOUS_FILE", value_name = "FILE", global = true)]
    pub link_key_previous_file: Option<PathBuf>,
}

impl Stack {
    /// What signs the links that customers get, and takes those that earlier keys have signed.
    ///
    /// # Errors
    /// When a key is missing in production, too short, or cannot be read.
    pub fn links(&self) -> Result<Links, ConfigError> {
        let LinkKeys { link_key, link_key_file, link_key_previous, link_key_previous_file } =
            &self.link_keys;
        let given = secret("LINK_KEY_FILE", link_key.clone(), link_key_file.as_ref())?;
        let mut links = Links::new(&self.key("LINK_KEY", given, "link.key")?);
        let (previous, file) = (link_key_previous.clone(), link_key_previous_file.as_ref());
        let previous = secret("LINK_KEY_PREVIOUS_FILE", previous, file)?.unwrap_or_default();
        for key in previous.split_whitespace() {
            links = links.after(&long_enough("LINK_KEY_PREVIOUS", key.as_bytes().to_vec())?);
        }
        Ok(links)
    }
}
