//! Waiting between attempts to reach Redis. Invariant: it never gives up, and never waits for more
//! than [`LONGEST`], so that work goes on soon after Redis is back.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// Doubles the wait after each failure. Jittered, so that a fleet does not reconnect in step.
pub(super) struct Backoff(Duration);

impl Backoff {
    pub(super) fn new() -> Self {
        Self(SHORTEST)
    }

    /// The next failure is the first one again.
    pub(super) fn reset(&mut self) {
        self.0 = SHORTEST;
    }

    pub(super) async fn wait(&mut self) {
        let wait = self.0.mul_f64(rand::random_range(0.5..1.0));
        self.0 = (self.0 * 2).min(LONGEST);
        tokio::time::sleep(wait).await;
    }
}
