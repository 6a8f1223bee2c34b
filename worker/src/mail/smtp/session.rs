//! One connection to the mail server, and one mail over it, phase by phase.
//!
//! Invariant: what happened is told from how far the mail had come. Up to the server's go-ahead for
//! the body nothing was handed over; from then on only the server's own answer is an answer.

use std::fmt::Display;
use std::time::Duration;

use futures::TryFutureExt;
use lettre::Address;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::{Error, response::Response};
use tokio::time::{Instant, timeout};

use super::stream::dial;
use super::{Outcome, Security, Settings, Timeouts, tidy};

/// A connection unused for longer is asked whether it still lives before it gets a mail.
const FRESH: Duration = Duration::from_secs(1);
/// How long to look for the answer that a server left before it hung up on the body.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// "Start mail input."
const GO_AHEAD: u16 = 354;
/// "Closing the channel": the server wants to be left alone, whatever was asked.
const CLOSING: u16 = 421;
/// These 5xx are about our password and not about the mail.
const ABOUT_US: [u16; 4] = [530, 534, 535, 538];

pub(super) struct Session {
    connection: AsyncSmtpConnection,
    timeouts: Timeouts,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Ready for a mail.
    Ready,
    /// A transaction was refused midway and must be reset first.
    Refused,
    /// Cannot be used any more.
    Broken,
}

/// Why a command did not succeed.
enum Failure {
    /// The server said no.
    No { code: u16, reply: String },
    /// The connection is closed, or the answer makes no sense.
    Lost(String),
    /// No answer in time.
    Silent(String),
}

impl Session {
    /// Connects, encrypts and logs in.
    ///
    /// # Errors
    /// What went wrong, in words. Nothing of any mail was handed over.
    pub(super) async fn open(settings: &Settings) -> Result<Self, String> {
        let Timeouts { connect, command, .. } = settings.timeouts;
        let dialling = dial(settings).map_err(|error| error.to_string());
        let stream = within(connect, "connecting", dialling).await?;
        let greeting = AsyncSmtpConnection::connect_with_transport(stream, &settings.hello);
        let greeting = greeting.map_err(|error| describe(&error));
        let mut connection = within(command, "the greeting", greeting).await?;
        let mut encrypted = settings.security == Security::Implicit;
        if !encrypted && connection.can_starttls() {
            let upgrade = connection.starttls(settings.tls.clone(), &settings.hello);
            within(command, "STARTTLS", upgrade.map_err(|error| describe(&error))).await?;
            encrypted = true;
        }
        if !encrypted && settings.security == Security::Required {
            return Err("the mail server does not offer STARTTLS, which is required".to_owned());
        }
        if let Some(credentials) = &settings.credentials {
            if !encrypted && !settings.is_within_the_machine() {
                return Err("the password is not sent: the connection is not encrypted".to_owned());
            }
            let login = connection.auth(DEFAULT_MECHANISMS, credentials);
            within(command, "AUTH", login.map_err(|error| describe(&error))).await?;
        }
        Ok(Self { connection, timeouts: settings.timeouts, state: State::Ready })
    }

    pub(super) fn is_usable(&self) -> bool {
        self.state != State::Broken
    }

    /// Whether a connection that was last used at `since` can take a mail. Resets it if necessary.
    pub(super) async fn is_alive(&mut self, since: Instant) -> bool {
        if self.state == State::Ready && since.elapsed() < FRESH {
            return true;
        }
        let reset = timeout(self.timeouts.connect, self.connection.command(Rset)).await;
        let alive = matches!(reset, Ok(Ok(_)));
        self.state = if alive { State::Ready } else { State::Broken };
        alive
    }

    pub(super) async fn quit(&mut self) {
        self.connection.abort().await;
    }

    /// Sends a mail to the first of the recipients, and to those of the others that the server takes.
    ///
    /// # Errors
    /// In words, if the connection turned out to be gone before the mail's first command was answered.
    pub(super) async fn transmit(
        &mut self,
        from: &Address,
        recipients: &[&Address],
        raw: &[u8],
    ) -> Result<Outcome, String> {
        let parameters = match self.parameters(from, recipients, raw) {
            Ok(parameters) => parameters,
            Err(reply) => return Ok(Outcome::Permanent { reply }),
        };
        // Whoever drops this future midway leaves a connection that nobody may use.
        self.state = State::Broken;
        let outcome = match self.envelope(from, recipients, parameters).await {
            Err(Refusal::Gone(reply)) => return Err(reply),
            Err(Refusal::No(failure)) => self.judge(failure, State::Refused),
            Ok(0) => self.body(raw).await,
            Ok(refused) => match self.body(raw).await {
                Outcome::Accepted { reply } => {
                    let reply = format!("{reply} (addresses without a copy: {refused})");
                    Outcome::Accepted { reply }
                }
                outcome => outcome,
            },
        };
        Ok(outcome.tidied(recipients))
    }

