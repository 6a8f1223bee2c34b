//! Sending over SMTP: lettre speaks the protocol, and the connections are kept here.
//!
//! Invariant: at most [`Settings::connections`] connections are open, each in use by one mail at a
//! time; nothing waits for ever on a server; and a connection goes back for reuse only when its last
//! transaction has ended, so a cancelled send closes its connection.

mod session;
mod settings;
mod stream;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use lettre::Address;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::transport::Outcome;
use session::Session;
pub use settings::{Security, Settings, SettingsError, Timeouts};

/// How long a server may take to say goodbye; nobody waits for it.
const GOODBYE: Duration = Duration::from_secs(1);

/// A mail server, and the connections to it. Clones share them.
#[derive(Clone)]
pub struct Smtp(Arc<Pool>);

struct Pool {
    settings: Settings,
    slots: Semaphore,
    shelf: Mutex<Shelf>,
}

/// The connections that nobody uses.
#[derive(Default)]
struct Shelf {
    /// The one used last is last.
    idle: Vec<(Instant, Session)>,
    /// Whether a task watches over their age.
    watched: bool,
}

impl Smtp {
    /// Connects with the first mail.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let slots = Semaphore::new(settings.connections);
        Self(Arc::new(Pool { settings, slots, shelf: Mutex::default() }))
    }

    /// Sends `raw`, a complete message with CRLF line ends, from `from` to `to`, and to those of `copies` that the server
    /// takes. The outcome is that of the mail to `to`.
    pub async fn send(
        &self,
        from: &Address,
        to: &Address,
        copies: &[Address],
        raw: &[u8],
    ) -> Outcome {
        if has_bare_line_end(raw) {
            // Servers disagree about where such a line ends, which lets a text smuggle mails in.
            let reply = "not sent: the message has a line end other than CRLF".to_owned();
            return Outcome::Permanent { reply };
        }
        let wait = self.0.settings.timeouts.command;
        let Ok(Ok(_slot)) = timeout(wait, self.0.slots.acquire()).await else {
            let reply = "all connections to the mail server were busy".to_owned();
            return Outcome::Temporary { reply };
        };
        let recipients = std::iter::once(to).chain(copies).collect::<Vec<_>>();
        if let Some((since, mut session)) = self.take() {
            if session.is_alive(since).await
                && let Ok(outcome) = session.transmit(from, &recipients, raw).await
            {
                self.put_back(session);
                return outcome;
            }
            // The server hung up before it heard of this mail, and most likely on the others too.
            self.0.shelf().idle.clear();
        }
        let sent = match Session::open(&self.0.settings).await {
            Ok(mut session) => session.transmit(from, &recipients, raw).await.inspect(|_| {
                self.put_back(session);
            }),
            Err(reply) => Err(reply),
        };
        sent.unwrap_or_else(|reply| Outcome::Temporary { reply: tidy(&reply, &recipients) })
    }

    fn take(&self) -> Option<(Instant, Session)> {
        let mut kept = self.0.shelf();
        let (since, session) = kept.idle.pop()?;
        if since.elapsed() < self.0.settings.idle {
            return Some((since, session));
        }
        // All others have waited for longer still.
        kept.idle.clear();
        None
    }

    fn put_back(&self, session: Session) {
        if !session.is_usable() {
            return;
        }
        let mut kept = self.0.shelf();
        kept.idle.push((Instant::now(), session));
        if !kept.watched {
            kept.watched = true;
            tokio::spawn(watch(Arc::downgrade(&self.0), self.0.settings.idle));
        }
    }
}

impl Pool {
    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connections that were idle for too long; `None` when the shelf is empty, and unwatched.
    fn outdated(&self) -> Option<Vec<(Instant, Session)>> {
        let mut kept = self.shelf();
        kept.watched = !kept.idle.is_empty();
        let too_old = |(since, _): &(Instant, Session)| since.elapsed() >= self.settings.idle;
        let outdated = kept.idle.iter().take_while(|entry| too_old(entry)).count();
        kept.watched.then(|| kept.idle.drain(..outdated).collect())
    }
}

/// Says goodbye to idle connections before the server does, until none is left.
async fn watch(pool: Weak<Pool>, idle: Duration) {
    loop {
        tokio::time::sleep(idle / 2).await;
        let Some(outdated) = pool.upgrade().and_then(|pool| pool.outdated()) else {
            return;
        };
        for (_, mut session) in outdated {
            let _ = timeout(GOODBYE, session.quit()).await;
        }
    }
}

/// Whether a CR or LF stands alone.
fn has_bare_line_end(raw: &[u8]) -> bool {
    let mut previous = 0;
    for &byte in raw {
        if (byte == b'\n') != (previous == b'\r') {
            return true;
        }
        previous = byte;
    }
    previous == b'\r'
}

/// What a server said, fit to be kept: one line, at most 500 characters, without the addresses of the recipients.
fn tidy(reply: &str, recipients: &[&Address]) -> String {
    let mut tidied = reply.to_owned();
    for recipient in recipients {
        let address = recipient.to_string().to_ascii_lowercase();
        let mut text = String::with_capacity(tidied.len());
        let mut rest = &*tidied;
        while let Some(at) = rest.to_ascii_lowercase().find(&address) {
            text.push_str(&rest[..at]);
            text.push_str("(recipient)");
            rest = &rest[at + address.len()..];
        }
        text.push_str(rest);
        tidied = text;
    }
    tidied.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}
