//! How much each account has open.
//!
//! Invariant: what was counted up is counted down when its guard goes, and who has nothing open is not
//! in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

type Counts = Arc<Mutex<HashMap<(Uuid, What), usize>>>;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// Sockets.
    Connection,
    /// Operations.
    Operation,
}

/// The counts of all accounts.
#[derive(Clone, Debug, Default)]
pub struct Accounts(Counts);

/// One that is counted until this is dropped.
#[derive(Debug)]
pub struct Counted {
    counts: Counts,
    key: (Uuid, What),
}

impl Accounts {
    /// Counts one more of an account, unless it has `most`.
    pub fn enter(&self, account: Uuid, what: What, most: usize) -> Option<Counted> {
        let key = (account, what);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted { counts: Arc::clone(&self.0), key })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_its_number_and_leaves_nothing_behind() {
        let accounts = Accounts::default();
        let (lan, minh) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let enter = |who| accounts.enter(who, What::Operation, 2);
        let (one, two) = (enter(lan), enter(lan));
        assert!(one.is_some() && two.is_some() && enter(lan).is_none());
        assert!(enter(minh).is_some());
        drop(one);
        assert!(enter(lan).is_some());
        drop(two);
        assert!(accounts.0.lock().unwrap().is_empty());
    }
}
