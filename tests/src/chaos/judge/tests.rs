//! A right run, and every way to spoil it.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::*;
use crate::chaos::facts::{
    Allocation, Answer, Asked, Delivered, Entry, Invoice, Message, Payment, Receipt, What,
};

/// One invoice over 1000; a payment of 600 that settles 600 of it; one of 500 that settled 400, was
/// reversed; a refused third. The last mail is in doubt.
fn right() -> Facts {
    let done = |payment: &str, receipt: Option<&str>| {
        let receipt = receipt.map(str::to_owned);
        vec![Answer::Done { payment: payment.to_owned(), receipt }; 2]
    };
    let refused = vec![Answer::Refused { code: "OVERPAID".to_owned() }];
    let reversal = What::Reverse { payment: "pay_2".to_owned() };
    Facts {
        requests: vec![
            asked("k1", What::Pay { amount: 600 }, done("pay_1", Some("R-2026-000001"))),
            asked("k2", What::Pay { amount: 500 }, done("pay_2", Some("R-2026-000002"))),
            asked("k3", reversal, done("pay_2", None)),
            asked("k4", What::Pay { amount: 900 }, refused),
            asked("k5", What::Pay { amount: 1 }, vec![]),
        ],
        payments: vec![
            payment("pay_1", "k1", 600, 600, None),
            payment("pay_2", "k2", 500, 0, NaiveDate::from_ymd_opt(2026, 11, 22)),
        ],
        receipts: vec![
            receipt("r1", "R-2026-000001", "RECEIPT", "pay_1"),
            receipt("r2", "R-2026-000002", "RECEIPT", "pay_2"),
            receipt("r3", "C-2026-000001", "CANCELLATION", "pay_2"),
        ],
        invoices: vec![Invoice {
            id: "i1".to_owned(),
            number: "2026-000001".to_owned(),
            customer_id: "lan".to_owned(),
            currency: "EUR".to_owned(),
            total: 1000,
            paid: 600,
            credited: 0,
        }],
        allocations: vec![
            allocation("pay_1", 600),
            allocation("pay_2", 400),
            allocation("pay_2", -400),
        ],
        entries: [
            posting("t1", [("RECEIVABLE", 1000), ("REVENUE", -900), ("TAX", -100)]),
            posting("t2", [("CASH", 600), ("RECEIVABLE", -600), ("UNAPPLIED", 0)]),
            posting("t3", [("CASH", 500), ("RECEIVABLE", -400), ("UNAPPLIED", -100)]),
            posting("t4", [("CASH", -500), ("RECEIVABLE", 400), ("UNAPPLIED", 100)]),
        ]
        .concat(),
        messages: vec![
            message("r1", "ACCEPTED"),
            message("r2", "REFUSED"),
            message("r3", "UNKNOWN"),
        ],
        unrelayed_events: 0,
        mails: vec![mail("r1")],
        refusals: [("lan@example.vn".to_owned(), 1)].into(),
        doubts: [("r3".to_owned(), "worker 0 was killed".to_owned())].into(),
        unstoppable: vec![],
        drained_s: Some(7.0),
    }
}

fn asked(key: &str, what: What, answers: Vec<Answer>) -> Asked {
    Asked { key: key.to_owned(), what, sent: 1, answers }
}

fn payment(
    id: &str,
    key: &str,
    amount: i64,
    allocated: i64,
    reversed_on: Option<NaiveDate>,
) -> Payment {
    Payment {
        id: id.to_owned(),
        customer_id: "lan".to_owned(),
        reference: Some(key.to_owned()),
        currency: "EUR".to_owned(),
        amount,
        allocated,
        reversed_on,
    }
}

fn receipt(id: &str, number: &str, kind: &str, payment: &str) -> Receipt {
    Receipt {
        id: id.to_owned(),
        number: number.to_owned(),
        kind: kind.to_owned(),
        payment_id: payment.to_owned(),
    }
}

fn allocation(payment: &str, amount: i64) -> Allocation {
    Allocation { payment_id: payment.to_owned(), invoice_id: "i1".to_owned(), amount }
}

fn posting(transaction: &str, sides: [(&str, i64); 3]) -> Vec<Entry> {
    let side = |(account, amount): (&str, i64)| Entry {
        transaction_id: transaction.to_owned(),
        account: account.to_owned(),
        customer_id: "lan".to_owned(),
        currency: "EUR".to_owned(),
        amount,
    };
    sides.map(side).to_vec()
}

