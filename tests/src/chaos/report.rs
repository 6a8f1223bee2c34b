//! What a run prints at its end.
//!
//! Invariant: every number is derived from the facts, so the report and the judge cannot disagree.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::facts::{Answer, Facts, What};
use super::judge::Violation;
use crate::stack::sink::Mishap;

/// What a run did, beyond the facts that are judged.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Every fault as it was said when it struck.
    pub faults: Vec<String>,
    /// Processes that ended by themselves.
    pub ended: Vec<String>,
    /// How often the mail server did what.
    pub mishaps: BTreeMap<Mishap, usize>,
    /// How often clients met which fault.
    pub client_faults: BTreeMap<String, u64>,
}

/// A run's end, for people.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// The seed that replays it.
    pub seed: u64,
    /// What was found.
    pub facts: &'a Facts,
    /// What was done.
    pub figures: &'a Figures,
    /// What was broken.
    pub violations: &'a [Violation],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = self.facts;
        writeln!(f, "\nseed {}: {} faults", self.seed, self.figures.faults.len())?;
        self.faults(f)?;
        self.requests(f)?;
        let documents = (facts.receipts.len(), facts.invoices.len(), facts.entries.len());
        line(
            f,
            "documents",
            &format!(
                "{} receipts, {} invoices, {} ledger entries",
                documents.0, documents.1, documents.2
            ),
        )?;
        self.mails(f)?;
        let drained = facts
            .drained_s
            .map_or("never".to_owned(), |time| format!("{time:.1} s after the last fault"));
        line(f, "drained", &drained)?;
        for ended in &self.figures.ended {
            line(f, "ended by itself", ended)?;
        }
        match self.violations {
            [] => writeln!(f, "\nverdict: right, seed {}", self.seed),
            violations => {
                writeln!(
                    f,
                    "\nverdict: WRONG, seed {}: {} violations",
                    self.seed,
                    violations.len()
                )?;
                violations.iter().try_for_each(|violation| writeln!(f, "  {violation}"))
            }
        }
    }
}

impl Report<'_> {
    fn faults(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count =
            |what: &str| self.figures.faults.iter().filter(|fault| fault.contains(what)).count();
        let counts = [
            ("kills", count("kill -9")),
            ("freezes", count("frozen")),
            ("graceful restarts", count("gracefully")),
            ("FLUSHALLs", count("FLUSHALL")),
            ("phases of bad mail weather", count("mail ")),
        ];
        line(f, "faults", &list(counts.iter().map(|(name, count)| format!("{count} {name}"))))
    }

    fn requests(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut acknowledged = [0, 0];
        let (mut refused, mut unanswered, mut sent, mut repeated) = (0, 0, 0, 0);
        for asked in &self.facts.requests {
            sent += asked.sent;
            repeated += usize::from(asked.sent > 1);
            match (asked.answers.first(), &asked.what) {
                (Some(Answer::Done { .. }), What::Pay { .. }) => acknowledged[0] += 1,
                (Some(Answer::Done { .. }), What::Reverse { .. }) => acknowledged[1] += 1,
                (Some(Answer::Refused { .. }), _) => refused += 1,
                (None, _) => unanswered += 1,
            }
        }
        let [payments, reversals] = acknowledged;
        line(
            f,
            "acknowledged",
            &format!(
                "{payments} payments, {reversals} reversals; {refused} refused, {unanswered} unanswered"
            ),
        )?;
        line(
            f,
            "requests",
            &format!(
                "{sent} sent for {} keys, {repeated} keys more than once",
                self.facts.requests.len()
            ),
        )?;
        let faults =
            self.figures.client_faults.iter().map(|(fault, count)| format!("{count} {fault}"));
        line(f, "clients met", &list(faults))
    }

    fn mails(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        for message in &self.facts.messages {
            *states.entry(&message.state).or_default() += 1;
        }
        let states = list(states.iter().map(|(state, count)| format!("{count} {state}")));
        line(f, "messages", &format!("{states}; {} mails delivered", self.facts.mails.len()))?;
        let mishaps =
            self.figures.mishaps.iter().map(|(mishap, count)| format!("{count} {mishap:?}"));
        line(f, "mail server", &list(mishaps))?;
        for message in self.facts.messages.iter().filter(|message| message.state == "UNKNOWN") {
            let id = &message.message_id;
            let arrived = self.facts.mails.iter().any(|mail| mail.message_id.as_ref() == Some(id));
            let arrived = if arrived { "arrived" } else { "did not arrive" };
            let reason = self.facts.doubts.get(id).map_or("no reason seen", String::as_str);
            line(f, "unknown", &format!("<{id}> {arrived}: {reason}"))?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    writeln!(f, "  {name:20} {text}")
}

fn list(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}
