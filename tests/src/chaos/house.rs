//! Rapport as it runs in production, in small: PostgreSQL, Redis, a mail server, two APIs and two
//! workers.
//!
//! Invariant: while a fault lasts it holds its target, so nobody else starts, stops or strikes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex as Lock, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::evidence::{EvidenceError, Observer};
use super::schedule::{Blow, Fault, Target};
use crate::graphql;
use crate::stack::sink::{Sink, Weather};
use crate::stack::{Durability, Postgres, Process, Program, Redis, StackError, free_port};

/// The administrator that the clients log in as.
pub const EMAIL: &str = "chaos@example.org";
/// And the password, which opens nothing but a house that is torn down after minutes.
pub const PASSWORD: &str = "correct horse battery staple";

/// Rapport promises to stop within 30 s; a busy machine gets a little more.
const GRACE: Duration = Duration::from_secs(32);

/// Why a house cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// A server or a process does not start.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The database cannot be looked into.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The mail server cannot be started.
    #[error("a file, port or process could not be used")]
    Io(#[from] std::io::Error),
    /// The database cannot be made.
    #[error("the database could not be made")]
    Database(#[from] sea_orm::DbErr),
}

/// Everything that runs.
#[derive(Debug)]
pub struct House {
    /// Where mails go.
    pub sink: Sink,
    /// Looks into the database.
    pub observer: Observer,
    /// Host and port of both APIs.
    pub addresses: Vec<String>,
    apis: Vec<Mutex<Process>>,
    workers: Vec<Mutex<Process>>,
    redis: Mutex<Redis>,
    postgres: Mutex<Postgres>,
    notes: Lock<Notes>,
    began: Instant,
}

/// What the house remembers about its faults.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Which messages were being handed over when something was struck, and what it was. By
    /// Message-ID.
    pub doubts: BTreeMap<String, String>,
    /// Processes that ended without being struck, and were started again.
    pub ended: Vec<String>,
    /// Processes that had to be killed when they were asked to stop.
    pub unstoppable: Vec<String>,
}

impl House {
    /// Starts everything in `dir`, with the programs `rapport` and `rapport-worker` in `programs`,
    /// and migrates an empty database with one administrator in it.
    ///
    /// # Errors
    /// When anything does not start.
    pub async fn build(dir: &Path, programs: &Path, seed: u64) -> Result<Self, HouseError> {
        let postgres = Postgres::start(dir, Durability::Durable).await?;
        let redis = Redis::start(dir).await?;
        let sink = Sink::start(dir, seed).await?;
        let database = postgres.create_database("rapport").await?;
        let observer = Observer::connect(&database).await?;
        let data = dir.join("data");
        std::fs::create_dir_all(&data)?;
        let plan = Plan {
            dir: dir.to_owned(),
            programs: programs.to_owned(),
            env: vec![
                ("DATABASE_URL", database),
                ("REDIS_URL", redis.url().to_owned()),
                ("SMTP_URL", sink.url()),
                ("DATA_DIR", data.display().to_string()),
                ("RAPPORT_ENV", "development".to_owned()),
                ("TOKEN_KEY", format!("a key for a house of minutes {seed:032}")),
                ("MAIL_RETRY_S", "1".to_owned()),
                ("LEASE_S", "5".to_owned()),
                ("SMTP_TIMEOUT_S", "3".to_owned()),
            ],
        };
        plan.program("migrate", "rapport", &["migrate"], None)?.run().await?;
        let admin = ["seed", "admin", "--email", EMAIL, "--password", PASSWORD, "--name", "Chaos"];
        plan.program("seed", "rapport", &admin, None)?.run().await?;

        let mut house = Self {
            sink,
            observer,
            addresses: Vec::new(),
            apis: Vec::new(),
            workers: Vec::new(),
            redis: Mutex::new(redis),
            postgres: Mutex::new(postgres),
            notes: Lock::default(),
            began: Instant::now(),
        };
        for which in 0..2 {
            let address = format!("127.0.0.1:{}", free_port()?);
            let listen = Some(("LISTEN", address.clone()));
            let api = plan.program(&format!("api-{which}"), "rapport", &["serve"], listen)?;
            house.apis.push(Mutex::new(Process::start(api)?));
            house.addresses.push(address);
            let listen = Some(("WORKER_LISTEN", format!("127.0.0.1:{}", free_port()?)));
            let worker = plan.program(&format!("worker-{which}"), "rapport-worker", &[], listen)?;
            house.workers.push(Mutex::new(Process::start(worker)?));
        }
        house.heal().await?;
        Ok(house)
    }

    /// Starts the clock by which notes are dated.
    pub fn begin(&mut self) {
        self.began = Instant::now();
    }

    /// Does what `fault` says, from its blow to its end.
    ///
    /// # Errors
    /// When what was struck does not get up again.
    pub async fn strike(&self, fault: &Fault) -> Result<(), StackError> {
        match fault.target {
            Target::Api(which) => self.strike_process(&self.apis[which], fault, false).await,
            Target::Worker(which) => self.strike_process(&self.workers[which], fault, true).await,
            Target::Redis => self.strike_redis(fault).await,
            Target::Postgres => self.strike_postgres(fault).await,
            Target::Mail => {
                if let Blow::Weather(weather) = &fault.blow {
                    self.sink.set_weather(weather.clone());
                    sleep(fault.lasts).await;
                }
                self.sink.set_weather(Weather::default());
                Ok(())
            }
        }
    }

