//! The books under many hands: whatever happens at once, they balance.
//!
//! `SEEDS` and `POSTINGS` say how many histories there are and how long each is; a few short ones otherwise.

use entity::finance::ledger;
use futures::StreamExt;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tests::on_both_stacks;

use crate::histories::{Deed, Documents, attempt, customers, deeds};

/// How many of them are at work at a time.
const AT_ONCE: usize = 8;

/// What there is none of in books that are right.
const WRONG: [(&str, &str); 6] = [
    (
        "a posting that does not balance",
        "SELECT transaction_id FROM ledger_entry GROUP BY transaction_id, currency HAVING sum(amount) <> 0",
    ),
    (
        "an invoice of which too much is settled",
        "SELECT id FROM invoice WHERE paid < 0 OR credited < 0 OR paid + credited > total",
    ),
    (
        "an invoice that is paid otherwise than by its allocations",
        "SELECT id FROM invoice WHERE paid <>
           (SELECT coalesce(sum(amount), 0) FROM allocation WHERE allocation.invoice_id = invoice.id)",
    ),
    (
        "a payment of which too much or something else is allocated",
        "SELECT id FROM payment WHERE allocated < 0 OR allocated > amount OR allocated <>
           (SELECT coalesce(sum(amount), 0) FROM allocation WHERE allocation.payment_id = payment.id)",
    ),
    (
        "an invoice of which the ledger says that something else is open",
        "SELECT id FROM invoice WHERE total - paid - credited <>
           (SELECT coalesce(sum(amount), 0) FROM ledger_entry
            WHERE ledger_entry.invoice_id = invoice.id AND account = 'RECEIVABLE')",
    ),
    (
        "an invoice whose state is not that of what is open",
        "SELECT id FROM invoice WHERE (state = 'OPEN') <> (total - paid - credited > 0)",
    ),
];

/// A number that the environment says.
fn asked(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// The history of a seed: so many deeds without days that pass.
fn history(seed: usize, postings: usize) -> Vec<Deed> {
    let seed = [u8::try_from(seed % 251).unwrap_or_default(); 32];
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut history = Vec::with_capacity(postings);
    while history.len() < postings {
        let more = deeds(postings.min(1_000) + 1).new_tree(&mut runner).expect("deeds").current();
        history.extend(more.into_iter().filter(|deed| !matches!(deed, Deed::Wait { .. })));
    }
    history.truncate(postings);
    history
}

on_both_stacks! {
    async fn whatever_happens_at_once_the_books_balance(app: App) {
        for seed in 0..asked("SEEDS", 2) {
            let (whose, deeds) = (customers(app).await, history(seed, asked("POSTINGS", 150)));
            let outcomes = futures::stream::iter(&deeds)
                .map(|deed| attempt(app, &whose, deed))
                .buffer_unordered(AT_ONCE)
                .collect::<Vec<_>>()
                .await;
            for outcome in &outcomes {
                let refused = matches!(outcome, Ok(()) | Err(entity::Error::Finance(_)));
                assert!(refused, "seed {seed}: {outcome:?}");
            }
            let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            assert!(done * 10 >= deeds.len() * 9, "seed {seed}: only {done} of {} were done", deeds.len());
            for (what, sql) in WRONG {
                let count = format!("SELECT count(*) AS n FROM ({sql}) AS wrong");
                assert_eq!(app.number(&count).await, 0, "seed {seed}: {what}");
            }
            let documents = Documents::load(app).await;
            let today = app.clock.today(chrono_tz::Asia::Ho_Chi_Minh);
            let balances = ledger::balances(app.db.reader(), &whose, None).await.expect("balances");
            for customer in whose {
                let owed = documents.owed(customer, today);
                let owed = owed.open.iter().map(|(_, amount)| amount).sum::<i64>() + owed.unapplied;
                let booked = balances.iter().filter(|balance| balance.customer_id == customer);
                assert_eq!(booked.map(|balance| balance.amount).sum::<i64>(), owed, "seed {seed}");
            }
        }
    }
}
