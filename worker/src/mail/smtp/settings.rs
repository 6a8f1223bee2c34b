//! Where the mail server is and how to speak to it. Invariant: a password is only ever sent over an
//! encrypted connection, or within the machine.

use std::net::IpAddr;
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// What is wrong with the address or the certificates. Never shows the password.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0}; write smtp://user:password@host:587?tls=required (or tls=opportunistic), \
     or smtps://user:password@host:465; user and password may be left out"
)]
pub struct SettingsError(String);

/// How the connection is encrypted. Certificates are always verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (`smtps://`).
    Implicit,
    /// STARTTLS, or nothing is sent.
    Required,
    /// STARTTLS if the server offers it.
    Opportunistic,
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until the connection stands, TLS included.
    pub connect: Duration,
    /// For the answer to a command.
    pub command: Duration,
    /// For the body to be taken and the final answer to it.
    pub reply: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            command: Duration::from_secs(30),
            reply: Duration::from_mins(1),
        }
    }
}

/// A mail server, as configured.
#[derive(Clone)]
pub struct Settings {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Encryption.
    pub security: Security,
    /// User and password, if the server wants them.
    pub credentials: Option<Credentials>,
    /// The name this client introduces itself with (`EHLO`).
    pub hello: ClientId,
    /// How many connections may be open at once.
    pub connections: usize,
    /// How long an unused connection is kept. Servers hang up after five minutes or less.
    pub idle: Duration,
    /// How long to wait for the server.
    pub timeouts: Timeouts,
    pub(super) tls: TlsParameters,
}

impl Settings {
    /// Reads `smtp://user:password@host:port?tls=required|opportunistic` or `smtps://…`. Without `tls`,
    /// encryption is required if there is a password, and opportunistic if not.
    ///
    /// # Errors
    /// Says what is wrong and what is allowed.
    pub fn parse(address: &str) -> Result<Self, SettingsError> {
        let wrong = |what: &str| SettingsError(what.to_owned());
        let url = Url::parse(address).map_err(|_| wrong("the SMTP address is not a URL"))?;
        let host = match url.host() {
            Some(Host::Ipv6(ip)) => ip.to_string(),
            Some(host) if !host.to_string().is_empty() => host.to_string(),
            _ => return Err(wrong("the SMTP address has no host")),
        };
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(wrong("the SMTP address has a path"));
        }
        let credentials = credentials(&url).ok_or_else(|| wrong("user or password is missing"))?;
        let mut tls = None;
        for (name, value) in url.query_pairs() {
            tls = match (&*name, &*value) {
                ("tls", "required") => Some(Security::Required),
                ("tls", "opportunistic") => Some(Security::Opportunistic),
                ("tls", _) => return Err(wrong("tls is neither `required` nor `opportunistic`")),
                _ => return Err(wrong("the SMTP address has a parameter other than tls")),
            };
        }
        let (security, usual_port) = match (url.scheme(), tls, &credentials) {
            ("smtps", None, _) => (Security::Implicit, 465),
            ("smtps", Some(_), _) => return Err(wrong("smtps:// is encrypted and takes no tls=")),
            ("smtp", Some(security), _) => (security, 587),
            ("smtp", None, Some(_)) => (Security::Required, 587),
            ("smtp", None, None) => (Security::Opportunistic, 587),
            _ => return Err(wrong("the SMTP address is neither smtp:// nor smtps://")),
        };
        Ok(Self {
            tls: tls_parameters(&host, &[])?,
            port: url.port().unwrap_or(usual_port),
            host,
            security,
            credentials,
            hello: ClientId::default(),
            connections: 8,
            idle: Duration::from_mins(1),
            timeouts: Timeouts::default(),
        })
    }

    /// Introduces itself as `name`, which should be this machine's name in the DNS.
    #[must_use]
    pub fn hello(mut self, name: &str) -> Self {
        self.hello = ClientId::Domain(name.to_owned());
        self
    }

    /// Trusts the certificate authorities in `pem` besides the public ones.
    ///
    /// # Errors
    /// If `pem` has something other than certificates.
    pub fn trust(mut self, pem: &[u8]) -> Result<Self, SettingsError> {
        self.tls = tls_parameters(&self.host, pem)?;
        Ok(self)
    }

    pub(super) fn is_within_the_machine(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }
}

fn tls_parameters(host: &str, roots: &[u8]) -> Result<TlsParameters, SettingsError> {
    let wrong = |error| SettingsError(format!("TLS cannot be set up: {error}"));
    let mut builder = TlsParameters::builder(host.to_owned());
    if !roots.is_empty() {
        builder = builder.add_root_certificate(Certificate::from_pem(roots).map_err(wrong)?);
    }
    builder.build().map_err(wrong)
}

/// User and password; `None` if only one of them is there or they are not UTF-8.
#[expect(clippy::option_option, reason = "the outer one is an error that the caller words")]
fn credentials(url: &Url) -> Option<Option<Credentials>> {
    let decode = |part: &str| percent_decode_str(part).decode_utf8().ok().map(String::from);
    match (url.username(), url.password()) {
        ("", None) => Some(None),
        ("", Some(_)) | (_, None) => None,
        (user, Some(password)) => Some(Some(Credentials::new(decode(user)?, decode(password)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn security(url: &str) -> (Security, u16) {
        let settings = Settings::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        (settings.security, settings.port)
    }

    #[test]
    fn the_address_says_how_to_encrypt() {
        use Security::{Implicit, Opportunistic, Required};
        assert_eq!(security("smtps://u:p@mail.example"), (Implicit, 465));
        assert_eq!(security("smtp://u:p@mail.example"), (Required, 587));
        assert_eq!(security("smtp://mail.example:25"), (Opportunistic, 25));
        assert_eq!(security("smtp://u:p@[::1]:2525?tls=opportunistic"), (Opportunistic, 2525));
        assert_eq!(security("smtp://mail.example?tls=required"), (Required, 587));
    }

    #[test]
    fn user_and_password_may_be_percent_encoded() {
        let settings = Settings::parse("smtp://lan%40example.vn:p%3A%2Fw@mail.example").unwrap();
        let expected = Credentials::new("lan@example.vn".to_owned(), "p:/w".to_owned());
        assert_eq!(settings.credentials, Some(expected));
    }

    #[test]
    fn a_wrong_address_is_refused_with_what_is_allowed_and_without_the_password() {
        for url in [
            "mail.example",
            "http://u:secret@mail.example",
            "smtp://",
            "smtp://user@mail.example",
            "smtp://u:secret@mail.example?tls=none",
            "smtp://u:secret@mail.example?pool=3",
            "smtp://u:secret@mail.example/path",
            "smtps://u:secret@mail.example?tls=required",
        ] {
            let Err(error) = Settings::parse(url) else { panic!("{url} was taken") };
            assert!(error.to_string().contains("smtps://user:password@host:465"), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
