//! A job whose process is killed in the middle, as a machine that loses its power does it.
//!
//! Invariant: the victim is this very test program, started once more to work on the job and nothing
//! else.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use entity::access::{Actor, Role, organisation, user};
use entity::automation::job;
use entity::clock::Clock;
use entity::customers::customer::bulk::{self, BulkChange};
use entity::customers::customer::{self, Change, Duplicates, LifecycleStage, MatchOn, Terms};
use entity::db::Db;
use entity::id::JobId;
use entity::money::Currency;
use futures::FutureExt;
use sea_orm::{ConnectionTrait, Database, EntityTrait, Statement};
use serde_json::json;
use tests::stack::{Process, Program};
use uuid::Uuid;

const CUSTOMERS: i64 = 10_000;

/// Long, so that a slow machine does not end it before the test looks.
const LEASE: TimeDelta = TimeDelta::minutes(5);

const TERMS: Terms = Terms {
    match_on: MatchOn::Number,
    duplicates: Duplicates::Update,
    all_or_none: true,
    needs_key: true,
    import: None,
};

const VICTIM: &str = "changing::killed::victim";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is started, and killed, by the tests below"]
async fn victim() {
    let (Ok(url), Ok(id)) = (std::env::var("VICTIM_DATABASE_URL"), std::env::var("VICTIM_JOB"))
    else {
        return;
    };
    let db = Db::connect(&url, 2).await.expect("the database");
    let id = JobId(id.parse().expect("a job's id"));
    let clock = Clock::system();
    let job = leased(&db, &clock, id).await.expect("the job is free");
    run(&db, &clock, &job).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}/rapport.db", folder.path().display());
    a_killed_job_goes_on_where_it_stopped(&url, folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the production half runs by tests/run"]
async fn production() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = std::env::var("TEST_DATABASE_URL").expect("a server");
    let name = format!("rapport_{}", Uuid::new_v4().simple());
    let control = Database::connect(&server).await.expect("the server");
    control.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database");
    let (server, _) = server.rsplit_once('/').expect("a database in the address");
    a_killed_job_goes_on_where_it_stopped(&format!("{server}/{name}"), folder.path()).await;
}

async fn a_killed_job_goes_on_where_it_stopped(url: &str, folder: &Path) {
    let db = Db::connect(url, 4).await.expect("the database");
    migration::migrate(db.reader()).await.expect("a schema");
    let clock = Clock::system();
    let id = prepared(&db, &clock).await;
    let touched = "SELECT COUNT(*) AS n FROM customer WHERE version = 2 AND stage = 'LAPSED'";

    let program = Program {
        name: "victim".to_owned(),
        path: std::env::current_exe().expect("this program"),
        args: [VICTIM, "--exact", "--ignored", "--nocapture"].map(Into::into).into(),
        env: vec![("VICTIM_DATABASE_URL", url.to_owned()), ("VICTIM_JOB", id.0.to_string())],
        dir: folder.to_owned(),
        log: folder.join("victim.log"),
        owner: None,
    };
    let mut process = Process::start(program).expect("the victim starts");
    let limit = Duration::from_mins(1);
    let in_the_middle = async || row(&db, id).await.done >= CUSTOMERS / 10;
    process.ready(limit, in_the_middle).await.expect("the victim works");
    process.kill();
    let dead = row(&db, id).await;
    assert!(dead.done < CUSTOMERS, "it was killed in the middle, not at the end: {dead:?}");
    assert_eq!(number(&db, touched).await, dead.done, "what is done is what is counted");
    let clock = Clock::manual(clock.now());
    assert_eq!(leased(&db, &clock, id).await, None, "its lease still holds");

    clock.advance(LEASE);
    let job = leased(&db, &clock, id).await.expect("the job is free");
    run(&db, &clock, &job).await;
    let ended = row(&db, id).await;
    assert_eq!((ended.state, ended.done), (job::State::Succeeded, CUSTOMERS));
    assert_eq!(ended.report, Some(json!({ "touched": CUSTOMERS, "skipped": 0 })));
    assert_eq!(number(&db, touched).await, CUSTOMERS, "each was touched once");
    let events = "SELECT COUNT(*) AS n FROM event WHERE kind = 'customer.updated'";
    assert_eq!(number(&db, events).await, CUSTOMERS, "and said so once");
}

/// A job to change many customers, which may start.
async fn prepared(db: &Db, clock: &Clock) -> JobId {
    let now = clock.now();
    let founded = db.write(move |txn| {
        let settings = organisation::Settings {
            name: "Công ty Sông Hàn".to_owned(),
            address: String::new(),
            tax_number: None,
            email: "ketoan@songhan.example".to_owned(),
            phone: None,
            time_zone: chrono_tz::Asia::Ho_Chi_Minh,
            currency: Currency::VND,
            locale: "vi".to_owned(),
        };
        let new = user::NewUser {
            email: "sales@rapport.example".to_owned(),
            name: "Lê Minh Châu".to_owned(),
            password_hash: Some(String::new()),
            role: Role::Sales.id(),
            position: None,
            language: None,
        };
        async move {
            organisation::set_up(txn, settings, Actor::System, now).await?;
            user::create(txn, new, Actor::System, now).await
        }
        .boxed()
    });
    let user = founded.await.expect("a user");
    let viewer =
        user::viewer(db.reader(), user.id, now).await.expect("a viewer").expect("a viewer");
    let actor = Actor::from(&viewer);
    for page in 0..CUSTOMERS / 500 {
        let rows = (0..500).map(|row| Change {
            number: Some(Some(format!("{page}-{row}"))),
            display_name: Some(format!("Khách hàng {page}-{row}")),
            ..Change::default()
        });
        let rows: Vec<_> = rows.collect();
        let written = db.write(move |txn| {
            let rows = rows.clone();
            async move { customer::upsert(txn, rows, TERMS, actor, now).await }.boxed()
        });
        written.await.expect("customers");
    }
    let change = BulkChange { stage: Some(LifecycleStage::Lapsed), ..BulkChange::default() };
    let job = db.write(move |txn| {
        let (change, viewer) = (change.clone(), viewer.clone());
        async move {
            let job = bulk::preview(txn, json!({}), Some(change), viewer.clone(), now).await?;
            job::start(txn, job.id, &viewer, now).await?;
            Ok(job)
        }
        .boxed()
    });
    let job = job.await.expect("a job");
    assert_eq!(job.total, Some(CUSTOMERS));
    job.id
}

async fn leased(db: &Db, clock: &Clock, id: JobId) -> Option<job::Model> {
    let now = clock.now();
    db.write(move |txn| job::lease(txn, id, now + LEASE, now).boxed()).await.expect("an answer")
}

async fn run(db: &Db, clock: &Clock, job: &job::Model) {
    let lease = LEASE.to_std().expect("a length");
    worker::customers::bulk::run(db, clock, job, lease).await.expect("the job runs");
}

async fn row(db: &Db, id: JobId) -> job::Model {
    job::Entity::find_by_id(id).one(db.reader()).await.expect("an answer").expect("the job")
}

async fn number(db: &Db, sql: &str) -> i64 {
    let backend = db.reader().get_database_backend();
    let row = db.reader().query_one_raw(Statement::from_string(backend, sql)).await;
    row.expect(sql).expect(sql).try_get("", "n").expect(sql)
}
