//! From the bytes to the outcome.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::automation::lease::Leased;
use entity::automation::message::{self, Ready, Reason, State};
use entity::id::MessageId;
use futures::FutureExt;
use rand::RngExt;
use tokio::task::JoinSet;

use super::{Sender, count};
use crate::mail::transport::Outcome;
use crate::relay::chain;

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_hours(4);

impl Sender {
    /// Puts messages on the wire at once, and writes the outcomes down as they come in.
    pub(super) async fn transmit(
        &self,
        ready: Vec<Ready>,
        messages: Arc<[message::Model]>,
        from: String,
    ) -> Result<(), entity::Error> {
        let mut wire = JoinSet::new();
        let mut flying: Vec<_> = ready.iter().map(|row| row.leased).collect();
        for row in ready {
            let Some(at) = messages.iter().position(|message| message.id == row.leased.id) else {
                continue;
            };
            let (sender, messages, from) = (self.clone(), Arc::clone(&messages), from.clone());
            wire.spawn(async move {
                let message = &messages[at];
                let outcome = sender.ways.send(message, &row, &from).await;
                sender.outcome(row.leased, message.attempts, outcome)
            });
        }
        let mut renewal = tokio::time::interval(self.lease / 3);
        renewal.tick().await;
        while !wire.is_empty() {
            let first = tokio::select! {
                first = wire.join_next() => first,
                _ = renewal.tick() => {
                    self.renew(flying.clone()).await;
                    continue;
                }
            };
            // Whatever else has come in by now goes into the same statement.
            let rest = std::iter::from_fn(|| wire.try_join_next());
            let outcomes: Vec<message::Outcome> =
                first.into_iter().chain(rest).filter_map(Result::ok).collect();
            flying.retain(|leased| outcomes.iter().all(|outcome| outcome.leased != *leased));
            self.settle(outcomes.into(), self.clock.now()).await?;
        }
        Ok(())
    }

    /// Failing to renew is harmless: the sweeper may call a message unknown that is still on the wire,
    /// and its outcome is accepted all the same.
    async fn renew(&self, flying: Vec<Leased<MessageId>>) {
        let (now, lease) = (self.clock.now(), self.lease());
        let renewed = self.db.write(move |txn| {
            let flying = flying.clone();
            async move { message::renew(txn, &flying, lease, now).await }.boxed()
        });
        if let Err(error) = renewed.await {
            tracing::warn!(error = %chain(&error), "a lease could not be renewed");
        }
    }

    /// Writes outcomes down, and tries for a while when the database is away: they are known only here.
    async fn settle(
        &self,
        outcomes: Arc<[message::Outcome]>,
        now: DateTime<Utc>,
    ) -> Result<(), entity::Error> {
        for outcome in outcomes.iter() {
            count(outcome.state);
        }
        let mut tries = 0;
        loop {
            let settled = self.db.write(|txn| {
                let outcomes = Arc::clone(&outcomes);
                async move { message::settle(txn, &outcomes, now).await }.boxed()
            });
            match settled.await {
                Err(error) if tries < 20 => {
                    tries += 1;
                    tracing::warn!(error = %chain(&error), "outcomes are written again");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                settled => return settled,
            }
        }
    }

    fn outcome(
        &self,
        leased: Leased<MessageId>,
        attempts: i32,
        outcome: Outcome,
    ) -> message::Outcome {
        let now = self.clock.now();
        let (state, reason, detail) = match outcome {
            Outcome::Accepted { reply } => (State::Accepted, None, reply),
            Outcome::Temporary { reply } => (State::Deferred, Some(Reason::ProviderTemp), reply),
            Outcome::Permanent { reply } => (State::Refused, Some(Reason::ProviderPerm), reply),
            Outcome::Unknown { reply } => (State::Unknown, Some(Reason::UnknownOutcome), reply),
        };
        let due_at = now + pause(self.retry, attempts, &mut rand::rng());
        message::Outcome { leased, state, reason, detail: Some(detail), due_at }
    }
}

/// How long to wait after failure number `attempts + 1`: doubled each time, and jittered, so that
/// what failed together does not come back together.
fn pause(first: Duration, attempts: i32, random: &mut impl rand::Rng) -> TimeDelta {
    let doublings = u32::try_from(attempts.clamp(0, 16)).unwrap_or_default();
    let longest = first.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    let jittered = longest.mul_f64(random.random_range(0.5..=1.0));
    TimeDelta::from_std(jittered).unwrap_or(TimeDelta::hours(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_with_jitter_and_end_at_four_hours() {
        let mut random = rand::rng();
        for (attempts, most) in [(0, 60), (1, 120), (5, 1_920), (30, 14_400)] {
            let pause = pause(Duration::from_mins(1), attempts, &mut random).num_seconds();
            assert!((most / 2..=most).contains(&pause), "{attempts}: {pause} s");
        }
    }
}
