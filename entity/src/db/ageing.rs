//! Which connections are replaced for their age, so that no server keeps for ever what it remembers of one, and
//! servers that are new behind a balancer get their share.
//!
//! Invariant: one at a time, and while others lie idle: then its successor is opened in peace, and nobody waits for it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use sea_orm::sqlx::PgPool;

/// How old a connection may be.
const LIFETIME: Duration = Duration::from_mins(30);

/// How long after one the next may be replaced.
const APART: Duration = Duration::from_secs(5);

/// The age of a pool's connections.
#[derive(Debug)]
pub(super) struct Ageing {
    pool: PgPool,
    last: Last,
}

/// Whom a pool asks when a connection comes back. It is told after the pool is there, and does not keep it.
pub(super) type Asked = Arc<OnceLock<Weak<Ageing>>>;

/// Whether a connection of this `age` is replaced.
pub(super) fn ends(asked: &Asked, age: Duration) -> bool {
    let Some(ageing) = asked.get().and_then(Weak::upgrade) else { return false };
    ageing.pool.num_idle() > 0 && ageing.last.is_over(age, Instant::now())
}

impl Ageing {
    /// Watches over `pool`, which asks.
    pub(super) fn of(pool: PgPool, asked: &Asked) -> Arc<Self> {
        let ageing = Arc::new(Self { pool, last: Last::default() });
        asked.get_or_init(|| Arc::downgrade(&ageing));
        ageing
    }
}

/// When a connection was last replaced.
#[derive(Debug, Default)]
struct Last(Mutex<Option<Instant>>);

impl Last {
    /// Whether the time of a connection of this `age` is over `now`; then it is the last that was replaced.
    fn is_over(&self, age: Duration, now: Instant) -> bool {
        if age < LIFETIME {
            return false;
        }
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.duration_since(last) >= APART);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_of_one_age_are_replaced_one_after_another() {
        let (last, begun) = (Last::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert!(!last.is_over(LIFETIME / 2, at(0)), "it is young");
        assert!(last.is_over(LIFETIME, at(0)));
        assert!(!last.is_over(LIFETIME, at(4)), "another one is being replaced");
        assert!(last.is_over(LIFETIME, at(5)));
        assert!(!last.is_over(LIFETIME * 2, at(6)));
    }
}
