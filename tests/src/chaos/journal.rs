//! What the clients sent and what they were told: the only memory of what was promised.
//!
//! Invariant: an answer is noted before the client acts on it, and a key is noted before it is
//! first sent.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::facts::{Answer, Asked, What};

/// The clients' shared log.
#[derive(Debug, Default)]
pub struct Journal(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    asked: Vec<Asked>,
    by_key: HashMap<String, usize>,
    faults: BTreeMap<String, u64>,
}

impl Journal {
    /// Notes what is going to be sent under `key`.
    pub fn ask(&self, key: &str, what: What) {
        let mut pages = self.pages();
        let index = pages.asked.len();
        pages.by_key.insert(key.to_owned(), index);
        pages.asked.push(Asked { key: key.to_owned(), what, sent: 0, answers: Vec::new() });
    }

    /// Notes that `key` is sent, for the first time or again.
    pub fn sent(&self, key: &str) {
        self.with(key, |asked| asked.sent += 1);
    }

    /// Notes a final answer to `key`.
    pub fn answered(&self, key: &str, answer: &Answer) {
        self.with(key, |asked| asked.answers.push(answer.clone()));
    }

    /// Counts a fault that a client met, by its name.
    pub fn met(&self, fault: &str) {
        *self.pages().faults.entry(fault.to_owned()).or_default() += 1;
    }

    /// Everything asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.pages().asked.clone()
    }

    /// How often clients met which fault.
    #[must_use]
    pub fn faults(&self) -> BTreeMap<String, u64> {
        self.pages().faults.clone()
    }

    fn with(&self, key: &str, change: impl FnOnce(&mut Asked)) {
        let mut pages = self.pages();
        if let Some(index) = pages.by_key.get(key).copied() {
            change(&mut pages.asked[index]);
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sending_and_every_answer_is_kept_under_its_key() {
        let journal = Journal::default();
        journal.ask("a", What::Pay { amount: 1 });
        journal.ask("b", What::Pay { amount: 2 });
        journal.sent("b");
        journal.sent("b");
        let answer = Answer::Refused { code: "OVERPAID".to_owned() };
        journal.answered("b", &answer);
        journal.met("TIMEOUT");
        let asked = journal.asked();
        assert_eq!((asked[0].sent, asked[1].sent), (0, 2));
        assert_eq!(asked[1].answers, [answer]);
        assert_eq!(journal.faults(), BTreeMap::from([("TIMEOUT".to_owned(), 1)]));
    }
}
