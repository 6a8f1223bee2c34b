//! What whoever writes tells the others: "something was committed" to the relays, and "these records
//! changed" to those who follow them live.
//!
//! Invariant: best effort in every direction, so telling never blocks and never fails. A lost wake-up
//! costs a relay's polling interval; a lost change is noticed, and followers are told that they have
//! missed something and look at the rows themselves.

use std::sync::{Arc, Mutex, PoisonError};

use redis::Client;
use tokio::sync::{broadcast, mpsc, watch};

use super::FeedError;
use super::changes::{Changes, Follower};
use super::pubsub::{self, Channels};

/// How much may be on its way to a follower before it has missed something.
const AHEAD: usize = 64;

/// What was not said yet.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// Whether the relays are to look.
    pub wake: bool,
    /// What changed.
    pub changes: Changes,
}

/// Where words wait to be said.
#[derive(Clone, Debug, Default)]
pub(super) struct Unsaid(Arc<Mutex<Words>>);

impl Unsaid {
    /// What waits; nothing does afterwards.
    pub fn take(&self) -> Words {
        self.with(std::mem::take)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Words) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where words are heard.
#[derive(Clone)]
pub(super) struct Ears {
    /// Wakes relays.
    pub wake: watch::Sender<()>,
    /// Reaches followers.
    pub news: broadcast::Sender<Arc<Changes>>,
}

impl Ears {
    fn new() -> (Self, watch::Receiver<()>) {
        let (wake, wakes) = watch::channel(());
        (Self { wake, news: broadcast::Sender::new(AHEAD) }, wakes)
    }

    /// Passes words on to everybody in the process.
    pub fn hear(&self, words: Words) {
        if words.wake {
            self.wake.send_replace(());
        }
        if !words.changes.is_empty() {
            // Nobody follows: nothing is lost.
            let _ = self.news.send(Arc::new(words.changes));
        }
    }
}

/// Wakes relays up, and tells followers what changed. Every clone hears every signal; signals raised
/// while it does not listen become one.
#[derive(Clone)]
pub struct Signal {
    unsaid: Unsaid,
    bell: mpsc::Sender<()>,
    wakes: watch::Receiver<()>,
    news: broadcast::Sender<Arc<Changes>>,
}

impl Signal {
    /// A signal within the process. Needs a Tokio runtime.
    #[must_use]
    pub fn embedded() -> Self {
        let (bell, mut rings) = mpsc::channel(1);
        let (ears, wakes) = Ears::new();
        let (unsaid, news) = (Unsaid::default(), ears.news.clone());
        let words = unsaid.clone();
        tokio::spawn(async move {
            while rings.recv().await.is_some() {
                ears.hear(words.take());
            }
        });
        Self { unsaid, bell, wakes, news }
    }

    /// A signal to all processes on a Redis with the same prefix. Needs a Tokio runtime; Redis may be
    /// down.
    ///
    /// # Errors
    /// `Address` if the URL cannot be parsed.
    pub fn redis(url: &str, prefix: &str) -> Result<Self, FeedError> {
        let client = Client::open(url).map_err(FeedError::Address)?;
        let channels = Channels::of(prefix);
        let (bell, rings) = mpsc::channel(1);
        let (ears, wakes) = Ears::new();
        let (unsaid, news) = (Unsaid::default(), ears.news.clone());
        tokio::spawn(pubsub::speak(client.clone(), channels.clone(), rings, unsaid.clone()));
        tokio::spawn(async move {
            let wake = ears.wake.clone();
            tokio::select! {
                () = pubsub::listen(client, channels, ears) => {}
                () = wake.closed() => {}
            }
        });
        Ok(Self { unsaid, bell, wakes, news })
    }

    /// Says that something was committed. Returns at once.
    pub fn raise(&self) {
        self.unsaid.with(|words| words.wake = true);
        self.ring();
    }

    /// Says which records changed, after that was committed. Returns at once.
    pub fn tell(&self, changes: Changes) {
        if !changes.is_empty() {
            self.unsaid.with(|words| words.changes.merge(changes));
            self.ring();
        }
    }

    /// Follows what is told from now on.
    #[must_use]
    pub fn follow(&self) -> Follower {
        Follower::new(self.news.subscribe())
    }

    /// Waits for a signal raised since this clone last waited.
    pub async fn wait(&mut self) {
        if self.wakes.changed().await.is_err() {
            // The runtime is going down.
            std::future::pending::<()>().await;
        }
    }

    fn ring(&self) {
        // A full channel means that it is heard soon anyway.
        let _ = self.bell.try_send(());
    }
}
