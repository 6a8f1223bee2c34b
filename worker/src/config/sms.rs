//! Where text messages go: `SMS_URL`, `SMS_TOKEN`, `SMS_TOKEN_FILE` and `SMS_SENDER`.

use std::path::PathBuf;

use clap::Args;

use super::{ConfigError, Environment, Stack, secret};
use crate::sms::{Gateway, HttpGateway, Settings};

/// A provider of text messages.
#[derive(Args, Clone, Debug)]
pub struct Sms {
    /// `https://:token@gateway.example/path`, which text messages are posted to as JSON. Without it they become files in
    /// `DATA_DIR/sms`; in production none goes out.
    #[arg(long, env = "SMS_URL", hide_env_values = true, value_name = "URL", global = true)]
    pub sms_url: Option<String>,
    /// The token that the gateway knows us by, instead of the address's password.
    #[arg(long, env = "SMS_TOKEN", hide_env_values = true, value_name = "TOKEN", global = true)]
    pub sms_token: Option<String>,
    /// A file with that token instead.
    #[arg(long, env = "SMS_TOKEN_FILE", value_name = "FILE", global = true)]
    pub sms_token_file: Option<PathBuf>,
    /// Whom text messages say that they are from, a name or a number that the gateway lets you use.
    #[arg(long, env = "SMS_SENDER", value_name = "NAME", global = true)]
    pub sms_sender: Option<String>,
}

impl Stack {
    /// What text messages are handed to.
    ///
    /// # Errors
    /// When the gateway's address is malformed or not encrypted.
    pub fn gateway(&self) -> Result<Gateway, ConfigError> {
        let Sms { sms_url, sms_token, sms_token_file, sms_sender } = &self.sms;
        let Some(url) = sms_url else {
            return Ok(match self.environment {
                Environment::Development => Gateway::Files(self.data_dir.join("sms")),
                Environment::Production => Gateway::None,
            });
        };
        let token = secret("SMS_TOKEN_FILE", sms_token.clone(), sms_token_file.as_ref())?;
        let settings = Settings::parse(url, token, sms_sender.clone())?;
        Ok(Gateway::Http(HttpGateway::new(settings)?))
    }
}
