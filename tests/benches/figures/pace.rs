//! How many in how long. Invariant: the time is that of all tasks together, the slowest one
//! included.

use std::ops::AddAssign;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::figure::{Failure, Reading, Scale};

/// How many were done, and how long that took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// How many.
    pub done: usize,
    /// How long.
    pub took: Duration,
}

impl Pace {
    /// How many in a second.
    pub fn per_second(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
        let done = self.done as f64;
        done / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

impl AddAssign for Pace {
    fn add_assign(&mut self, more: Self) {
        self.done += more.done;
        self.took += more.took;
    }
}

/// Runs `tasks` at once; each says how many it did.
pub async fn together<T>(tasks: impl IntoIterator<Item = T>) -> Result<Pace, Failure>
where
    T: Future<Output = Result<usize, Failure>> + Send + 'static,
{
    let began = Instant::now();
    let mut running: JoinSet<_> = tasks.into_iter().collect();
    let mut done = 0;
    while let Some(ended) = running.join_next().await {
        done += ended??;
    }
    Ok(Pace { done, took: began.elapsed() })
}

/// Lets Rapport and its limit take turns of the given length, after one short turn each that does
/// not count.
pub async fn side_by_side(
    scale: Scale,
    mut rapport: impl AsyncFnMut(Duration) -> Result<Pace, Failure>,
    mut limit: impl AsyncFnMut(Duration) -> Result<Pace, Failure>,
) -> Result<Reading, Failure> {
    rapport(scale.turn / 4).await?;
    limit(scale.turn / 4).await?;
    let (mut measured, mut at_most) = (Pace::default(), Pace::default());
    for _ in 0..scale.rounds {
        measured += rapport(scale.turn).await?;
        at_most += limit(scale.turn).await?;
    }
    let (measured, limit) = (measured.per_second(), at_most.per_second());
    Ok(Reading::Taken { measured, limit, note: None })
}

/// The same, but each round stands for itself: the one whose ratio is the median counts.
pub async fn median_of_rounds(
    scale: Scale,
    mut rapport: impl AsyncFnMut(Duration) -> Result<Pace, Failure>,
    mut limit: impl AsyncFnMut(Duration) -> Result<Pace, Failure>,
) -> Result<Reading, Failure> {
    rapport(scale.turn / 4).await?;
    limit(scale.turn / 4).await?;
    let mut rounds = Vec::with_capacity(scale.rounds);
    for _ in 0..scale.rounds {
        let measured = rapport(scale.turn).await?.per_second();
        rounds.push((measured, limit(scale.turn).await?.per_second()));
    }
    rounds.sort_by(|(a, b), (c, d)| (a / b).total_cmp(&(c / d)));
    let (measured, limit) = rounds[rounds.len() / 2];
    Ok(Reading::Taken { measured, limit, note: None })
}
