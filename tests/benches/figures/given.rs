//! Receivables to begin with. Invariant: the same number of rows gives the same file.

use std::fmt::Write;
use std::io::Cursor;

use chrono::TimeDelta;
use entity::access::Actor;
use entity::automation::job;
use entity::automation::lease::Leased;
use entity::finance::import::{self, Options, Report, Under};
use futures::FutureExt;

use crate::figure::Failure;
use crate::house::Rapport;

/// What every invoice comes to, in dong.
pub const AMOUNT: i64 = 1_200_000;

/// Invoices of one customer.
const INVOICES: usize = 4;

/// A file of `rows` invoices, four of each customer, all of them paid or all of them open. Every
/// second customer prefers mail.
pub fn receivables(rows: usize, paid: bool) -> String {
    let mut file = "customerID,companyName,email,channel,invoiceNumber,invoiceDate,dueDate,amount,\
                    currency,settledDate\n"
        .to_owned();
    let settled = if paid { "2026-02-10" } else { "" };
    for row in 0..rows {
        let customer = row / INVOICES;
        let channel = if customer.is_multiple_of(2) { "Email" } else { "Letter" };
        // Names in another order than numbers.
        let name = customer * 7_919 % 10_007;
        let line = writeln!(
            file,
            "C-{customer:06},Công ty {name:05},c{customer:06}@example.vn,{channel},B-{row:07},\
             2026-01-10,2026-02-09,{AMOUNT},VND,{settled}"
        );
        debug_assert!(line.is_ok(), "a string takes everything");
    }
    file
}

/// Imports `file` as `rapport import` does, and refuses to go on when a row was refused.
pub async fn import(rapport: &Rapport, file: Vec<u8>, options: Options) -> Result<Report, Failure> {
    let lease = TimeDelta::minutes(5);
    let now = rapport.clock.now();
    let leased = rapport.db.write(move |txn| {
        async move {
            let kind = job::Kind::ImportReceivables;
            let job = job::create(txn, kind, serde_json::Value::Null, Actor::System, now).await?;
            let leased = job::lease(txn, job.id, now + lease, now).await?;
            let fence = leased.map_or(job.fence, |leased| leased.fence);
            Ok(Leased { id: job.id, fence })
        }
        .boxed()
    });
    let under = Under { job: leased.await?, actor: Actor::System, lease };
    let (db, clock) = (&rapport.db, &rapport.clock);
    let report = import::run(db, clock, Some(under), options, Cursor::new(file), |_| ()).await?;
    if report.counts.bad > 0 {
        return Err(format!("rows of the file were refused:\n{report}").into());
    }
    Ok(report)
}
