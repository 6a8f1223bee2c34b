//! Ladders: what would be asked for in a year, and a night in which some of very many open invoices reach a level.
//!
//! Invariant: it is the ladder that Rapport brings along for the European Union, carried out by the engine of production.

use chrono::{Days, NaiveDate};
use entity::access::{Calendar, Viewer, organisation};
use entity::automation::workflow::{self, Running, StepMap};
use futures::FutureExt;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use tokio::time::Instant;

use crate::figure::{Failure, Figure, Reading, Scale};
use crate::house::{House, On, Rapport};
use crate::pace::Pace;
use crate::reads::company;
use crate::workflows::{peak_mb, simulated};

/// What would come of it in a year.
pub const FORECAST: Figure = Figure {
    name: "debtors simulated over a year",
    unit: "debtors/s",
    limit: "100,000 in 60 s, the least that is promised",
    measure: |house, scale| forecast(house, scale).boxed_local(),
};

/// A night.
pub const NIGHT: Figure = Figure {
    name: "levels reached in a night",
    unit: "levels/s",
    limit: "20,000 among 1,000,000 in 30 s, the least that is promised",
    measure: |house, scale| night(house, scale).boxed_local(),
};

const REACHED: f64 = 20_000.0 / 30.0;

/// Of how many open invoices one reaches a level.
const ONE_OF: usize = 50;

async fn forecast(house: &House, scale: Scale) -> Result<Reading, Failure> {
    let rapport = house.rapport(On::Production).await?;
    company::customers(&rapport, scale.customers).await?;
    let today = rapport.clock.now().date_naive();
    // Due within a year, some of them overdue for up to a month.
    owe(&rapport, scale.customers, 1, &format!("date '{today}' - 30 + (n * 7 % 360)::int")).await?;
    let row = ladder(&rapport).await?;
    simulated(rapport, row.id, "debtors").await
}

async fn night(house: &House, scale: Scale) -> Result<Reading, Failure> {
    let rapport = house.rapport(On::Production).await?;
    let customers = scale.million / 5;
    company::customers(&rapport, customers).await?;
    let today = rapport.clock.now().date_naive();
    let late = day(today, 7);
    let due = format!(
        "CASE WHEN n % {ONE_OF} = 0 THEN date '{late}' ELSE date '{today}' + 30 + (n % 300)::int END"
    );
    owe(&rapport, customers, 5, &due).await?;
    let (row, now) = (ladder(&rapport).await?, rapport.clock.now());
    let published = rapport.db.write(move |txn| {
        async move {
            let zone = organisation::get(txn).await?.zone();
            let viewer = Viewer::rapport(txn.get_database_backend(), Calendar::at(now, zone));
            let running = (Running::RunOut, &StepMap::new());
            workflow::publish(txn, row.id, running, None, &viewer, now).await
        }
        .boxed()
    });
    let workflow = published.await?;
    let version = workflow.active_id.ok_or("the ladder was not published")?;
    let db = rapport.db.reader();
    // All sleep in the ladder, and some of them are due.
    db.execute_unprepared(&format!(
        "SET statement_timeout = 0; \
         INSERT INTO workflow_run (id, workflow_id, version_id, run_key, record_id, customer_id, state, step, since_at, \
           until_at, met, due_at, started_at, depth, memory) \
         SELECT id, '{}', '{}', id::text, id, customer_id, 'WAITING', 'dun', now(), at, false, at, now(), 0, \
           '{{\"level\": 0}}' \
         FROM (SELECT id, customer_id, CASE WHEN due_on < current_date THEN now() ELSE now() + interval '30 days' END AS at \
           FROM invoice) AS owed; \
         UPDATE workflow SET looked_at = now() - interval '1 day' WHERE id = '{}'",
        workflow.id.0, version.0, workflow.id.0
    ))
    .await?;
    db.execute_unprepared("VACUUM ANALYZE").await?;
    std::fs::write("/proc/self/clear_refs", "5")?;
    let engine = rapport.engine()?;
    let began = Instant::now();
    let mut done = 0;
    loop {
        match engine.tick().await? {
            0 => break,
            moved => done += moved,
        }
    }
    let pace = Pace { done, took: began.elapsed() };
    let notices = entity::finance::dunning::notice::Entity::find();
    let notices = sea_orm::PaginatorTrait::count(notices, db).await?;
    let note = format!(
        "{done} of {} open invoices, {notices} notices in {:.1} s, {:.0} MB at the peak",
        5 * customers,
        pace.took.as_secs_f64(),
        peak_mb()?
    );
    rapport.end().await?;
    Ok(Reading::Taken { measured: pace.per_second(), limit: REACHED, note: Some(note) })
}

fn day(today: NaiveDate, ago: u64) -> NaiveDate {
    today.checked_sub_days(Days::new(ago)).unwrap_or(today)
}

/// So many open invoices of each customer.
async fn owe(rapport: &Rapport, customers: usize, each: usize, due: &str) -> Result<(), Failure> {
    let db = rapport.db.reader();
    let rows = customers * each;
    db.execute_unprepared(&format!(
        "SET session_replication_role = replica; SET statement_timeout = 0; \
         INSERT INTO invoice (id, number, customer_id, state, currency, net, tax, total, paid, credited, issued_on, due_on, \
           disputed, search_text, created_at, updated_at) \
         SELECT made_id('invoice', n), 'INV-' || n, made_id('customer', (n - 1) / {each} + 1), 'OPEN', 'VND', 1100000, 0, \
           1100000, 0, 0, date '2025-01-01', {due}, false, 'inv-' || n, now(), now() \
         FROM generate_series(1, {rows}) AS n; \
         SET session_replication_role = DEFAULT"
    ))
    .await?;
    db.execute_unprepared("ANALYZE invoice").await?;
    Ok(())
}

async fn ladder(rapport: &Rapport) -> Result<workflow::Model, Failure> {
    let row = workflow::Entity::find()
        .filter(workflow::Column::Preset.eq("dunning-eu"))
        .one(rapport.db.reader())
        .await?;
    row.ok_or_else(|| "the ladder is not there".into())
}
