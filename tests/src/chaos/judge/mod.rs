//! Who decides whether a run was right: a pure function over facts, which knows invariants and no
//! mechanism.
//!
//! Invariant: no rule looks at how something came about, so no bug in a mechanism can excuse
//! itself.

mod ledger;
mod messages;
mod payments;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::facts::Facts;

/// How long Rapport may take to finish everything after the last fault.
pub const DRAIN_LIMIT_S: f64 = 60.0;

/// A rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Rule {
    /// Every acknowledged payment and reversal exists.
    AcknowledgedIsKept,
    /// The same key always gets the same answer.
    OneAnswerPerKey,
    /// A key makes one payment at most, and a refused one makes none.
    OnePaymentPerKey,
    /// No payment that nobody asked for, and none that differs from what was asked.
    PaymentWasAskedFor,
    /// One receipt per payment, and one cancellation per reversed payment.
    OneReceiptPerPayment,
    /// Numbers of documents are unique and gapless per series and year.
    GaplessNumbers,
    /// Each posting, and the whole ledger, sums to zero per currency.
    LedgerBalances,
    /// What a payment says is allocated is the sum of its allocations, and within its amount.
    PaymentAllocations,
    /// What an invoice says is paid is the sum of its allocations, and within its total.
    InvoiceAllocations,
    /// A customer's balance in the ledger is what is open less what is unapplied.
    CustomerBalance,
    /// One message per receipt, copies apart.
    OneMessagePerReceipt,
    /// An accepted message was delivered exactly once.
    AcceptedIsDelivered,
    /// A refused message was refused by the mail server, and never delivered.
    RefusedWasRefused,
    /// Nobody is in doubt without a reason: a crash or a cut while the mail was on its way.
    DoubtHasReason,
    /// No mail is delivered twice, and none that no message knows.
    NoStrayMail,
    /// When all is over every message is settled in a way that this run can lead to.
    EverythingSettled,
    /// When all is over every event is relayed, within the time limit.
    Drained,
    /// A process that is asked to stop does so within its grace.
    StopsWhenAsked,
}

/// A broken rule and how it was broken.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// What was found instead.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.found)
    }
}

/// Every violation in `facts`; none means that the run was right.
#[must_use]
pub fn judge(facts: &Facts) -> Vec<Violation> {
    let mut verdict = Verdict::default();
    payments::judge(facts, &mut verdict);
    ledger::judge(facts, &mut verdict);
    messages::judge(facts, &mut verdict);
    match facts.drained_s {
        Some(seconds) if seconds <= DRAIN_LIMIT_S => {}
        Some(seconds) => verdict.add(Rule::Drained, format!("it took {seconds:.0} s")),
        None => verdict.add(Rule::Drained, "it never finished".to_owned()),
    }
    let unrelayed = facts.unrelayed_events;
    verdict.check(unrelayed == 0, Rule::Drained, || format!("{unrelayed} events unrelayed"));
    for process in &facts.unstoppable {
        verdict.add(Rule::StopsWhenAsked, process.clone());
    }
    verdict.0
}

/// Violations as they are found.
#[derive(Debug, Default)]
struct Verdict(Vec<Violation>);

impl Verdict {
    fn add(&mut self, rule: Rule, found: String) {
        self.0.push(Violation { rule, found });
    }

    fn check(&mut self, holds: bool, rule: Rule, found: impl FnOnce() -> String) {
        if !holds {
            self.add(rule, found());
        }
    }
}

/// `rows` by the key that `of` gives each.
fn grouped<'a, T, K: Ord>(rows: &'a [T], of: impl Fn(&'a T) -> K) -> BTreeMap<K, Vec<&'a T>> {
    let mut groups: BTreeMap<K, Vec<&T>> = BTreeMap::new();
    for row in rows {
        groups.entry(of(row)).or_default().push(row);
    }
    groups
}

#[cfg(test)]
mod tests;
