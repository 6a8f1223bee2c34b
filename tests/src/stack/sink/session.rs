//! One SMTP conversation (RFC 5321, the server's side, without TLS).
//!
//! Invariant: the reply to a mail is written after the mail is on the disk, never before.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::store::{Envelope, message_id};
use super::{Mishap, Shared};

/// After this a sender that says nothing is dropped; real servers wait minutes.
const IDLE: Duration = Duration::from_mins(1);

/// Longest line taken; mail lines have 1,000 bytes at most.
const LINE: u64 = 64 * 1024;

/// Where a cut body ends: in the middle of a receipt's first part, its head complete.
const CUT_AFTER_BYTES: usize = 4096;

/// Talks to one sender until either side has had enough.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    if let Some(silence) = shared.silence_at_connect() {
        shared.note(Mishap::SilentConnection, None, None);
        sleep(silence).await;
        return;
    }
    // Without this each small reply waits for the sender's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut session = Session { stream: BufReader::new(stream), shared, mail: None };
    // A sender that goes away in the middle is part of the game.
    let _ = session.talk().await;
}

struct Session {
    stream: BufReader<TcpStream>,
    shared: Arc<Shared>,
    mail: Option<Transaction>,
}

/// What MAIL has begun.
struct Transaction {
    from: String,
    to: Vec<String>,
    mishap: Option<Mishap>,
    silence: Duration,
}

/// Whether the conversation goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Listen,
    HangUp,
}

impl Session {
    async fn talk(&mut self) -> io::Result<()> {
        self.reply("220 sink ready").await?;
        while let Some(line) = self.line().await? {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if self.command(&line).await? == Next::HangUp {
                break;
            }
        }
        Ok(())
    }

    async fn command(&mut self, line: &str) -> io::Result<Next> {
        let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => {
                self.reply("250-sink\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 52428800").await?;
            }
            "HELO" | "NOOP" => self.reply("250 sink").await?,
            "RSET" => {
                self.mail = None;
                self.reply("250 forgotten").await?;
            }
            "QUIT" => {
                self.reply("221 bye").await?;
                return Ok(Next::HangUp);
            }
            "MAIL" => {
                let (mishap, silence) = self.shared.mishap();
                let from = address(line);
                self.mail = Some(Transaction { from, to: Vec::new(), mishap, silence });
                self.reply("250 go on").await?;
            }
            "RCPT" => return self.recipient(&address(line)).await,
            "DATA" => return self.data().await,
            _ => self.reply("502 not here").await?,
        }
        Ok(Next::Listen)
    }

    async fn recipient(&mut self, to: &str) -> io::Result<Next> {
        let Some(mail) = &mut self.mail else {
            self.reply("503 MAIL first").await?;
            return Ok(Next::Listen);
        };
        let answer = match mail.mishap {
            Some(Mishap::DeferRecipient) => "451 4.3.0 try again later",
            Some(Mishap::RefuseRecipient) => "550 5.1.1 no such mailbox",
            Some(Mishap::ShutDown) => "421 4.3.2 shutting down",
            _ => {
                mail.to.push(to.to_owned());
                self.reply("250 known").await?;
                return Ok(Next::Listen);
            }
        };
        let mishap = mail.mishap.take();
        let next = if mishap == Some(Mishap::ShutDown) { Next::HangUp } else { Next::Listen };
        if let Some(mishap) = mishap {
            self.shared.note(mishap, Some(to), None);
        }
        self.reply(answer).await?;
        Ok(next)
    }

    async fn data(&mut self) -> io::Result<Next> {
        let Some(mail) = self.mail.take().filter(|mail| !mail.to.is_empty()) else {
            self.reply("503 MAIL and RCPT first").await?;
            return Ok(Next::Listen);
        };
        if mail.mishap == Some(Mishap::CutBeforeData) {
            self.note(&mail, None);
            return Ok(Next::HangUp);
        }
        self.reply("354 go ahead").await?;
        let limit = (mail.mishap == Some(Mishap::CutInData)).then_some(CUT_AFTER_BYTES);
        let Some(bytes) = self.body(limit).await? else {
            return Ok(Next::HangUp);
        };
        let Some(mishap) = mail.mishap else {
            self.store(&mail, &bytes).await?;
            self.reply("250 kept").await?;
            return Ok(Next::Listen);
        };
        // Noted first: the sender may act on what follows before we get to speak again.
        self.note(&mail, message_id(&bytes).as_deref());
        match mishap {
            Mishap::RefuseBody => {
                self.reply("554 5.7.1 not this").await?;
                return Ok(Next::Listen);
            }
            Mishap::SilentUnstored => sleep(mail.silence).await,
            Mishap::CutAfterStore => self.store(&mail, &bytes).await?,
            Mishap::SilentStored => {
                self.store(&mail, &bytes).await?;
                sleep(mail.silence).await;
            }
            _ => {}
        }
        Ok(Next::HangUp)
    }

    async fn store(&self, mail: &Transaction, bytes: &[u8]) -> io::Result<()> {
        let at = self.shared.clock.now();
        let envelope = Envelope { at, from: mail.from.clone(), to: mail.to.clone() };
        self.shared.store.append(&envelope, bytes).await
    }

    fn note(&self, mail: &Transaction, message_id: Option<&str>) {
        if let Some(mishap) = mail.mishap {
            self.shared.note(mishap, mail.to.first().map(String::as_str), message_id);
        }
    }

    /// The body up to its final dot, or what has come when `limit` bytes are passed; none when the
    /// sender went away before.
    async fn body(&mut self, limit: Option<usize>) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        while let Some(line) = self.line().await? {
            if line == b".\r\n" {
                return Ok(Some(bytes));
            }
            bytes.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            if limit.is_some_and(|limit| bytes.len() > limit) {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LINE);
        let read = timeout(IDLE, limited.read_until(b'\n', &mut line)).await??;
        Ok((read > 0 && line.ends_with(b"\n")).then_some(line))
    }

    async fn reply(&mut self, text: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(format!("{text}\r\n").as_bytes()).await
    }
}

/// What stands between the angle brackets of MAIL and RCPT.
fn address(line: &str) -> String {
    let inside = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or("", |(address, _)| address).to_owned()
}
