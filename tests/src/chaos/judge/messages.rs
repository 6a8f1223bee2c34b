//! Messages and mails: each receipt reached its customer once, or it is known why not.

use std::collections::{BTreeMap, BTreeSet};

use super::{Rule, Verdict, grouped};
use crate::chaos::facts::{Facts, Message};

pub(super) fn judge(facts: &Facts, verdict: &mut Verdict) {
    one_per_receipt(facts, verdict);
    let mut delivered: BTreeMap<&str, usize> = BTreeMap::new();
    for mail in &facts.mails {
        match &mail.message_id {
            Some(id) => *delivered.entry(id).or_default() += 1,
            None => verdict.add(Rule::NoStrayMail, format!("a mail to {:?} has no id", mail.to)),
        }
    }
    for message in &facts.messages {
        let copies = delivered.get(message.message_id.as_str()).copied().unwrap_or_default();
        settled(facts, message, copies, verdict);
    }
    let known: BTreeSet<&str> =
        facts.messages.iter().map(|message| message.message_id.as_str()).collect();
    for (id, copies) in delivered {
        verdict.check(known.contains(id), Rule::NoStrayMail, || {
            format!("<{id}> was delivered and no message knows it")
        });
        verdict.check(copies == 1, Rule::NoStrayMail, || {
            format!("<{id}> was delivered {copies} times")
        });
    }
    refusals(facts, verdict);
    doubts(facts, verdict);
}

fn one_per_receipt(facts: &Facts, verdict: &mut Verdict) {
    let originals: Vec<&Message> =
        facts.messages.iter().filter(|message| message.copy_of_id.is_none()).collect();
    let by_subject = grouped(&originals, |message| message.subject_id.as_str());
    for receipt in &facts.receipts {
        let count = by_subject.get(receipt.id.as_str()).map_or(0, Vec::len);
        verdict.check(count == 1, Rule::OneMessagePerReceipt, || {
            format!("receipt {} has {count} messages", receipt.number)
        });
    }
    let receipts: BTreeSet<&str> =
        facts.receipts.iter().map(|receipt| receipt.id.as_str()).collect();
    for message in originals {
        verdict.check(
            receipts.contains(message.subject_id.as_str()),
            Rule::OneMessagePerReceipt,
            || {
                format!(
                    "message {} is about {}, which is no receipt",
                    message.id, message.subject_id
                )
            },
        );
    }
}

fn settled(facts: &Facts, message: &Message, copies: usize, verdict: &mut Verdict) {
    let name = || {
        format!("<{}> is {} and was delivered {copies} times", message.message_id, message.state)
    };
    match message.state.as_str() {
        "ACCEPTED" => verdict.check(copies == 1, Rule::AcceptedIsDelivered, name),
        // At most once, which is checked for every mail.
        "UNKNOWN" => {}
        "REFUSED" => verdict.check(copies == 0, Rule::RefusedWasRefused, name),
        // A customer whose address was refused is not written to again.
        "SUPPRESSED" => {
            let refused = refused(facts, message) > 0;
            verdict.check(refused && copies == 0, Rule::EverythingSettled, name);
        }
        // Either work is left, or a receipt is lost: nothing in a run may expire or be cancelled.
        _ => verdict.add(Rule::EverythingSettled, name()),
    }
}

fn refused(facts: &Facts, message: &Message) -> usize {
    let recipient = message.recipient.as_deref().unwrap_or_default();
    facts.refusals.get(recipient).copied().unwrap_or_default()
}

fn refusals(facts: &Facts, verdict: &mut Verdict) {
    let refused: Vec<&Message> =
        facts.messages.iter().filter(|message| message.state == "REFUSED").collect();
    for (recipient, messages) in grouped(&refused, |message| message.recipient.as_deref()) {
        let answers = recipient.and_then(|to| facts.refusals.get(to)).copied().unwrap_or_default();
        verdict.check(messages.len() <= answers, Rule::RefusedWasRefused, || {
            let count = messages.len();
            format!(
                "{count} messages to {recipient:?} are REFUSED; the server said so {answers} times"
            )
        });
    }
}

/// Each doubt needs its own reason, which also keeps their number below that of the mails that were on
/// their way when something was struck or cut.
fn doubts(facts: &Facts, verdict: &mut Verdict) {
    for message in facts.messages.iter().filter(|message| message.state == "UNKNOWN") {
        let explained = facts.doubts.contains_key(&message.message_id);
        verdict.check(explained, Rule::DoubtHasReason, || {
            format!("<{}> is UNKNOWN, and nothing befell it", message.message_id)
        });
    }
}
