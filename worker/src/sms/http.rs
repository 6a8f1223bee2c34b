//! A provider that takes text messages by HTTP, one in each request.
//!
//! Invariant: what was not handed over, not even in part, is temporary; once the body was, only the provider's answer says
//! what became of it, and what it says of itself when it is broken says nothing.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use serde_json::Value;
use url::{Host, Url};

use super::Text;
use crate::http::{HttpClient, client};
use crate::mail::transport::Outcome;
use crate::relay::chain;

/// How long connecting, handing over and the answer may take together.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much of an answer is read.
const LONGEST_ANSWER: usize = 64 * 1024;

/// How much of it is kept, in characters.
const KEPT: usize = 500;

/// Why there is no gateway.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It is no address.
    #[error("write https://gateway.example/path")]
    Address,
    /// What is in the messages would be read by others on the way.
    #[error("write https://…; http is for this machine alone")]
    Clear,
    /// It cannot stand in a header.
    #[error("the token has characters that no header may have")]
    Token,
    /// The client cannot be built.
    #[error("no certificates can be used")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// How a gateway is spoken to.
#[derive(Clone, Debug)]
pub struct Settings {
    uri: Uri,
    authorization: Option<String>,
    sender: Option<String>,
}

impl Settings {
    /// An address, whose password is the token unless there is a `token`; with a user's name, it is one of theirs. `sender`
    /// is whom messages say that they are from.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn parse(
        address: &str,
        token: Option<String>,
        sender: Option<String>,
    ) -> Result<Self, SettingsError> {
        let mut url = Url::parse(address).map_err(|_| SettingsError::Address)?;
        let is_near = match url.host().ok_or(SettingsError::Address)? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(ip) => ip.is_loopback(),
            Host::Ipv6(ip) => ip.is_loopback(),
        };
        match url.scheme() {
            "https" => {}
            "http" if is_near => {}
            "http" => return Err(SettingsError::Clear),
            _ => return Err(SettingsError::Address),
        }
        let decoded = |text: &str| {
            percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
        };
        let password = url.password().map(decoded);
        let authorization = match (token.or(password), decoded(url.username())) {
            (None, _) => None,
            (Some(token), user) if user.is_empty() => Some(format!("Bearer {token}")),
            (Some(password), user) => {
                let pair = base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}"));
                Some(format!("Basic {pair}"))
            }
        };
        let malformed = |text: &String| hyper::header::HeaderValue::from_str(text).is_err();
        if authorization.as_ref().is_some_and(malformed) {
            return Err(SettingsError::Token);
        }
        // Neither is refused where there is a host.
        let _ = (url.set_username(""), url.set_password(None));
        let uri = url.as_str().parse().map_err(|_| SettingsError::Address)?;
        Ok(Self { uri, authorization, sender })
    }
}

/// A provider.
#[derive(Clone)]
pub struct HttpGateway {
    client: HttpClient<Watched>,
    settings: Arc<Settings>,
    patience: Duration,
}

impl HttpGateway {
    /// One that is spoken to as `settings` say.
    ///
    /// # Errors
    /// [`SettingsError::Tls`].
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self { client: client(true)?, settings: Arc::new(settings), patience: PATIENCE })
    }

    /// Hands a text message over.
    pub async fn send(&self, text: Text) -> Outcome {
        let to = text.to.clone();
        let text = Text { from: self.settings.sender.clone(), ..text };
        let handed = Arc::new(AtomicBool::new(false));
        let Some(request) = self.request(&text, &handed) else {
            return Outcome::Permanent { reply: "it cannot be put into a request".to_owned() };
        };
        let end = tokio::time::Instant::now() + self.patience;
        let broken = match tokio::time::timeout_at(end, self.client.request(request)).await {
            Ok(Ok(response)) => return outcome(response, end, &to).await,
            Ok(Err(error)) => chain(&error).clone(),
            Err(_) => format!("no answer within {} s", self.patience.as_secs()),
        };
        let reply = kept(&broken, &to);
        match handed.load(Ordering::Acquire) {
            true => Outcome::Unknown { reply },
            false => Outcome::Temporary { reply },
        }
    }

    fn request(&self, text: &Text, handed: &Arc<AtomicBool>) -> Option<Request<Watched>> {
        let body = serde_json::to_vec(text).ok()?;
        let mut request = Request::post(&self.settings.uri)
            .header(USER_AGENT, concat!("Rapport/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", &text.id);
        if let Some(authorization) = &self.settings.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.body(Watched { left: Some(body.into()), handed: Arc::clone(handed) }).ok()
    }
}

/// What an answer means.
async fn outcome(response: Response<Incoming>, end: tokio::time::Instant, to: &str) -> Outcome {
    let status = response.status();
    let answer = Limited::new(response.into_body(), LONGEST_ANSWER).collect();
    let answer = match tokio::time::timeout_at(end, answer).await {
        Ok(Ok(answer)) => String::from_utf8_lossy(&answer.to_bytes()).into_owned(),
        _ => String::new(),
    };
    let reply = match status.is_success() {
        true => id(&answer).unwrap_or_else(|| said(status, &answer)),
        false => said(status, &answer),
    };
    let reply = kept(&reply, to);
    match status {
        _ if status.is_success() => Outcome::Accepted { reply },
        // It took nothing: it has too much to do, or we come without the right token, credit or address, which somebody sees to.
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::UNAUTHORIZED
        | StatusCode::PAYMENT_REQUIRED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::PROXY_AUTHENTICATION_REQUIRED
        | StatusCode::REQUEST_TIMEOUT => Outcome::Temporary { reply },
        _ if status.is_server_error() => Outcome::Unknown { reply },
        // What leads elsewhere was not taken either.
        _ => Outcome::Permanent { reply },
    }
}

/// The provider's id for a message, if its answer is an object that has one.
fn id(answer: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    match ["id", "messageId", "message_id", "sid"].into_iter().find_map(|name| answer.get(name))? {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

fn said(status: StatusCode, answer: &str) -> String {
    format!("{} {answer}", status.as_u16())
}

/// What is kept of an answer: its beginning, on one line, without the number.
fn kept(text: &str, to: &str) -> String {
    let line = entity::text::clean(text).replace(to.trim_start_matches('+'), "…");
    line.chars().take(KEPT).collect()
}

/// A body that knows whether any of it was handed over.
struct Watched {
    left: Option<Bytes>,
    handed: Arc<AtomicBool>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.handed.store(true, Ordering::Release);
        Poll::Ready(self.left.take().map(|all| Ok(Frame::data(all))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.as_ref().map_or(0, |left| left.len() as u64))
    }
}

#[cfg(test)]
mod tests;
