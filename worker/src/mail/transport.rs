//! Handing a finished mail over: to a server, to files, or to memory.
//!
//! Invariant: the outcome says exactly what is known. Whoever reads `Temporary` may try again without
//! risk of sending twice; `Unknown` is never tried again by a machine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, io};

use lettre::Address;
use uuid::Uuid;

use super::smtp::Smtp;

/// How handing a mail over ended. `reply` is for operators: what the server said, or what went wrong,
/// in at most 500 characters and without the recipient's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server has taken the responsibility for the mail.
    Accepted {
        /// The server's words, which often name its queue id.
        reply: String,
    },
    /// The server said 4xx, or nothing of the message body had been handed over when the connection
    /// failed or timed out: safe to try again.
    Temporary {
        /// What happened.
        reply: String,
    },
    /// The server said 5xx, or the mail cannot be sent as it is: never tried again.
    Permanent {
        /// What happened.
        reply: String,
    },
    /// The body was handed over, wholly or in part, and no final answer came: nobody can tell.
    Unknown {
        /// What happened.
        reply: String,
    },
}

/// Where mail goes.
#[derive(Clone)]
pub enum Transport {
    /// To a mail server.
    Smtp(Smtp),
    /// Into `.eml` files, on the embedded stack.
    Files(FileOutbox),
    /// Into memory, in tests.
    Memory(Mailbox),
    /// Nowhere, for what is only tried out.
    Nowhere,
}

impl Transport {
    /// Hands over `raw`, a complete message with CRLF line ends, from `from` to `to`, and to who gets `copies`. The outcome is
    /// that of the mail to `to`.
    pub async fn send(
        &self,
        from: &Address,
        to: &Address,
        copies: &[Address],
        raw: &[u8],
    ) -> Outcome {
        match self {
            Self::Smtp(smtp) => smtp.send(from, to, copies, raw).await,
            Self::Files(outbox) => outbox.send(raw).await,
            Self::Memory(mailbox) => {
                let (from, to) = (from.clone(), to.clone());
                let mail = Mail { from, to, copies: copies.to_vec(), raw: raw.to_vec() };
                mailbox.send(mail).await
            }
            Self::Nowhere => Outcome::Accepted { reply: "it went nowhere".to_owned() },
        }
    }
}

/// Those of the addresses that a copy can go to.
pub(crate) fn addresses(copies: &[String]) -> impl Iterator<Item = Address> {
    let plain = copies.iter().filter(|copy| copy.is_ascii());
    plain.filter_map(|copy| copy.parse().ok())
}

/// A directory with one `.eml` file per mail. A mail that is sent twice overwrites itself, because the
/// file is named after its `Message-ID`; and a file is there whole or not at all.
#[derive(Clone, Debug)]
pub struct FileOutbox {
    dir: PathBuf,
}

impl FileOutbox {
    /// The directory is created with the first mail.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    async fn send(&self, raw: &[u8]) -> Outcome {
        let (dir, id, raw) = (self.dir.clone(), file_id(raw), raw.to_vec());
        let name = format!("{id}.eml");
        let written = tokio::task::spawn_blocking(move || write(&dir, &name, &raw)).await;
        match written.map_err(io::Error::other).flatten() {
            Ok(()) => Outcome::Accepted { reply: format!("written to {id}.eml") },
            Err(error) => Outcome::Temporary { reply: format!("could not be written: {error}") },
        }
    }
}

/// Writes the file `name` into a directory, which is made: whole, or not at all.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write(dir: &Path, name: &str, raw: &[u8]) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let draft = dir.join(format!(".{name}-{:016x}", rand::random::<u64>()));
    let mut file = fs::File::create_new(&draft)?;
    let written = file.write_all(raw).and_then(|()| file.sync_all());
    let written = written.and_then(|()| fs::rename(&draft, dir.join(name)));
    if written.is_err() {
        // The draft is of no use, and the first error is the one that matters.
        let _ = fs::remove_file(&draft);
    }
    written.and_then(|()| fs::File::open(dir)?.sync_all())
}

/// The UUID in the `Message-ID`; otherwise one derived from it, or from the whole mail if there is none.
fn file_id(raw: &[u8]) -> Uuid {
    let Some(message_id) = message_id(raw) else {
        return Uuid::new_v5(&Uuid::NAMESPACE_OID, raw);
    };
    let local = message_id.split('@').next().unwrap_or_default();
    Uuid::try_parse(local)
        .unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, message_id.as_bytes()))
}

