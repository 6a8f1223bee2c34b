//! What can befall a mail on its way into the sink, and how likely each is at the moment.
//!
//! Invariant: at most one thing befalls a mail, and only [`Mishap::undecidable`] ones may leave a
//! sender in doubt whether it was delivered.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

/// A thing that a mail server does to a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mishap {
    /// A connection is accepted and never greeted.
    SilentConnection,
    /// 451 to the recipient: later, please.
    DeferRecipient,
    /// 550 to the recipient: never.
    RefuseRecipient,
    /// 421 to the recipient, then the connection ends.
    ShutDown,
    /// The connection ends instead of the answer to DATA.
    CutBeforeData,
    /// The connection ends in the middle of the body; nothing is kept.
    CutInData,
    /// 554 after the whole body: never; nothing is kept.
    RefuseBody,
    /// No answer after the whole body, then the connection ends; nothing is kept.
    SilentUnstored,
    /// The mail is kept, then the connection ends without an answer.
    CutAfterStore,
    /// The mail is kept, then no answer comes, then the connection ends.
    SilentStored,
}

impl Mishap {
    /// Those that befall a mail, as opposed to a connection.
    pub const OF_MAILS: [Self; 9] = [
        Self::DeferRecipient,
        Self::RefuseRecipient,
        Self::ShutDown,
        Self::CutBeforeData,
        Self::CutInData,
        Self::RefuseBody,
        Self::SilentUnstored,
        Self::CutAfterStore,
        Self::SilentStored,
    ];

    /// Whether the sender cannot know if the mail was delivered: the body was on its way and no
    /// answer came.
    #[must_use]
    pub fn undecidable(self) -> bool {
        use Mishap::{CutAfterStore, CutInData, SilentStored, SilentUnstored};
        matches!(self, CutInData | SilentUnstored | CutAfterStore | SilentStored)
    }

    /// Whether the sender was told never to try again.
    #[must_use]
    pub fn refusal(self) -> bool {
        matches!(self, Self::RefuseRecipient | Self::RefuseBody)
    }
}

/// How likely what is. Everything absent never happens, so the default is a perfect server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weather {
    /// What befalls mails, with the probability of each; together at most 1.
    pub mails: Vec<(Mishap, f64)>,
    /// The probability that a connection is never greeted.
    pub silent_connections: f64,
    /// How long a silence lasts before the connection ends.
    pub silence: Duration,
}

impl Default for Weather {
    fn default() -> Self {
        Self { mails: Vec::new(), silent_connections: 0.0, silence: Duration::from_secs(8) }
    }
}

impl Weather {
    /// Only `mishap`, with `probability`.
    #[must_use]
    pub fn only(mishap: Mishap, probability: f64) -> Self {
        if mishap == Mishap::SilentConnection {
            return Self { silent_connections: probability, ..Self::default() };
        }
        Self { mails: vec![(mishap, probability)], ..Self::default() }
    }

    /// What befalls the next mail.
    pub fn draw(&self, chance: &mut StdRng) -> Option<Mishap> {
        let mut left: f64 = chance.random();
        for (mishap, probability) in &self.mails {
            if left < *probability {
                return Some(*mishap);
            }
            left -= probability;
        }
        None
    }

    /// Whether the next connection is never greeted.
    pub fn silent_connection(&self, chance: &mut StdRng) -> bool {
        chance.random::<f64>() < self.silent_connections
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_mishaps() {
        let weather = Weather {
            mails: vec![(Mishap::DeferRecipient, 0.3), (Mishap::RefuseBody, 0.05)],
            ..Weather::default()
        };
        let draw = |seed| {
            let mut chance = StdRng::seed_from_u64(seed);
            (0..1000).map(|_| weather.draw(&mut chance)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let deferred = draw(7).iter().filter(|m| **m == Some(Mishap::DeferRecipient)).count();
        assert!((250..350).contains(&deferred), "{deferred}");
    }

    #[test]
    fn fine_weather_harms_nobody() {
        let mut chance = StdRng::seed_from_u64(1);
        assert!((0..1000).all(|_| Weather::default().draw(&mut chance).is_none()));
        assert!(!Weather::default().silent_connection(&mut chance));
    }
}
