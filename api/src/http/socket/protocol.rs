//! The messages and close codes of graphql-transport-ws.

use std::borrow::Cow;

use async_graphql::{Response, ServerError};
use serde::Deserialize;
use serde_json::Value;

use super::super::answer;
use super::super::params::Params;

/// The subprotocol's name.
pub const NAME: &str = "graphql-transport-ws";

/// The longest id of an operation, in bytes.
const LONGEST_ID: usize = 128;

/// What a client says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Said {
    /// Who it is.
    ConnectionInit { payload: Option<Value> },
    /// Whether we are there.
    Ping { payload: Option<Value> },
    /// That it is there.
    Pong {},
    /// An operation.
    Subscribe { id: String, payload: Box<Params> },
    /// That it wants no more of an operation.
    Complete { id: String },
}

impl Said {
    /// # Errors
    /// [`Close::MALFORMED`].
    pub fn parse(text: &str) -> Result<Self, Close> {
        let said = serde_json::from_str(text).map_err(|_| Close::MALFORMED)?;
        if let Self::Subscribe { id, .. } = &said
            && (id.is_empty() || id.len() > LONGEST_ID)
        {
            return Err(Close::MALFORMED);
        }
        Ok(said)
    }
}

/// How a connection is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code.
    pub code: u16,
    /// What happened, in at most 123 bytes.
    pub reason: Cow<'static, str>,
}

impl Close {
    /// The server is about to stop; others are there.
    pub const GOING_AWAY: Self = Self::new(1001, "Going away");
    /// A message longer than allowed, or one that is no message of the protocol.
    pub const MALFORMED: Self = Self::new(4400, "Invalid message");
    /// An operation before `connection_ack`.
    pub const UNAUTHORIZED: Self = Self::new(4401, "Unauthorized");
    /// Whoever it is may not ask, or not any more.
    pub const FORBIDDEN: Self = Self::new(4403, "Forbidden");
    /// The client does not speak the protocol.
    pub const PROTOCOL: Self = Self::new(4406, "Subprotocol not acceptable");
    /// No `connection_init` in time.
    pub const INIT_TIMEOUT: Self = Self::new(4408, "Connection initialisation timeout");
    /// A second `connection_init`.
    pub const INIT_TWICE: Self = Self::new(4429, "Too many initialisation requests");
    /// More sockets of one account than allowed.
    pub const TOO_MANY: Self = Self::new(4429, "Too many connections");
    /// Something is away that it takes to know the client; it may come again.
    pub const TRY_AGAIN: Self = Self::new(1013, "Try again later");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    /// An id that is in use.
    pub fn twice(id: &str) -> Self {
        // An id is shorter than the 123 bytes that a reason may have, its quotation may not be.
        let short: String = id.chars().take(24).collect();
        Self { code: 4409, reason: format!("Subscriber for {short} already exists").into() }
    }
}

/// `connection_ack`.
pub fn ack() -> String {
    r#"{"type":"connection_ack"}"#.to_owned()
}

/// `ping`.
pub fn ping() -> String {
    r#"{"type":"ping"}"#.to_owned()
}

/// `pong` with what came along with the `ping`.
pub fn pong(payload: Option<Value>) -> String {
    match payload {
        None => r#"{"type":"pong"}"#.to_owned(),
        Some(payload) => serde_json::json!({ "type": "pong", "payload": payload }).to_string(),
    }
}

/// `next`: a result of an operation.
///
/// # Errors
/// When something of it cannot be JSON.
pub fn next(id: &str, response: &Response) -> serde_json::Result<String> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(br#"{"type":"next","id":"#);
    serde_json::to_writer(&mut out, id)?;
    out.extend_from_slice(br#","payload":"#);
    answer::write_to(&mut out, response, true)?;
    out.push(b'}');
    String::from_utf8(out).map_err(serde::de::Error::custom)
}

/// `error`: an operation that was refused; nothing of it follows.
pub fn error(id: &str, errors: &[ServerError]) -> String {
    serde_json::json!({ "type": "error", "id": id, "payload": errors }).to_string()
}

/// `complete`: nothing of an operation follows.
pub fn complete(id: &str) -> String {
    serde_json::json!({ "type": "complete", "id": id }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_of_the_protocol_is_malformed() {
        for text in [
            "",
            "1",
            "{}",
            r#"{"type":"start","id":"1","payload":{}}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":[]}}"#,
            r#"{"type":"complete"}"#,
        ] {
            assert_eq!(Said::parse(text).err(), Some(Close::MALFORMED), "{text}");
        }
        let long = "x".repeat(LONGEST_ID + 1);
        let text = format!(r#"{{"type":"subscribe","id":"{long}","payload":{{}}}}"#);
        assert_eq!(Said::parse(&text).err(), Some(Close::MALFORMED));
        assert!(matches!(Said::parse(r#"{"type":"pong"}"#), Ok(Said::Pong {})));
        assert!(Close::twice(&long.replace('x', "€")).reason.len() <= 123);
    }
}