    async fn strike_process(
        &self,
        process: &Mutex<Process>,
        fault: &Fault,
        sends: bool,
    ) -> Result<(), StackError> {
        let mut process = process.lock().await;
        let sends = sends && fault.blow != Blow::Restart;
        if sends {
            self.doubt(fault).await;
        }
        match fault.blow {
            Blow::Kill => process.kill(),
            Blow::Freeze => process.freeze(),
            _ => {
                if let Err(error) = process.stop(Signal::TERM, GRACE).await {
                    self.note(|notes| notes.unstoppable.push(error.to_string()));
                }
            }
        }
        // What it had begun may reach the database a moment after it was struck.
        let look_again = async {
            sleep(Duration::from_millis(150)).await;
            if sends {
                self.doubt(fault).await;
            }
        };
        tokio::join!(sleep(fault.lasts), look_again);
        process.thaw();
        Ok(process.start_again()?)
    }

    async fn strike_redis(&self, fault: &Fault) -> Result<(), StackError> {
        let mut redis = self.redis.lock().await;
        match fault.blow {
            Blow::Flush => {
                // A frozen or slow Redis may not answer in time; then it is not flushed this time.
                let _ = redis.flush().await;
                return Ok(());
            }
            Blow::Kill => redis.kill(),
            Blow::Freeze => redis.freeze(),
            _ => redis.stop().await?,
        }
        sleep(fault.lasts).await;
        redis.thaw();
        redis.restart().await
    }

    async fn strike_postgres(&self, fault: &Fault) -> Result<(), StackError> {
        let mut postgres = self.postgres.lock().await;
        self.doubt(fault).await;
        match fault.blow {
            Blow::Kill => postgres.kill(),
            _ => postgres.stop().await?,
        }
        sleep(fault.lasts).await;
        postgres.restart().await?;
        self.doubt(fault).await;
        Ok(())
    }

    /// Starts again whatever ended without being struck, as the restart policy of a real house
    /// would.
    pub async fn watch(&self) {
        loop {
            sleep(Duration::from_millis(500)).await;
            for process in self.apis.iter().chain(&self.workers) {
                let Ok(mut process) = process.try_lock() else {
                    continue;
                };
                if !process.is_running() {
                    let at = self.began.elapsed().as_secs_f64();
                    let program = process.program();
                    let note = format!("{} at {at:.1} s: {}", program.name, program.last_line());
                    self.note(|notes| notes.ended.push(note));
                    // Tried again in half a second.
                    let _ = process.start_again();
                }
            }
        }
    }

    /// Waits until every fault is over, and until everything runs and is ready.
    ///
    /// # Errors
    /// When something does not get ready.
    pub async fn heal(&self) -> Result<(), StackError> {
        self.sink.set_weather(Weather::default());
        self.postgres.lock().await.restart().await?;
        let mut redis = self.redis.lock().await;
        redis.thaw();
        redis.restart().await?;
        for process in self.apis.iter().chain(&self.workers) {
            let mut process = process.lock().await;
            process.thaw();
            process.start_again()?;
        }
        for (api, address) in self.apis.iter().zip(&self.addresses) {
            let limit = Duration::from_secs(2);
            let ready = || async {
                graphql::get(address, "/readyz", limit)
                    .await
                    .is_ok_and(|status| status.is_success())
            };
            api.lock().await.ready(Duration::from_mins(1), ready).await?;
        }
        Ok(())
    }

    /// What the house remembers.
    #[must_use]
    pub fn notes(&self) -> Notes {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers every message that is being handed over as one that `fault` may leave in doubt.
    async fn doubt(&self, fault: &Fault) {
        // The database may itself be down: what is on its way stays so until a lease ends, which is
        // later.
        for _ in 0..20 {
            if let Ok(ids) = self.observer.in_flight().await {
                let at = fault.at.as_secs_f64();
                let reason = format!("in flight when {} was struck at {at:.2} s", fault.target);
                self.note(|notes| {
                    for id in ids {
                        notes.doubts.entry(id).or_insert_with(|| reason.clone());
                    }
                });
                return;
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    fn note(&self, change: impl FnOnce(&mut Notes)) {
        change(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What all programs of a house have in common.
struct Plan {
    dir: PathBuf,
    programs: PathBuf,
    env: Vec<(&'static str, String)>,
}

impl Plan {
    fn program(
        &self,
        name: &str,
        file: &'static str,
        args: &[&str],
        listen: Option<(&'static str, String)>,
    ) -> Result<Program, StackError> {
        let path = self.programs.join(file);
        if !path.is_file() {
            return Err(StackError::Missing(file));
        }
        Ok(Program {
            name: name.to_owned(),
            path,
            args: args.iter().map(Into::into).collect(),
            env: self.env.iter().cloned().chain(listen).collect(),
            dir: self.dir.clone(),
            log: self.dir.join(format!("{name}.log")),
            owner: None,
        })
    }
}