    /// Everything before the body; gives how many of the other recipients the server does not take.
    async fn envelope(
        &mut self,
        from: &Address,
        recipients: &[&Address],
        parameters: Vec<MailParameter>,
    ) -> Result<usize, Refusal> {
        let mail = Mail::new(Some(from.clone()), parameters);
        self.command(mail, "MAIL", 250).await.map_err(|failure| match failure {
            Failure::Lost(reply) | Failure::No { code: CLOSING, reply } => Refusal::Gone(reply),
            other => Refusal::No(other),
        })?;
        let mut refused = 0;
        for (number, &recipient) in recipients.iter().enumerate() {
            let rcpt = Rcpt::new(recipient.clone(), Vec::new());
            match self.command(rcpt, "RCPT", 250).await {
                Err(Failure::No { code, .. }) if number > 0 && code != CLOSING => refused += 1,
                answer => answer.map_err(Refusal::No)?,
            }
        }
        self.command(Data, "DATA", GO_AHEAD).await.map_err(Refusal::No)?;
        Ok(refused)
    }

    /// The body, and what became of it.
    async fn body(&mut self, raw: &[u8]) -> Outcome {
        // The protocol's end of data brings its own line end.
        let body = raw.strip_suffix(b"\r\n").unwrap_or(raw);
        let sent = timeout(self.timeouts.reply, self.connection.message(body)).await;
        let answer = match sent {
            Ok(Err(error)) if error.status().is_none() && !error.is_response() => {
                // Hung up on midway: the reason may have arrived all the same.
                timeout(LAST_WORDS, self.connection.read_response()).await.unwrap_or(Err(error))
            }
            Ok(answer) => answer,
            Err(_) => {
                return Outcome::Unknown { reply: "no answer to the message".to_owned() };
            }
        };
        match answer {
            Ok(response) if (200..300).contains(&u16::from(response.code())) => {
                self.state = State::Ready;
                Outcome::Accepted { reply: words(&response) }
            }
            Ok(response) => Outcome::Unknown { reply: words(&response) },
            Err(error) => match Failure::from(error) {
                Failure::Lost(reply) | Failure::Silent(reply) => Outcome::Unknown { reply },
                no @ Failure::No { .. } => self.judge(no, State::Ready),
            },
        }
    }

    /// What a failure means for the mail; if the server lives, the connection is `then`.
    fn judge(&mut self, failure: Failure, then: State) -> Outcome {
        match failure {
            Failure::Lost(reply)
            | Failure::Silent(reply)
            | Failure::No { code: CLOSING, reply } => Outcome::Temporary { reply },
            Failure::No { code, reply } => {
                self.state = then;
                if code >= 500 && !ABOUT_US.contains(&code) {
                    Outcome::Permanent { reply }
                } else {
                    Outcome::Temporary { reply }
                }
            }
        }
    }

    async fn command(
        &mut self,
        command: impl Display,
        name: &str,
        expected: u16,
    ) -> Result<(), Failure> {
        let answer = timeout(self.timeouts.command, self.connection.command(command)).await;
        let response = answer.map_err(|_| Failure::Silent(format!("no answer to {name}")))??;
        // 251 and 252 are kinds of 250. Anything else means that the answers are out of step.
        let code = u16::from(response.code());
        if code == expected || (expected == 250 && (200..300).contains(&code)) {
            return Ok(());
        }
        Err(Failure::Lost(format!("unexpected answer to {name}: {}", words(&response))))
    }

    /// What the server must be told about the mail's character set.
    fn parameters(
        &self,
        from: &Address,
        recipients: &[&Address],
        raw: &[u8],
    ) -> Result<Vec<MailParameter>, String> {
        let server = self.connection.server_info();
        let mut parameters = Vec::new();
        let mut addresses = std::iter::once(&from).chain(recipients);
        if !addresses.all(|address| address.to_string().is_ascii()) {
            if !server.supports_feature(Extension::SmtpUtfEight) {
                return Err("not sent: the server takes ASCII addresses only".to_owned());
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !raw.is_ascii() {
            if !server.supports_feature(Extension::EightBitMime) {
                return Err("not sent: the server takes ASCII messages only".to_owned());
            }
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(parameters)
    }
}

/// Why the envelope was not taken.
enum Refusal {
    /// The connection had been closed: the mail itself was not asked about.
    Gone(String),
    No(Failure),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let reply = describe(&error);
        match error.status() {
            Some(code) => Self::No { code: code.into(), reply },
            None => Self::Lost(reply),
        }
    }
}

impl Outcome {
    fn tidied(mut self, recipients: &[&Address]) -> Self {
        match &mut self {
            Self::Accepted { reply }
            | Self::Temporary { reply }
            | Self::Permanent { reply }
            | Self::Unknown { reply } => *reply = tidy(reply, recipients),
        }
        self
    }
}

fn words(response: &Response) -> String {
    let lines: Vec<&str> = response.message().collect();
    format!("{} {}", response.code(), lines.join(" "))
}

/// The server's answer if it is one, and otherwise what went wrong.
fn describe(error: &Error) -> String {
    match (error.status(), std::error::Error::source(error)) {
        (Some(code), Some(said)) => format!("{code} {said}"),
        (Some(code), None) => code.to_string(),
        (None, _) => error.to_string(),
    }
}

async fn within<T>(
    limit: Duration,
    what: &str,
    step: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    match timeout(limit, step).await {
        Ok(done) => done.map_err(|error| format!("{what} failed: {error}")),
        Err(_) => Err(format!("{what} took longer than {limit:?}")),
    }
}
