//! How much each account, and each address of nobody in particular, may ask for in a minute.
//!
//! What is counted is the schema's complexity of each operation. Every process counts by itself and never
//! waits; a few times a second it adds what it has counted to what all have, in Redis.
//!
//! Invariant: an operation is refused before it has begun, or paid for. With Redis away, each process
//! grants the whole budget by itself; with it, what is granted too much is what was asked for within
//! `shared::PAUSE`.

mod shared;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_graphql::{ServerError, ServerResult};
use chrono::{DateTime, Utc};
use entity::clock::Clock;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::errors::{Code, error};
use super::request::Peer;
use super::store::Store;

/// How long a budget lasts, in seconds.
const WINDOW_S: i64 = 60;

/// How many payers are known at once. Beyond that, those who are not known share one budget.
const MOST: usize = 100_000;

/// What may be asked for in a minute, in points of complexity.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// By each account; `None` for no limit.
    pub account: Option<u64>,
    /// From each address without an account; `None` for no limit.
    pub address: Option<u64>,
}

/// Who pays: an account, or an address, as the first bytes of its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Payer {
    Account(Uuid),
    Address([u8; 16]),
    /// Those for whom there is no room.
    Crowd,
}

/// What somebody has spent in this minute.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    /// In all processes, as far as is known, with `unsaid`.
    total: u64,
    /// What the others do not know yet.
    unsaid: u64,
}

#[derive(Default)]
struct Window {
    number: i64,
    spent: HashMap<Payer, Spent>,
}

/// The budgets of all payers.
#[derive(Clone)]
pub struct Budget {
    allowance: Allowance,
    clock: Clock,
    window: Arc<Mutex<Window>>,
}

/// What an operation costs, and what is left after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What it costs.
    pub cost: u64,
    /// What the budget is.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// When it is whole again.
    pub reset_at: DateTime<Utc>,
}

impl Rate {
    /// When the budget is whole again, in RFC 3339.
    #[must_use]
    pub fn reset_at(&self) -> String {
        self.reset_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }
}

impl Budget {
    /// Budgets by the clock, shared with other processes through `store` if there is one; then it needs
    /// a Tokio runtime.
    #[must_use]
    pub fn new(allowance: Allowance, clock: Clock, store: Option<Store>) -> Self {
        let budget = Self { allowance, clock, window: Arc::default() };
        if let Some(store) = store {
            shared::spawn(Arc::downgrade(&budget.window), store);
        }
        budget
    }

    /// No limits.
    #[must_use]
    pub fn unlimited(clock: Clock) -> Self {
        Self::new(Allowance { account: None, address: None }, clock, None)
    }

    /// The meter of one operation of `account`, or of nobody from `peer`.
    #[must_use]
    pub fn meter(&self, account: Option<Uuid>, peer: Peer) -> Meter {
        let (payer, limit) = match account {
            Some(account) => (Payer::Account(account), self.allowance.account),
            None => (Payer::Address(network(peer.0)), self.allowance.address),
        };
        Meter { budget: self.clone(), payer, limit, charged: OnceLock::new() }
    }

    /// Takes `cost` from a budget, if so much is left.
    fn charge(&self, payer: Payer, cost: u64, limit: u64) -> Result<Rate, Rate> {
        let number = self.clock.now().timestamp().div_euclid(WINDOW_S);
        let reset_at = DateTime::from_timestamp((number + 1) * WINDOW_S, 0).unwrap_or_default();
        let mut window = lock(&self.window);
        if window.number != number {
            *window = Window { number, spent: HashMap::new() };
        }
        let is_full = window.spent.len() >= MOST && !window.spent.contains_key(&payer);
        let payer = if is_full { Payer::Crowd } else { payer };
        let spent = window.spent.entry(payer).or_default();
        let after = spent.total.saturating_add(cost);
        let rate =
            |total: u64| Rate { cost, limit, remaining: limit.saturating_sub(total), reset_at };
        if after > limit {
            return Err(rate(spent.total));
        }
        spent.total = after;
        spent.unsaid += cost;
        Ok(rate(after))
    }
}

/// Charges one operation.
pub struct Meter {
    budget: Budget,
    payer: Payer,
    limit: Option<u64>,
    charged: OnceLock<Result<Rate, Rate>>,
}

impl Meter {
    /// Charges `cost`. Once only, however often it is asked.
    ///
    /// # Errors
    /// `RATE_LIMITED`, with when to come again.
    pub fn charge(&self, cost: usize) -> ServerResult<()> {
        let Some(limit) = self.limit else { return Ok(()) };
        let cost = u64::try_from(cost).unwrap_or(u64::MAX);
        let charged = self.charged.get_or_init(|| self.budget.charge(self.payer, cost, limit));
        charged.as_ref().map(|_| ()).map_err(refused)
    }

    /// What was charged; `None` before that, and where there is no limit.
    #[must_use]
    pub fn rate(&self) -> Option<Rate> {
        self.charged.get().map(|charged| match charged {
            Ok(rate) | Err(rate) => *rate,
        })
    }

    /// How long it takes until the budget is whole again.
    #[must_use]
    pub fn wait(&self) -> std::time::Duration {
        let reset_at = self.rate().map(|rate| rate.reset_at);
        let wait = reset_at.map(|reset_at| (reset_at - self.budget.clock.now()).to_std());
        wait.and_then(Result::ok).unwrap_or(std::time::Duration::from_secs(1))
    }
}

fn refused(rate: &Rate) -> ServerError {
    let Rate { cost, limit, remaining, .. } = rate;
    let message = format!(
        "This costs {cost} points, and {remaining} of {limit} a minute are left. Ask for less, or again \
         after {}.",
        rate.reset_at()
    );
    let mut refused = error(Code::RateLimited, message);
    let extensions = refused.extensions.get_or_insert_default();
    extensions.set("resetAt", rate.reset_at());
    refused
}

/// Where an address is: itself, or the network that an IPv6 client has all addresses of.
fn network(address: IpAddr) -> [u8; 16] {
    let bytes = match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets()[..8].to_vec(),
    };
    let mut short = [0; 16];
    short.copy_from_slice(&Sha256::digest(bytes)[..16]);
    short
}

fn lock(window: &Mutex<Window>) -> MutexGuard<'_, Window> {
    window.lock().unwrap_or_else(PoisonError::into_inner)
}
