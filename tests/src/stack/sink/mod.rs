//! A mail server that keeps what it accepts, and misbehaves on demand.
//!
//! Invariant: a mail is on the disk before the sender is told 250. What is on the disk was
//! delivered, whether or not the sender learned of it: that is the difference the judge looks for.

mod mishap;
mod session;
mod store;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use entity::clock::Clock;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use mishap::{Mishap, Weather};
pub use store::Mail;
use store::Store;

/// What the sink did to a sender on purpose.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Incident {
    /// What it did.
    pub mishap: Mishap,
    /// To whom the mail was meant, as far as that was said.
    pub recipient: Option<String>,
    /// Which mail it was, as far as its head had been read; without angle brackets.
    pub message_id: Option<String>,
}

/// A running sink. Dropping it closes its port and its connections.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
    _running: DropGuard,
}

impl Sink {
    /// Listens on a free port; mails go to `dir/mail.log`, and chance is decided by `seed`.
    ///
    /// # Errors
    /// When the port or the file cannot be had.
    pub async fn start(dir: &Path, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, super::free_port()?)).await?;
        let shared = Arc::new(Shared {
            clock: Clock::system(),
            store: Store::create(&dir.join("mail.log")).await?,
            state: Mutex::new(State {
                chance: StdRng::seed_from_u64(seed),
                weather: Weather::default(),
                incidents: Vec::new(),
            }),
        });
        let running = CancellationToken::new();
        let sink = Self {
            address: listener.local_addr()?,
            shared: shared.clone(),
            _running: running.clone().drop_guard(),
        };
        tokio::spawn(running.clone().run_until_cancelled_owned(accept(listener, shared, running)));
        Ok(sink)
    }

    /// Its address as an URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// How it behaves from now on, in connections and mails that begin.
    pub fn set_weather(&self, weather: Weather) {
        self.shared.state().weather = weather;
    }

    /// Everything it did wrong on purpose.
    #[must_use]
    pub fn incidents(&self) -> Vec<Incident> {
        self.shared.state().incidents.clone()
    }

    /// How often it did what.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Mishap, usize> {
        let mut counts = BTreeMap::new();
        for incident in &self.shared.state().incidents {
            *counts.entry(incident.mishap).or_default() += 1;
        }
        counts
    }

    /// Every mail it has on the disk, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn mails(&self) -> io::Result<Vec<Mail>> {
        self.shared.store.read()
    }
}

/// What all sessions of a sink share.
#[derive(Debug)]
struct Shared {
    clock: Clock,
    store: Store,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    chance: StdRng,
    weather: Weather,
    incidents: Vec<Incident>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this connection gets no greeting, and for how long.
    fn silence_at_connect(&self) -> Option<Duration> {
        let state = &mut *self.state();
        state.weather.silent_connection(&mut state.chance).then_some(state.weather.silence)
    }

    /// What will befall the mail that begins, and how long a silence lasts.
    fn mishap(&self) -> (Option<Mishap>, Duration) {
        let state = &mut *self.state();
        (state.weather.draw(&mut state.chance), state.weather.silence)
    }

    fn note(&self, mishap: Mishap, recipient: Option<&str>, message_id: Option<&str>) {
        self.state().incidents.push(Incident {
            mishap,
            recipient: recipient.map(str::to_owned),
            message_id: message_id.map(str::to_owned),
        });
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, running: CancellationToken) {
    loop {
        // A failed accept means too many open files: they come free when a session ends.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let session = session::serve(stream, shared.clone());
        tokio::spawn(running.clone().run_until_cancelled_owned(session));
    }
}

#[cfg(test)]
mod tests;
