//! Text messages: from what is written to what networks count, and from there to a gateway.
//!
//! Invariant: the outcome says exactly what is known, as with mails.

mod http;
pub mod segments;

use std::io;
use std::path::PathBuf;

use serde::Serialize;

pub use self::http::{HttpGateway, Settings, SettingsError};
use crate::mail::transport::{Mailbox, Outcome, write};

/// A text message, as gateways get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Text {
    /// Which, the same whenever it is sent: `messageId` in the ledger.
    pub id: String,
    /// The number it goes to, in E.164.
    pub to: String,
    /// Whom it says that it is from; the gateway's own number when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it says.
    pub text: String,
}

/// Where text messages go.
#[derive(Clone)]
pub enum Gateway {
    /// To a provider.
    Http(HttpGateway),
    /// Into files, on the embedded stack: one for each, which is there whole or not at all, named after its id, so that what
    /// is sent twice overwrites itself.
    Files(PathBuf),
    /// Into memory, in tests.
    Memory(Mailbox<Text>),
    /// Nowhere: nothing is configured.
    None,
}

impl Gateway {
    /// Whether there is one.
    #[must_use]
    pub fn is_there(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Hands a text message over.
    pub async fn send(&self, text: Text) -> Outcome {
        match self {
            Self::Http(gateway) => gateway.send(text).await,
            Self::Files(folder) => {
                let (folder, name) = (folder.clone(), format!("{}.json", text.id));
                let reply = format!("written to {name}");
                let written = tokio::task::spawn_blocking(move || {
                    write(&folder, &name, &serde_json::to_vec(&text)?)
                });
                match written.await.map_err(io::Error::other).flatten() {
                    Ok(()) => Outcome::Accepted { reply },
                    Err(error) => {
                        Outcome::Temporary { reply: format!("could not be written: {error}") }
                    }
                }
            }
            Self::Memory(mailbox) => mailbox.send(text).await,
            Self::None => Outcome::Temporary { reply: "there is no gateway".to_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_text_message_sent_twice_is_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let gateway = Gateway::Files(folder.path().join("sms"));
        let text = Text {
            id: "0193b4f2-0000-7000-8000-000000000001".to_owned(),
            to: "+84901234567".to_owned(),
            from: None,
            text: "Chào “Lan”".to_owned(),
        };
        for _ in 0..2 {
            let outcome = gateway.send(text.clone()).await;
            assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
        }
        let files = std::fs::read_dir(folder.path().join("sms")).unwrap();
        let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 1);
        assert_eq!(
            std::fs::read_to_string(&files[0]).unwrap(),
            format!(r#"{{"id":"{}","to":"+84901234567","text":"Chào “Lan”"}}"#, text.id)
        );
    }
}
