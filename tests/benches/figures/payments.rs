//! Payments recorded through GraphQL, each with a key of its own against an open invoice of its
//! own, so that nothing but the numbering of receipts makes them wait for each other.
//!
//! Invariant: the limit writes the same rows as `recordPayment`, and draws its receipt numbers from
//! the same gapless series.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use entity::finance::import::Options;
use entity::finance::invoice;
use entity::id::{AllocationId, EventId, Id, LedgerEntryId, PaymentId, ReceiptId};
use futures::FutureExt;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement, Value as Bound};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::ask_for;
use crate::figure::{Failure, Figure, Reading, Scale};
use crate::given::{AMOUNT, import, receivables};
use crate::house::{CONNECTIONS, House, On, Rapport, Server};
use crate::pace::{Pace, side_by_side, together};

/// The figure.
pub const FIGURE: Figure = Figure {
    name: "payments recorded through GraphQL",
    unit: "payments/s",
    limit: "the same rows, each payment one SQL statement and one commit",
    measure: |house, scale| run(house, scale).boxed_local(),
};

const RECORD_PAYMENT: &str = "mutation ($input: RecordPaymentInput!, $key: String!) {
  recordPayment(input: $input, idempotencyKey: $key) {
    payment { id receipt { number } } userErrors { code message } } }";

/// The rows of a payment. Bound: user, key, hash of the input, payment, invoice, allocation,
/// posting, its two sides, receipt, event.
const ROWS: &str = "
WITH request AS (
  INSERT INTO idempotency_key (user_id, key, operation, input_sha256, outcome, created_at)
  VALUES ($1, $2, 'recordPayment', $3, $4, now())
), settled AS (
  UPDATE invoice SET paid = total, state = 'PAID', version = version + 1, updated_at = now(),
    updated_by = $1
  WHERE id = $5 AND state = 'OPEN' RETURNING *
), paid AS (
  INSERT INTO payment (id, customer_id, state, method, currency, amount, allocated, received_on,
    reference, created_at, created_by, updated_at, updated_by, version)
  SELECT $4, customer_id, 'RECORDED', 'BANK_TRANSFER', currency, total, total, CURRENT_DATE, $2,
    now(), $1, now(), $1, 1 FROM settled
), allocated AS (
  INSERT INTO allocation (id, payment_id, invoice_id, amount, open_after, allocated_on, created_at,
    created_by)
  SELECT $6, $4, id, total, 0, CURRENT_DATE, now(), $1 FROM settled
), booked AS (
  INSERT INTO ledger_entry (id, transaction_id, account, customer_id, invoice_id, payment_id,
    currency, amount, booked_on, created_at, created_by)
  SELECT side.id, $7, side.account, customer_id, side.invoice_id, $4, currency, side.sign * total,
    CURRENT_DATE, now(), $1
  FROM settled, (VALUES ($8::uuid, 'CASH', 1, NULL::uuid), ($9::uuid, 'RECEIVABLE', -1, $5::uuid))
    AS side (id, account, sign, invoice_id)
), number AS (
  INSERT INTO counter (series, year, last)
  SELECT 'RECEIPT', EXTRACT(YEAR FROM now() AT TIME ZONE 'Asia/Ho_Chi_Minh')::int, 1 FROM settled
  ON CONFLICT (series, year) DO UPDATE SET last = counter.last + 1 RETURNING year, last
), receipted AS (
  INSERT INTO receipt (id, number, kind, payment_id, issued_on, created_at, created_by)
  SELECT $10, 'REC-' || year || '-' || to_char(last, 'FM000000'), 'RECEIPT', $4, CURRENT_DATE,
    now(), $1 FROM number
)
INSERT INTO event (id, kind, subject_id, customer_id, payload, occurred_at, actor_id)
SELECT $11, 'payment.recorded', $4, customer_id, '{}'::jsonb, now(), $1 FROM settled";

/// Open invoices, each to be paid once.
struct Debts {
    invoices: Vec<invoice::Model>,
    next: AtomicUsize,
}

impl Debts {
    /// The next invoice, unless `share` of them were taken since `from`.
    fn take(&self, from: usize, share: usize) -> Option<&invoice::Model> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.invoices.get(next).filter(|_| next < from + share)
    }

    fn taken(&self) -> usize {
        self.next.load(Ordering::Relaxed)
    }
}

async fn run(house: &House, scale: Scale) -> Result<Reading, Failure> {
    let rapport = house.rapport(On::Production).await?;
    let file = receivables(scale.invoices, false);
    import(&rapport, file.into_bytes(), Options::default()).await?;
    let invoices = invoice::Entity::find().all(rapport.db.reader()).await?;
    let debts = Arc::new(Debts { invoices, next: AtomicUsize::new(0) });
    // Two turns more than rounds: the short ones at the beginning.
    let share = scale.invoices / (2 * scale.rounds + 2);
    let server = rapport.serve().await?;
    let reading = side_by_side(
        scale,
        async |turn| record(&server, &debts, share, turn).await,
        async |turn| write(&rapport, &debts, share, turn).await,
    )
    .await?;
    drop(server);
    rapport.end().await?;
    Ok(reading)
}

/// Through GraphQL.
async fn record(
    server: &Server,
    debts: &Arc<Debts>,
    share: usize,
    turn: Duration,
) -> Result<Pace, Failure> {
    let (debts, from) = (Arc::clone(debts), debts.taken());
    let variables = move || {
        let invoice = debts.take(from, share)?;
        let (id, amount) = (invoice.id.global(), AMOUNT.to_string());
        let input = json!({
            "customerId": invoice.customer_id.global(),
            "amount": { "amount": amount, "currency": "VND" },
            "reference": invoice.number,
            "allocations": [{ "invoiceId": id, "amount": amount }],
        });
        Some(json!({ "input": input, "key": id }))
    };
    ask_for(turn, server, RECORD_PAYMENT, variables, |data: &Value| {
        match data["recordPayment"]["payment"]["receipt"]["number"].as_str() {
            Some(_) => Ok(()),
            None => Err(format!("a payment was refused: {data}").into()),
        }
    })
    .await
}

/// In plain SQL.
async fn write(
    rapport: &Rapport,
    debts: &Arc<Debts>,
    share: usize,
    turn: Duration,
) -> Result<Pace, Failure> {
    let (from, until) = (debts.taken(), Instant::now() + turn);
    together((0..CONNECTIONS).map(|_| {
        let (debts, db) = (Arc::clone(debts), rapport.db.clone());
        let (clock, user) = (rapport.clock.clone(), rapport.user);
        async move {
            let mut done = 0;
            while Instant::now() < until
                && let Some(invoice) = debts.take(from, share)
            {
                let now = clock.now();
                let posting = LedgerEntryId::new(now);
                let bound: [Bound; 11] = [
                    user.into(),
                    invoice.id.global().into(),
                    "0".repeat(64).into(),
                    PaymentId::new(now).into(),
                    invoice.id.into(),
                    AllocationId::new(now).into(),
                    posting.into(),
                    posting.into(),
                    LedgerEntryId::new(now).into(),
                    ReceiptId::new(now).into(),
                    EventId::new(now).into(),
                ];
                let rows = Statement::from_sql_and_values(DbBackend::Postgres, ROWS, bound);
                if db.reader().execute_raw(rows).await?.rows_affected() != 1 {
                    return Err("the limit has paid an invoice that was not open".into());
                }
                done += 1;
            }
            Ok(done)
        }
    }))
    .await
}
