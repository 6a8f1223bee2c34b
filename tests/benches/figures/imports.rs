//! Receivables imported from a file: read, checked, compared with what is there, and written as
//! customers, invoices with lines, payments, allocations and postings. `RECEIVABLES_CSV` names a
//! file to import besides the generated one.
//!
//! Invariant: the limit inserts as many invoices, as many in a transaction, and nothing else.

use std::fmt::Write;

use entity::customers::customer;
use entity::finance::import::Options;
use entity::id::{Id, InvoiceId};
use entity::money::Currency;
use futures::FutureExt;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait};
use tokio::time::Instant;

use crate::figure::{Failure, Figure, Reading, Scale};
use crate::given::{AMOUNT, import, receivables};
use crate::house::{House, On, Rapport};
use crate::pace::Pace;

/// A generated file on SQLite.
pub const EMBEDDED: Figure = Figure {
    name: "import of receivables, SQLite",
    unit: "rows/s",
    limit: "multi-row INSERTs of as many invoices",
    measure: |house, scale| generated(house, scale, On::Embedded).boxed_local(),
};

/// A generated file on PostgreSQL.
pub const PRODUCTION: Figure = Figure {
    name: "import of receivables, PostgreSQL",
    measure: |house, scale| generated(house, scale, On::Production).boxed_local(),
    ..EMBEDDED
};

/// The given file on SQLite.
pub const FILE_EMBEDDED: Figure = Figure {
    name: "import of RECEIVABLES_CSV, SQLite",
    measure: |house, _| given(house, On::Embedded).boxed_local(),
    ..EMBEDDED
};

/// The given file on PostgreSQL.
pub const FILE_PRODUCTION: Figure = Figure {
    name: "import of RECEIVABLES_CSV, PostgreSQL",
    measure: |house, _| given(house, On::Production).boxed_local(),
    ..EMBEDDED
};

/// The variable that names a file.
pub const FILE: &str = "RECEIVABLES_CSV";

/// Invoices in a transaction of the limit: a chunk of an import.
const CHUNK: usize = 500;

async fn generated(house: &House, scale: Scale, on: On) -> Result<Reading, Failure> {
    // Every second row is paid, as in a file of real receivables.
    let (paid, open) = (receivables(scale.rows, true), receivables(scale.rows, false));
    let mixed = paid.lines().zip(open.lines()).enumerate();
    let lines = mixed.map(|(row, (paid, open))| if row.is_multiple_of(2) { paid } else { open });
    let file = lines.collect::<Vec<_>>().join("\n");
    compare(house, on, file.into_bytes()).await
}

async fn given(house: &House, on: On) -> Result<Reading, Failure> {
    let path = std::env::var_os(FILE).unwrap_or_default();
    let file = std::fs::read(&path).map_err(|error| format!("{FILE} cannot be read: {error}"))?;
    compare(house, on, file).await
}

async fn compare(house: &House, on: On, file: Vec<u8>) -> Result<Reading, Failure> {
    let rapport = house.rapport(on).await?;
    let options = Options { currency: Some(Currency::USD), ..Options::default() };
    let began = Instant::now();
    let report = import(&rapport, file, options).await?;
    let took = began.elapsed();
    rapport.end().await?;
    let rows = usize::try_from(report.counts.rows)?;
    let note = format!("{rows} rows in {:.2} s", took.as_secs_f64());
    let limit = insert(&house.rapport(on).await?, rows).await?.per_second();
    let measured = Pace { done: rows, took }.per_second();
    Ok(Reading::Taken { measured, limit, note: Some(note) })
}

/// Inserts `rows` invoices of one customer.
async fn insert(rapport: &Rapport, rows: usize) -> Result<Pace, Failure> {
    let one = receivables(1, false);
    import(rapport, one.into_bytes(), Options::default()).await?;
    let reader = rapport.db.reader();
    let customer = customer::Entity::find().one(reader).await?.ok_or("no customer")?.id;
    let literal = |id: uuid::Uuid| match reader.get_database_backend() {
        DbBackend::Sqlite => format!("X'{}'", id.simple()),
        _ => format!("'{id}'"),
    };
    let now = rapport.clock.now();
    let statement = |first: usize| {
        let mut sql = String::from(
            "INSERT INTO invoice (id, number, customer_id, state, currency, net, tax, total, paid, \
             credited, issued_on, due_on, disputed, created_at, updated_at, version) VALUES ",
        );
        for row in first..rows.min(first + CHUNK) {
            let (id, customer) = (literal(InvoiceId::new(now).0), literal(customer.0));
            let comma = if row == first { "" } else { ", " };
            let written = write!(
                sql,
                "{comma}({id}, 'L-{row:07}', {customer}, 'OPEN', 'VND', {AMOUNT}, 0, {AMOUNT}, 0, 0, \
                 '2026-01-10', '2026-02-09', FALSE, '{now}', '{now}', 1)",
                now = now.to_rfc3339()
            );
            debug_assert!(written.is_ok(), "a string takes everything");
        }
        sql
    };
    let statements: Vec<_> = (0..rows).step_by(CHUNK).map(statement).collect();
    let began = Instant::now();
    for sql in &statements {
        reader.execute_unprepared(sql).await?;
    }
    Ok(Pace { done: rows, took: began.elapsed() })
}