fn message(subject: &str, state: &str) -> Message {
    Message {
        id: format!("m-{subject}"),
        subject_id: subject.to_owned(),
        copy_of_id: None,
        state: state.to_owned(),
        recipient: Some("lan@example.vn".to_owned()),
        message_id: subject.to_owned(),
    }
}

fn mail(message_id: &str) -> Delivered {
    Delivered { message_id: Some(message_id.to_owned()), to: vec!["lan@example.vn".to_owned()] }
}

/// Spoils a right run and expects `rules`, and no other, to be broken.
fn breaks(rules: &[Rule], spoil: impl FnOnce(&mut Facts)) {
    let mut facts = right();
    spoil(&mut facts);
    let violations = judge(&facts);
    let broken: BTreeSet<Rule> = violations.iter().map(|violation| violation.rule).collect();
    assert_eq!(broken, rules.iter().copied().collect(), "{violations:#?}");
}

#[test]
fn a_right_run_has_no_violation() {
    breaks(&[], |_| {});
}

#[test]
fn a_mail_in_doubt_may_have_arrived() {
    breaks(&[], |facts| {
        facts.mails.push(mail("r3"));
    });
}

#[test]
fn an_acknowledged_payment_that_is_lost_is_found() {
    breaks(&[Rule::AcknowledgedIsKept], |facts| {
        let answer = Answer::Done { payment: "pay_9".to_owned(), receipt: None };
        facts.requests[4].answers.push(answer);
    });
}

#[test]
fn a_told_receipt_number_that_was_not_issued_is_found() {
    breaks(&[Rule::AcknowledgedIsKept], |facts| {
        let receipt = Some("R-2026-000002".to_owned());
        facts.requests[0].answers = vec![Answer::Done { payment: "pay_1".to_owned(), receipt }];
    });
}

#[test]
fn an_acknowledged_reversal_that_is_lost_is_found() {
    breaks(&[Rule::AcknowledgedIsKept], |facts| {
        facts.requests[2].what = What::Reverse { payment: "pay_1".to_owned() };
    });
}

#[test]
fn a_key_with_two_answers_is_found() {
    breaks(&[Rule::OneAnswerPerKey, Rule::OnePaymentPerKey], |facts| {
        facts.requests[0].answers.push(Answer::Refused { code: "OVERPAID".to_owned() });
    });
}

#[test]
fn a_key_with_two_payments_is_found() {
    breaks(
        &[Rule::OnePaymentPerKey, Rule::AcknowledgedIsKept, Rule::PaymentWasAskedFor],
        |facts| {
            facts.payments[1].reference = Some("k1".to_owned());
        },
    );
}

#[test]
fn a_payment_nobody_asked_for_is_found() {
    breaks(&[Rule::PaymentWasAskedFor], |facts| {
        facts.requests.remove(0);
    });
}

#[test]
fn a_missing_or_second_receipt_is_found() {
    breaks(&[Rule::OneReceiptPerPayment, Rule::OneMessagePerReceipt], |facts| {
        facts.receipts.remove(2);
    });
    breaks(&[Rule::OneReceiptPerPayment, Rule::OneMessagePerReceipt], |facts| {
        let mut second = facts.receipts[0].clone();
        second.id = "r4".to_owned();
        second.number = "R-2026-000003".to_owned();
        facts.receipts.push(second);
    });
}

#[test]
fn a_gap_and_a_repeated_number_are_found() {
    for number in ["2026-000002", "none"] {
        breaks(&[Rule::GaplessNumbers], |facts| facts.invoices[0].number = number.to_owned());
    }
    breaks(&[Rule::GaplessNumbers], |facts| {
        let mut again = facts.invoices[0].clone();
        (again.id, again.total, again.paid) = ("i2".to_owned(), 0, 0);
        facts.invoices.push(again);
    });
}

#[test]
fn an_unbalanced_posting_is_found() {
    breaks(&[Rule::LedgerBalances], |facts| facts.entries[2].amount = -99);
    // The whole ledger balances, its postings do not.
    breaks(&[Rule::LedgerBalances], |facts| {
        facts.entries[2].amount = -99;
        facts.entries[3].amount = 599;
    });
}

