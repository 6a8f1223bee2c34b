//! The statements against the schema as it is. They need a PostgreSQL, so they run with `tests/run`
//! only.

use super::*;
use crate::chaos::judge::{Rule, judge};
use crate::stack::sink::{Mishap, Weather};

/// A customer, one invoice, a payment without its posting, and a message on its way.
const ROWS: &str = "
    INSERT INTO customer (id, kind, stage, display_name, search_text, language, time_zone, currency,
        created_at, updated_at)
    VALUES ('00000000-0000-7000-8000-000000000001', 'PERSON', 'CUSTOMER', 'Lan', 'lan', 'vi', 'UTC',
        'EUR', now(), now());
    INSERT INTO invoice (id, number, customer_id, state, currency, net, tax, total, paid, credited,
        issued_on, due_on, disputed, created_at, updated_at)
    VALUES ('00000000-0000-7000-8000-000000000002', '2026-000001',
        '00000000-0000-7000-8000-000000000001', 'OPEN', 'EUR', 900, 100, 1000, 600, 0,
        '2026-11-22', '2026-12-22', false, now(), now());
    INSERT INTO payment (id, customer_id, state, method, currency, amount, allocated, received_on,
        reference, created_at, updated_at)
    VALUES ('00000000-0000-7000-8000-000000000003', '00000000-0000-7000-8000-000000000001',
        'RECORDED', 'CASH', 'EUR', 600, 600, '2026-11-22', 'key', now(), now());
    INSERT INTO allocation (id, payment_id, invoice_id, amount, open_after, allocated_on,
        created_at)
    VALUES ('00000000-0000-7000-8000-000000000004', '00000000-0000-7000-8000-000000000003',
        '00000000-0000-7000-8000-000000000002', 600, 400, '2026-11-22', now());
    INSERT INTO receipt (id, number, kind, payment_id, issued_on, created_at)
    VALUES ('00000000-0000-7000-8000-000000000005', 'R-2026-000001', 'RECEIPT',
        '00000000-0000-7000-8000-000000000003', '2026-11-22', now());
    INSERT INTO ledger_entry (id, transaction_id, account, customer_id, currency, amount, booked_on,
        created_at)
    VALUES ('00000000-0000-7000-8000-000000000006', '00000000-0000-7000-8000-000000000007', 'CASH',
        '00000000-0000-7000-8000-000000000001', 'EUR', 600, '2026-11-22', now());
    INSERT INTO message (id, effect_key, class, kind, channel, customer_id, subject_id, state,
        recipient, message_id, due_at, expires_at, attempts, fence, created_at)
    VALUES ('00000000-0000-7000-8000-000000000008', 'receipt', 'RECEIPT', 'RECEIPT', 'EMAIL',
        '00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000005',
        'TRANSMITTING', 'lan@example.vn', 'one', now(), now(), 1, 1, now());
    INSERT INTO event (id, kind, subject_id, payload, occurred_at)
    VALUES ('00000000-0000-7000-8000-000000000009', 'payment.recorded',
        '00000000-0000-7000-8000-000000000003', '{}', now());";

#[tokio::test]
#[ignore = "the production half runs by tests/run"]
async fn the_facts_are_the_rows() {
    let server = std::env::var("TEST_DATABASE_URL").unwrap();
    let name = format!("evidence_{}", std::process::id());
    let admin = Database::connect(&server).await.unwrap();
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    let observer = Observer::connect(&url).await.unwrap();
    migration::migrate(&observer.0).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let sink = Sink::start(dir.path(), 1).await.unwrap();
    sink.set_weather(Weather::only(Mishap::RefuseRecipient, 1.0));

    let empty = observer.facts(Vec::new(), &sink).await.unwrap();
    assert_eq!(empty, Facts::default());
    assert_eq!(observer.left().await.unwrap(), Left::default());

    observer.0.execute_unprepared(ROWS).await.unwrap();
    assert_eq!(observer.in_flight().await.unwrap(), BTreeSet::from(["one".to_owned()]));
    let left = Left { messages: 1, events: 1, receipts: 0 };
    assert_eq!(observer.left().await.unwrap(), left);
    let facts = observer.facts(Vec::new(), &sink).await.unwrap();
    let payment = &facts.payments[0].id;
    assert!(payment.starts_with("pay_"), "{payment}");
    assert_eq!(&facts.receipts[0].payment_id, payment);
    assert_eq!(&facts.allocations[0].payment_id, payment);
    let broken: BTreeSet<Rule> = judge(&facts).into_iter().map(|found| found.rule).collect();
    let expected = [
        Rule::PaymentWasAskedFor,
        Rule::LedgerBalances,
        Rule::CustomerBalance,
        Rule::EverythingSettled,
        Rule::Drained,
    ];
    assert_eq!(broken, BTreeSet::from(expected));

    observer.0.close().await.unwrap();
    admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
}

#[test]
fn rows_and_mails_agree_on_what_a_message_id_is() {
    assert_eq!(local("0193-a"), local("<0193-a@localhost>"));
}
