//! Money: postings, allocations and balances agree with each other.

use std::collections::{BTreeMap, BTreeSet};

use super::{Rule, Verdict};
use crate::chaos::facts::Facts;

/// The accounts of which a customer's balance is made: what is owed, and what is held.
const CUSTOMER_ACCOUNTS: [&str; 2] = ["RECEIVABLE", "UNAPPLIED"];

pub(super) fn judge(facts: &Facts, verdict: &mut Verdict) {
    postings(facts, verdict);
    allocations(facts, verdict);
    balances(facts, verdict);
}

fn postings(facts: &Facts, verdict: &mut Verdict) {
    let mut sums: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut whole: BTreeMap<&str, i64> = BTreeMap::new();
    for entry in &facts.entries {
        *sums.entry((&entry.transaction_id, &entry.currency)).or_default() += entry.amount;
        *whole.entry(&entry.currency).or_default() += entry.amount;
    }
    for ((transaction, currency), sum) in sums {
        verdict.check(sum == 0, Rule::LedgerBalances, || {
            format!("posting {transaction} sums to {sum} {currency}")
        });
    }
    for (currency, sum) in whole {
        verdict.check(sum == 0, Rule::LedgerBalances, || {
            format!("the ledger sums to {sum} {currency}")
        });
    }
}

fn allocations(facts: &Facts, verdict: &mut Verdict) {
    let mut of_payment: BTreeMap<&str, i64> = BTreeMap::new();
    let mut of_invoice: BTreeMap<&str, i64> = BTreeMap::new();
    for allocation in &facts.allocations {
        *of_payment.entry(&allocation.payment_id).or_default() += allocation.amount;
        *of_invoice.entry(&allocation.invoice_id).or_default() += allocation.amount;
    }
    for payment in &facts.payments {
        let sum = of_payment.get(payment.id.as_str()).copied().unwrap_or_default();
        let within = (0..=payment.amount).contains(&payment.allocated);
        let taken_back = payment.reversed_on.is_none() || payment.allocated == 0;
        verdict.check(
            payment.allocated == sum && within && taken_back,
            Rule::PaymentAllocations,
            || {
                let (allocated, amount) = (payment.allocated, payment.amount);
                format!("{} of {amount} says {allocated} and its allocations say {sum}", payment.id)
            },
        );
    }
    for invoice in &facts.invoices {
        let sum = of_invoice.get(invoice.id.as_str()).copied().unwrap_or_default();
        let within = invoice.paid >= 0
            && invoice.credited >= 0
            && (0..=invoice.total).contains(&(invoice.paid + invoice.credited));
        verdict.check(invoice.paid == sum && within, Rule::InvoiceAllocations, || {
            let (paid, credited, total) = (invoice.paid, invoice.credited, invoice.total);
            format!(
                "{} of {total} says {paid} paid and {credited} credited, its allocations {sum}",
                invoice.number
            )
        });
    }
}

fn balances(facts: &Facts, verdict: &mut Verdict) {
    let mut ledger: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for entry in &facts.entries {
        if CUSTOMER_ACCOUNTS.contains(&entry.account.as_str()) {
            *ledger.entry((&entry.customer_id, &entry.currency)).or_default() += entry.amount;
        }
    }
    let mut documents: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for invoice in &facts.invoices {
        let open = invoice.total - invoice.paid - invoice.credited;
        *documents.entry((&invoice.customer_id, &invoice.currency)).or_default() += open;
    }
    for payment in facts.payments.iter().filter(|payment| payment.reversed_on.is_none()) {
        let unapplied = payment.amount - payment.allocated;
        *documents.entry((&payment.customer_id, &payment.currency)).or_default() -= unapplied;
    }
    let accounts: BTreeSet<_> = ledger.keys().chain(documents.keys()).copied().collect();
    for account in accounts {
        let of = |sums: &BTreeMap<_, i64>| sums.get(&account).copied().unwrap_or_default();
        let (booked, open) = (of(&ledger), of(&documents));
        verdict.check(booked == open, Rule::CustomerBalance, || {
            let (customer, currency) = account;
            format!("{customer} owes {booked} {currency} by the ledger and {open} by documents")
        });
    }
}