#[test]
fn a_payment_at_odds_with_its_allocations_is_found() {
    breaks(&[Rule::PaymentAllocations, Rule::InvoiceAllocations], |facts| {
        facts.allocations[0].amount = 599;
    });
    breaks(&[Rule::PaymentAllocations, Rule::CustomerBalance], |facts| {
        facts.payments[0].allocated = 601;
    });
}

#[test]
fn an_overpaid_invoice_is_found() {
    breaks(&[Rule::InvoiceAllocations, Rule::CustomerBalance], |facts| {
        facts.invoices[0].credited = 401;
    });
}

#[test]
fn a_balance_at_odds_with_the_documents_is_found() {
    breaks(&[Rule::CustomerBalance], |facts| {
        for entry in &mut facts.entries[3..5] {
            entry.amount /= 2;
        }
    });
}

#[test]
fn a_missing_and_a_second_message_are_found() {
    breaks(&[Rule::OneMessagePerReceipt], |facts| {
        facts.messages.remove(1);
    });
    breaks(&[Rule::OneMessagePerReceipt], |facts| {
        let mut second = facts.messages[1].clone();
        (second.id, second.message_id) = ("m".to_owned(), "m".to_owned());
        facts.refusals.insert("lan@example.vn".to_owned(), 2);
        facts.messages.push(second);
    });
}

#[test]
fn a_wished_for_copy_is_no_second_message() {
    breaks(&[], |facts| {
        let mut copy = facts.messages[1].clone();
        (copy.id, copy.message_id) = ("m".to_owned(), "m".to_owned());
        copy.copy_of_id = Some(facts.messages[1].id.clone());
        facts.refusals.insert("lan@example.vn".to_owned(), 2);
        facts.messages.push(copy);
    });
}

#[test]
fn an_accepted_message_without_its_mail_is_found() {
    breaks(&[Rule::AcceptedIsDelivered], |facts| facts.mails.clear());
}

#[test]
fn a_mail_delivered_twice_is_found() {
    breaks(&[Rule::AcceptedIsDelivered, Rule::NoStrayMail], |facts| {
        facts.mails.push(facts.mails[0].clone());
    });
    breaks(&[Rule::NoStrayMail], |facts| {
        facts.mails.extend([mail("r3"), mail("r3")]);
    });
}

#[test]
fn a_mail_that_no_message_knows_is_found() {
    for message_id in [None, Some("other".to_owned())] {
        breaks(&[Rule::NoStrayMail], |facts| {
            facts.mails.push(Delivered { message_id, to: vec![] });
        });
    }
}

#[test]
fn a_refused_message_that_was_not_refused_or_was_delivered_is_found() {
    breaks(&[Rule::RefusedWasRefused], |facts| facts.refusals.clear());
    breaks(&[Rule::RefusedWasRefused], |facts| {
        facts.mails.push(mail("r2"));
    });
}

#[test]
fn a_message_that_is_left_half_done_or_given_up_is_found() {
    for state in ["PLANNED", "CLAIMED", "TRANSMITTING", "DEFERRED", "EXPIRED", "CANCELLED"] {
        breaks(&[Rule::EverythingSettled], |facts| facts.messages[1].state = state.to_owned());
    }
}

#[test]
fn only_a_refused_customer_may_be_suppressed() {
    breaks(&[], |facts| facts.messages[1].state = "SUPPRESSED".to_owned());
    breaks(&[Rule::EverythingSettled], |facts| {
        facts.messages[1].state = "SUPPRESSED".to_owned();
        facts.refusals.clear();
    });
}

#[test]
fn doubt_without_a_reason_is_found() {
    breaks(&[Rule::DoubtHasReason], |facts| {
        facts.doubts = [("r1".to_owned(), "worker 0 was killed".to_owned())].into();
    });
}

#[test]
fn a_run_that_ends_late_or_never_is_found() {
    breaks(&[Rule::Drained], |facts| facts.drained_s = Some(61.0));
    breaks(&[Rule::Drained], |facts| facts.drained_s = None);
    breaks(&[Rule::Drained], |facts| facts.unrelayed_events = 1);
}

#[test]
fn a_process_that_had_to_be_killed_instead_of_stopping_is_found() {
    breaks(&[Rule::StopsWhenAsked], |facts| facts.unstoppable.push("worker 0".to_owned()));
}
