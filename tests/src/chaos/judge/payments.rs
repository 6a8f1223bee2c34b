//! What was acknowledged, and the documents about it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Rule, Verdict, grouped};
use crate::chaos::facts::{Answer, Asked, Facts, Payment, Receipt, What};

pub(super) fn judge(facts: &Facts, verdict: &mut Verdict) {
    let by_id: BTreeMap<&str, &Payment> =
        facts.payments.iter().map(|payment| (payment.id.as_str(), payment)).collect();
    let by_key = grouped(&facts.payments, |payment| payment.reference.as_deref());
    let receipts = grouped(&facts.receipts, |receipt| receipt.payment_id.as_str());
    for asked in &facts.requests {
        one_answer(asked, verdict);
        match &asked.what {
            What::Pay { amount } => {
                let made = by_key.get(&Some(asked.key.as_str())).map_or(&[][..], Vec::as_slice);
                paid(asked, *amount, made, verdict);
            }
            What::Reverse { payment } => {
                reversed(asked, by_id.get(payment.as_str()).copied(), verdict);
            }
        }
        for answer in &asked.answers {
            receipt_as_told(asked, answer, &receipts, verdict);
        }
    }
    let keys: BTreeSet<&str> = facts.requests.iter().map(|asked| asked.key.as_str()).collect();
    for payment in &facts.payments {
        let known = payment.reference.as_deref().is_some_and(|key| keys.contains(key));
        verdict.check(known, Rule::PaymentWasAskedFor, || {
            format!("{} has the reference {:?}, which nobody sent", payment.id, payment.reference)
        });
        documents(
            payment,
            receipts.get(payment.id.as_str()).map_or(&[][..], Vec::as_slice),
            verdict,
        );
    }
    gapless(facts.receipts.iter().map(|receipt| receipt.number.as_str()), verdict);
    gapless(facts.invoices.iter().map(|invoice| invoice.number.as_str()), verdict);
}

fn one_answer(asked: &Asked, verdict: &mut Verdict) {
    let different: BTreeSet<&Answer> = asked.answers.iter().collect();
    verdict.check(different.len() < 2, Rule::OneAnswerPerKey, || {
        format!("{} was answered {different:?}", asked.key)
    });
}

fn paid(asked: &Asked, amount: i64, made: &[&Payment], verdict: &mut Verdict) {
    let key = &asked.key;
    verdict.check(made.len() < 2, Rule::OnePaymentPerKey, || {
        format!("{key} made {} payments", made.len())
    });
    for payment in made {
        verdict.check(payment.amount == amount, Rule::PaymentWasAskedFor, || {
            format!("{key} asked for {amount} and made {} over {}", payment.id, payment.amount)
        });
    }
    for answer in &asked.answers {
        match answer {
            Answer::Done { payment, .. } => {
                let kept = made.iter().any(|made| made.id == *payment);
                verdict.check(kept, Rule::AcknowledgedIsKept, || {
                    format!("{key} was told {payment}, which is not there")
                });
            }
            Answer::Refused { code } => {
                verdict.check(made.is_empty(), Rule::OnePaymentPerKey, || {
                    format!("{key} was refused with {code} and made a payment all the same")
                });
            }
        }
    }
}

fn reversed(asked: &Asked, payment: Option<&Payment>, verdict: &mut Verdict) {
    let done = asked.answers.iter().any(|answer| matches!(answer, Answer::Done { .. }));
    let is_reversed = payment.is_some_and(|payment| payment.reversed_on.is_some());
    verdict.check(!done || is_reversed, Rule::AcknowledgedIsKept, || {
        format!("{} was told that {:?} is reversed, and it is not", asked.key, asked.what)
    });
}

fn receipt_as_told(
    asked: &Asked,
    answer: &Answer,
    receipts: &BTreeMap<&str, Vec<&Receipt>>,
    verdict: &mut Verdict,
) {
    let Answer::Done { payment, receipt: Some(number) } = answer else {
        return;
    };
    let issued = receipts.get(payment.as_str()).map_or(&[][..], Vec::as_slice);
    verdict.check(
        issued.iter().any(|receipt| receipt.number == *number),
        Rule::AcknowledgedIsKept,
        || format!("{} was told receipt {number}, which {payment} has not", asked.key),
    );
}

fn documents(payment: &Payment, issued: &[&Receipt], verdict: &mut Verdict) {
    let count = |kind: &str| issued.iter().filter(|receipt| receipt.kind == kind).count();
    let (receipts, cancellations) = (count("RECEIPT"), count("CANCELLATION"));
    let reversals = usize::from(payment.reversed_on.is_some());
    let whole = receipts == 1 && cancellations == reversals && issued.len() == 1 + reversals;
    verdict.check(whole, Rule::OneReceiptPerPayment, || {
        format!(
            "{} (reversed: {}) has {receipts} receipts and {cancellations} cancellations",
            payment.id,
            payment.reversed_on.is_some(),
        )
    });
}

/// Within what precedes the last run of digits, the numbers must be 1, 2, 3, …
fn gapless<'a>(numbers: impl Iterator<Item = &'a str>, verdict: &mut Verdict) {
    let mut series: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for number in numbers {
        let digits = number.len() - number.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (prefix, last) = number.split_at(number.len() - digits);
        match last.parse() {
            Ok(last) => series.entry(prefix).or_default().push(last),
            Err(_) => verdict.add(Rule::GaplessNumbers, format!("{number} has no number")),
        }
    }
    for (prefix, mut numbers) in series {
        numbers.sort_unstable();
        let wrong = (1..).zip(&numbers).find(|(expected, found)| expected != *found);
        if let Some((expected, found)) = wrong {
            let found = format!("series {prefix} has {found} in the place of {expected}");
            verdict.add(Rule::GaplessNumbers, found);
        }
    }
}
