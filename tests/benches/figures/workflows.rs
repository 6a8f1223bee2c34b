//! Workflows: runs that go on among others that sleep, and what would come of a workflow in a year.
//!
//! Invariant: each turn advances the same number of due runs, a step and an end of each, by the engine
//! of production.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::access::{Actor, Calendar, Viewer, organisation};
use entity::automation::message::{Class, Content, Send, To};
use entity::automation::workflow::advance::Engine as Advancing;
use entity::automation::workflow::definition::{Action, Reentry, Step, Trigger, Wait};
use entity::automation::workflow::performer::performers;
use entity::automation::workflow::simulate::{Question, Which, definition, simulate};
use entity::automation::workflow::{self, Definition, Running, StepMap, run};
use entity::catalog::Scope;
use entity::customers::custom::CustomFields;
use entity::customers::customer::{self, Channel};
use entity::finance::import::Options;
use entity::id::{Id, WorkflowId, WorkflowRunId};
use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel,
    QueryFilter,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::figure::{Failure, Figure, Reading, Scale};
use crate::given::{import, receivables};
use crate::house::{House, On, Rapport};
use crate::pace::{Pace, median_of_rounds};
use crate::reads::company;

/// On SQLite.
pub const EMBEDDED: Figure = Figure {
    name: "runs that go on, embedded",
    unit: "runs/s",
    limit: "the same among a hundredth of the sleeping runs",
    measure: |house, scale| awake(house, On::Embedded, scale).boxed_local(),
};

/// On PostgreSQL.
pub const PRODUCTION: Figure = Figure {
    name: "runs that go on, production",
    unit: "runs/s",
    limit: "the same among a hundredth of the sleeping runs",
    measure: |house, scale| awake(house, On::Production, scale).boxed_local(),
};

/// What would come of a workflow.
pub const FORECAST: Figure = Figure {
    name: "customers simulated over a year",
    unit: "customers/s",
    limit: "100,000 in 60 s, the least that is promised",
    measure: |house, scale| forecast(house, scale).boxed_local(),
};

const PROMISED: f64 = 100_000.0 / 60.0;

/// What the keys of runs that are due begin with.
const DUE: &str = "due";

/// How many runs are copied by one statement.
const COPIES: usize = 20_000;

const DAY: i64 = 86_400;

async fn awake(house: &House, on: On, scale: Scale) -> Result<Reading, Failure> {
    let many = Sleeping::fall(house, on, scale, scale.million).await?;
    let few = Sleeping::fall(house, on, scale, scale.million / 100).await?;
    let reading = median_of_rounds(
        scale,
        async |turn| many.wake(turn).await,
        async |turn| few.wake(turn).await,
    );
    let mut reading = reading.await?;
    if let Reading::Taken { note, .. } = &mut reading {
        *note = Some(format!("{} due among {} that sleep", many.due, scale.million));
    }
    many.rapport.end().await?;
    few.rapport.end().await?;
    Ok(reading)
}

/// A workflow with runs that are due and runs that sleep for long.
struct Sleeping {
    rapport: Rapport,
    due: usize,
}

impl Sleeping {
    async fn fall(house: &House, on: On, scale: Scale, sleeping: usize) -> Result<Self, Failure> {
        let rapport = house.rapport(on).await?;
        // Four invoices make a customer, and each customer has a run.
        let file = receivables(4 * scale.receipts, false);
        import(&rapport, file.into_bytes(), Options::default()).await?;
        let steps = vec![step("wait", wait(1)), step("end", Action::End)];
        let workflow = published(&rapport, Trigger::Manual, steps).await?;
        let (db, now) = (rapport.db.reader(), rapport.clock.now());
        let customers = customer::Entity::find().all(db).await?;
        let version_id = workflow.active_id.ok_or("the workflow was not published")?;
        let at = |key: String, customer: &customer::Model, until| run::Model {
            id: WorkflowRunId::new(now),
            workflow_id: workflow.id,
            version_id,
            run_key: key,
            record_id: customer.id.0,
            customer_id: Some(customer.id),
            event_id: None,
            state: run::State::Waiting,
            step: Some("wait".to_owned()),
            since_at: Some(now),
            until_at: Some(until),
            listens: None,
            met: false,
            due_at: Some(until),
            detail: None,
            started_at: now,
            ended_at: None,
            depth: 0,
            memory: None,
        };
        let first = customers.first().ok_or("no customer was imported")?;
        let asleep = at("asleep".to_owned(), first, now + TimeDelta::days(365));
        asleep.into_active_model().reset_all().insert(db).await?;
        // So many at once that no statement takes longer than one may.
        for from in (1..sleeping).step_by(COPIES) {
            let numbers = (from, sleeping.min(from + COPIES) - 1);
            db.execute_unprepared(&copies(db.get_database_backend(), numbers)).await?;
        }
        for some in customers.chunks(500) {
            let rows = some.iter().map(|one| at(format!("{DUE} {}", one.id.0), one, now));
            let rows = rows.map(|row| row.into_active_model().reset_all());
            run::Entity::insert_many(rows).exec_without_returning(db).await?;
        }
        db.execute_unprepared("ANALYZE").await?;
        Ok(Self { due: customers.len(), rapport })
    }

