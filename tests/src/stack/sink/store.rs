//! The file of accepted mails: records of a JSON head and the raw bytes, each preceded by its
//! length.
//!
//! Invariant: [`Store::append`] returns after the record is on the disk. A record cut short by a
//! crash was never acknowledged, so readers ignore it.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

/// A mail as it was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// When, from whom and to whom.
    pub envelope: Envelope,
    /// Head and body, without the dots of the transport.
    pub bytes: Vec<u8>,
}

impl Mail {
    /// Its Message-ID without angle brackets, or none if it has none.
    #[must_use]
    pub fn message_id(&self) -> Option<String> {
        message_id(&self.bytes)
    }
}

/// What surrounds a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// When it had been read whole.
    pub at: DateTime<Utc>,
    /// The sender it would bounce to.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    file: Mutex<File>,
}

impl Store {
    pub async fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path).await?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    /// Puts a mail on the disk.
    pub async fn append(&self, envelope: &Envelope, bytes: &[u8]) -> io::Result<()> {
        let head = serde_json::to_vec(envelope)?;
        let mut record = Vec::with_capacity(head.len() + bytes.len() + 8);
        for part in [head.as_slice(), bytes] {
            let length = u32::try_from(part.len()).map_err(io::Error::other)?;
            record.extend_from_slice(&length.to_be_bytes());
            record.extend_from_slice(part);
        }
        let mut file = self.file.lock().await;
        file.write_all(&record).await?;
        file.flush().await?;
        file.sync_data().await
    }

    /// Every whole record.
    pub fn read(&self) -> io::Result<Vec<Mail>> {
        let bytes = std::fs::read(&self.path)?;
        let mut rest = bytes.as_slice();
        let mut mails = Vec::new();
        while let Some((head, body)) = part(&mut rest).zip(part(&mut rest)) {
            mails.push(Mail { envelope: serde_json::from_slice(head)?, bytes: body.to_vec() });
        }
        Ok(mails)
    }
}

fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (part, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = after;
    Some(part)
}

/// The Message-ID in the head of a mail, whole or not, without angle brackets.
pub(super) fn message_id(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let head = text.split("\r\n\r\n").next()?.replace("\r\n ", " ").replace("\r\n\t", " ");
    head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let value = value.trim().trim_start_matches('<').trim_end_matches('>');
        name.eq_ignore_ascii_case("message-id").then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_record_cut_short_is_ignored_and_the_others_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(&dir.path().join("mail.log")).await.unwrap();
        let envelope = Envelope {
            at: DateTime::UNIX_EPOCH,
            from: "us@example.org".to_owned(),
            to: vec!["lan@example.vn".to_owned()],
        };
        let bytes = b"Message-ID: <one@example.org>\r\n\r\nHello\r\n";
        store.append(&envelope, bytes).await.unwrap();
        store.file.lock().await.write_all(&[0, 0, 0, 99, 1, 2]).await.unwrap();
        store.file.lock().await.flush().await.unwrap();
        let mails = store.read().unwrap();
        assert_eq!(mails, [Mail { envelope, bytes: bytes.to_vec() }]);
        assert_eq!(mails[0].message_id().as_deref(), Some("one@example.org"));
    }

    #[test]
    fn a_message_id_is_found_when_folded_and_in_the_head_only() {
        let folded = b"Subject: a\r\nmessage-id:\r\n <x@y>\r\n\r\n";
        assert_eq!(message_id(folded).as_deref(), Some("x@y"));
        assert_eq!(message_id(b"Subject: a\r\n\r\nMessage-ID: <x@y>\r\n"), None);
    }
}