fn message_id(raw: &[u8]) -> Option<String> {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(raw.len());
    let head = String::from_utf8_lossy(&raw[..end]).replace("\r\n ", " ").replace("\r\n\t", " ");
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let value = value.trim().strip_prefix('<')?.strip_suffix('>')?;
        name.eq_ignore_ascii_case("message-id").then(|| value.to_owned())
    })
}

/// A mail that arrived in a [`Mailbox`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The envelope's sender.
    pub from: Address,
    /// The envelope's recipient.
    pub to: Address,
    /// The envelope's other recipients.
    pub copies: Vec<Address>,
    /// The message, byte for byte.
    pub raw: Vec<u8>,
}

/// A mailbox in memory, for tests, of mails or of whatever else is sent. Clones share it.
#[derive(Clone, Debug)]
pub struct Mailbox<T = Mail>(Arc<Mutex<Contents<T>>>);

#[derive(Debug)]
struct Contents<T> {
    kept: Vec<T>,
    answers: Vec<Outcome>,
    pause: Duration,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        let contents = Contents { kept: Vec::new(), answers: Vec::new(), pause: Duration::ZERO };
        Self(Arc::new(Mutex::new(contents)))
    }
}

impl Mailbox {
    /// What was accepted, oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.kept()
    }
}

impl<T: Clone> Mailbox<T> {
    /// An empty mailbox that accepts everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was accepted, oldest first.
    #[must_use]
    pub fn kept(&self) -> Vec<T> {
        self.contents().kept.clone()
    }

    /// The next ones get these outcomes, in this order. Only what is accepted stays in the mailbox.
    pub fn answer(&self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.contents().answers.extend(outcomes);
    }

    /// From now on it takes that long to answer, also for what is in the mailbox by then.
    pub fn answer_after(&self, pause: Duration) {
        self.contents().pause = pause;
    }

    /// Takes something, and answers.
    pub(crate) async fn send(&self, sent: T) -> Outcome {
        let (outcome, pause) = self.take(sent);
        tokio::time::sleep(pause).await;
        outcome
    }

    /// Its answer, and how long that takes.
    fn take(&self, sent: T) -> (Outcome, Duration) {
        let mut contents = self.contents();
        let outcome = if contents.answers.is_empty() {
            Outcome::Accepted { reply: "250 kept in memory".to_owned() }
        } else {
            contents.answers.remove(0)
        };
        if matches!(outcome, Outcome::Accepted { .. }) {
            contents.kept.push(sent);
        }
        (outcome, contents.pause)
    }

    fn contents(&self) -> std::sync::MutexGuard<'_, Contents<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        "lan@example.vn".parse().unwrap()
    }

    #[tokio::test]
    async fn a_mail_sent_twice_is_one_file_named_after_its_message_id() {
        let dir = std::env::temp_dir().join(format!("rapport-outbox-{:x}", rand::random::<u64>()));
        let outbox = Transport::Files(FileOutbox::new(&dir));
        let id = "0193b4f2-0000-7000-8000-000000000001";
        let raw = format!("Subject: x\r\nMessage-Id:\r\n <{id}@rapport.example>\r\n\r\nHi\r\n");
        for _ in 0..2 {
            let outcome = outbox.send(&address(), &address(), &[], raw.as_bytes()).await;
            assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
        }
        let files: Vec<_> = fs::read_dir(&dir).unwrap().map(|f| f.unwrap().file_name()).collect();
        assert_eq!(files, [format!("{id}.eml").as_str()]);
        assert_eq!(fs::read(dir.join(format!("{id}.eml"))).unwrap(), raw.as_bytes());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_message_id_cannot_name_a_file_outside_the_outbox() {
        let id = file_id(b"Message-ID: <../../etc/passwd@x>\r\n\r\nMessage-ID: <no@body>");
        assert_eq!(id, Uuid::new_v5(&Uuid::NAMESPACE_OID, b"../../etc/passwd@x"));
        assert_eq!(file_id(b"Subject: x\r\n\r\n"), file_id(b"Subject: x\r\n\r\n"));
    }

    #[tokio::test]
    async fn a_mailbox_answers_as_told_and_keeps_what_it_accepts() {
        let mailbox = Mailbox::new();
        let refusal = Outcome::Permanent { reply: "550 no such user".to_owned() };
        mailbox.answer([refusal.clone()]);
        let transport = Transport::Memory(mailbox.clone());
        assert_eq!(transport.send(&address(), &address(), &[], b"first").await, refusal);
        transport.send(&address(), &address(), &[], b"second").await;
        assert_eq!(mailbox.mails().len(), 1);
        assert_eq!(mailbox.mails()[0].raw, b"second");
    }
}