    /// Lets what is due go on until it has ended, and begin anew, which does not count, again and again.
    async fn wake(&self, turn: Duration) -> Result<Pace, Failure> {
        let engine = self.rapport.engine()?;
        let (began, mut pace) = (Instant::now(), Pace::default());
        while began.elapsed() < turn {
            let now = self.rapport.clock.now();
            run::Entity::update_many()
                .col_expr(run::Column::State, Expr::val("WAITING"))
                .col_expr(run::Column::Step, Expr::val("wait"))
                .col_expr(run::Column::UntilAt, Expr::val(now))
                .col_expr(run::Column::DueAt, Expr::val(now))
                .col_expr(run::Column::EndedAt, Expr::val(None::<DateTime<Utc>>))
                .filter(run::Column::RunKey.starts_with(DUE))
                .exec(self.rapport.db.reader())
                .await?;
            let began = Instant::now();
            let mut done = 0;
            while done < self.due {
                match engine.tick().await? {
                    0 => return Err("runs that were due did not go on".into()),
                    moved => done += moved,
                }
            }
            pace += Pace { done, took: began.elapsed() };
        }
        Ok(pace)
    }
}

/// Copies of the run that sleeps first, one for each number from one to the other, with keys and ids of their own.
fn copies(backend: DbBackend, (from, to): (usize, usize)) -> String {
    let id = match backend {
        DbBackend::Postgres => "gen_random_uuid()",
        _ => "randomblob(16)",
    };
    let same = "workflow_id, version_id, record_id, customer_id, state, step, since_at, until_at, \
                met, due_at, started_at, depth";
    format!(
        "INSERT INTO workflow_run (id, run_key, {same}) \
         WITH RECURSIVE number (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM number WHERE n < {to}) \
         SELECT {id}, run_key || ' ' || n, {same} FROM workflow_run CROSS JOIN number \
         WHERE run_key = 'asleep'"
    )
}

async fn forecast(house: &House, scale: Scale) -> Result<Reading, Failure> {
    let rapport = house.rapport(On::Production).await?;
    company::customers(&rapport, scale.customers).await?;
    let steps = vec![
        step("first", send()),
        step("quarter", wait(90)),
        step("reached", branch(json!({ "email": { "isNull": false } }))),
        step("again", send()),
        step("half", wait(180)),
        step("last", send()),
    ];
    let id = published(&rapport, Trigger::Manual, steps).await?.id;
    simulated(rapport, id, "customers").await
}

/// A year of the draft of a workflow, of which `whom` are concerned.
pub async fn simulated(rapport: Rapport, id: WorkflowId, whom: &str) -> Result<Reading, Failure> {
    let from = rapport.clock.now();
    let question = Question { from, until: from + TimeDelta::days(365), records: None };
    // The most that the process ever had begins anew.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = peak_mb()?;
    let began = Instant::now();
    let snapshot = rapport.db.snapshot().await?;
    let zone = organisation::get(&snapshot).await?.zone();
    let backend = snapshot.get_database_backend();
    let viewer = Viewer::rapport(backend, Calendar::at(from, zone));
    let custom = CustomFields::loaded(&snapshot).await?;
    let scope = Scope { viewer: &viewer, backend, custom: &custom };
    let engine = Advancing { performers: &performers(), scope, zone };
    let definition = definition(&snapshot, id, Which::Draft).await?;
    let forecast = simulate(&engine, &snapshot, (id, &definition), &question).await?;
    snapshot.rollback().await?;
    let done = usize::try_from(forecast.runs)?;
    let pace = Pace { done, took: began.elapsed() };
    let note = format!(
        "{done} {whom} and {} messages in {:.1} s, {:.0} MB at the peak, {before:.0} MB before",
        forecast.sent,
        pace.took.as_secs_f64(),
        peak_mb()?
    );
    rapport.end().await?;
    Ok(Reading::Taken { measured: pace.per_second(), limit: PROMISED, note: Some(note) })
}

/// The most memory that this process had.
pub fn peak_mb() -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM in /proc")?;
    Ok(kib.parse::<f64>()? * 1024.0 / 1_000_000.0)
}

/// A workflow for customers.
pub async fn published(
    rapport: &Rapport,
    trigger: Trigger,
    steps: Vec<Step>,
) -> Result<workflow::Model, Failure> {
    let now = rapport.clock.now();
    let definition = Definition {
        record: "Customer".to_owned(),
        trigger,
        condition: Value::Null,
        goal: Value::Null,
        reentry: Reentry::Always,
        most_per_hour: None,
        steps,
    };
    let published = rapport.db.write(move |txn| {
        let definition = definition.clone();
        async move {
            let zone = organisation::get(txn).await?.zone();
            let viewer = Viewer::rapport(txn.get_database_backend(), Calendar::at(now, zone));
            let id = workflow::create(txn, "Measured", &definition, Actor::System, now).await?.id;
            let running = (Running::RunOut, &StepMap::new());
            workflow::publish(txn, id, running, None, &viewer, now).await
        }
        .boxed()
    });
    Ok(published.await?)
}

fn step(key: &str, action: Action) -> Step {
    Step { key: key.to_owned(), action, then: None }
}

fn wait(days: i64) -> Action {
    Action::Wait(Wait::For(days * DAY))
}

fn branch(filter: Value) -> Action {
    Action::Branch { filter, otherwise: None }
}

fn send() -> Action {
    let content = |language: &str| Content {
        language: language.to_owned(),
        subject: Some("A word from us".to_owned()),
        text: "Dear {{ addressee }}, here it is.".to_owned(),
    };
    let send = Send {
        channel: Channel::Email,
        class: Class::Service,
        topic: None,
        to: To::Customer,
        within_s: 3 * DAY,
        plain: false,
        contents: vec![content("vi"), content("en")],
    };
    let with = serde_json::to_value(send).unwrap_or_default();
    Action::Do { what: "send".to_owned(), with }
}
