//! The workers of one process: relay, engine, sender and jobs, until they are told to stop.
//!
//! Invariant: when one of them ends by itself the others stop too, so that the process ends and its
//! supervisor starts it again; half a worker would be silent.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use entity::automation::{event, job, message};
use entity::clock::Clock;
use entity::customers::customer;
use entity::db::Db;
use entity::id::{JobId, MessageId};
use futures::FutureExt;
use object_store::ObjectStore;
use sea_orm::{ActiveEnum, Iterable};
use tokio_util::sync::CancellationToken;

use crate::automation::forecast;
use crate::collaboration::export;
use crate::collaboration::upkeep::Upkeep;
use crate::config::{ConfigError, Stack};
use crate::customers::{self, bulk};
use crate::document::{DocumentError, Documents};
use crate::engine::Engine;
use crate::feed::{self, Changes, Due, DueKind, Feed, FeedError, Signal};
use crate::finance::import;
use crate::finance::statement::{self, Archive};
use crate::marketing::members;
use crate::marketing::segments::Segments;
use crate::printing::batch;
use crate::relay::{Pace, Relay, chain};
use crate::sealer;
use crate::sender::Sender;
use crate::tidier;
use crate::ways::Ways;
use crate::webhook::Courier;

/// Why workers cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The templates.
    #[error("the templates are broken")]
    Documents(#[from] DocumentError),
}

/// Relay, engine, sender and jobs of one process.
pub struct Runtime {
    /// From what happened to what is due.
    pub relay: Relay,
    /// What advances workflows.
    pub engine: Engine,
    segments: Segments,
    /// What sends.
    pub sender: Sender,
    /// What keeps files tidy.
    pub upkeep: Upkeep,
    jobs: Jobs,
    message_feed: Feed,
    job_feed: Feed,
    courier: Courier,
    senders: usize,
}

/// What works on jobs.
#[derive(Clone)]
struct Jobs {
    db: Db,
    clock: Clock,
    files: Arc<dyn ObjectStore>,
    signal: Signal,
    documents: Documents,
    lease: Duration,
}

/// How many jobs a process works on at once.
const JOBS: usize = 2;

/// How many messages are sent at once by whoever has all to themselves.
const SENT_AT_ONCE: u64 = 50;

/// How many customers are indexed in one transaction.
const INDEXED: u64 = 500;

impl Runtime {
    /// The workers that `stack` describes, on `files`; messages leave by `ways` if some are given.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn new(
        stack: &Stack,
        db: Db,
        clock: Clock,
        signal: Signal,
        files: Arc<dyn ObjectStore>,
        ways: Option<Ways>,
    ) -> Result<Self, StartError> {
        let (messages, message_feed) = stack.feed("messages")?;
        let (jobs, job_feed) = stack.feed("jobs")?;
        let lease = stack.lease();
        let documents = Documents::embedded()?;
        let requeue = TimeDelta::from_std(lease).unwrap_or(TimeDelta::seconds(30));
        let pace = Pace { interval: Duration::from_secs(1), requeue };
        Ok(Self {
            upkeep: Upkeep {
                db: db.clone(),
                clock: clock.clone(),
                files: Arc::clone(&files),
                folder: stack.place()?.folder(),
            },
            relay: Relay {
                db: db.clone(),
                clock: clock.clone(),
                messages,
                jobs,
                signal: signal.clone(),
                pace,
            },
            engine: Engine { db: db.clone(), clock: clock.clone(), signal: signal.clone() },
            segments: Segments { db: db.clone(), clock: clock.clone(), signal: signal.clone() },
            sender: Sender {
                db: db.clone(),
                clock: clock.clone(),
                documents: documents.clone(),
                ways: ways.map_or_else(|| Ways::of(stack, Arc::clone(&files)), Ok)?,
                sent: stack.sent()?,
                files: Arc::clone(&files),
                dkim: stack.dkim()?,
                domain: stack.domain().into(),
                public_url: stack.public_url.clone(),
                links: stack.links()?,
                attachment_max: stack.mail_attachment_max,
                lease,
                retry: Duration::from_secs(stack.mail_retry_s),
            },
            courier: Courier::new(db.clone(), clock.clone(), &stack.webhook_allow, lease),
            jobs: Jobs { db, clock, files, signal, documents, lease },
            message_feed,
            job_feed,
            senders: usize::from(stack.senders),
        })
    }

    /// Does all that is due by the clock, and what follows from it, for whoever turns the clock by hand and has all to
    /// themselves.
    ///
    /// # Errors
    /// The database.
    pub async fn settle(&self) -> Result<(), entity::Error> {
        // The clock stands still meanwhile.
        self.relay.pass().await?;
        loop {
            let mut moved = self.relay.follow_up().await?;
            moved |= self.engine.tick().await? > 0;
            moved |= self.send_due().await?;
            if !moved {
                return Ok(());
            }
        }
    }

    /// Sends what is due, without the feed. True when there was something.
    async fn send_due(&self) -> Result<bool, entity::Error> {
        let now = self.relay.clock.now();
        let due = self.relay.db.write(move |txn| message::due(txn, SENT_AT_ONCE, now, now).boxed());
        let due = due.await?;
        let moved = !due.is_empty();
        self.sender.send(due).await?;
        Ok(moved)
    }

    /// Works until `shutdown`, then finishes what is under way, within half a minute.
    ///
    /// # Errors
    /// When a part ended by itself.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), FeedError> {
        let Self { relay, engine, segments, sender, upkeep, jobs, .. } = self;
        let Self { message_feed, job_feed, courier, senders, .. } = self;
        let house = jobs.clone();
        let documents = sender.documents.clone();
        let send_messages = move |due: Due| {
            let sender = sender.clone();
            async move { handle_messages(&sender, due).await }
        };
        let work = move |due: Due| {
            let jobs = jobs.clone();
            async move { jobs.handle(due).await }
        };
        let stopping = shutdown.clone();
        let guarded = async |part: futures::future::BoxFuture<'static, Result<(), FeedError>>| {
            let ended = part.await;
            stopping.cancel();
            ended
        };
        let clock = relay.clock.clone();
        let (relayed, sent, worked, (), (), (), (), (), (), ()) = tokio::join!(
            guarded(relay.run(shutdown.clone()).map(Ok).boxed()),
            guarded(feed::run(message_feed, senders, send_messages, shutdown.clone()).boxed()),
            guarded(feed::run(job_feed, JOBS, work, shutdown.clone()).boxed()),
            engine.run(shutdown.clone()),
            segments.run(shutdown.clone()),
            courier.run(shutdown.clone()),
            sealer::run(house.db.clone(), clock.clone(), shutdown.clone()),
            tidier::run(house.db.clone(), clock, shutdown.clone()),
            keep_house(house, documents, shutdown.clone()),
            upkeep.run(shutdown.clone()),
        );
        relayed.and(sent).and(worked)
    }
}

async fn handle_messages(sender: &Sender, due: Due) -> Result<(), entity::Error> {
    debug_assert_eq!(due.kind, DueKind::Message);
    let sent = sender.send(due.ids.into_iter().map(MessageId::from).collect()).await;
    sent.inspect_err(|error| tracing::warn!(error = %chain(error), "messages are due again"))
}

impl Jobs {
    fn lease(&self) -> TimeDelta {
        TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::seconds(30))
    }

    fn archive(&self) -> Archive<'_> {
        Archive {
            db: &self.db,
            clock: &self.clock,
            files: &*self.files,
            documents: &self.documents,
            lease: self.lease,
        }
    }

    /// Works on those of the jobs that nobody else has.
    async fn handle(&self, due: Due) -> Result<(), entity::Error> {
        for id in due.ids.into_iter().map(JobId::from) {
            let now = self.clock.now();
            let until = now + self.lease();
            let leased = self.db.write(move |txn| job::lease(txn, id, until, now).boxed());
            let Some(job) = leased.await? else { continue };
            self.signal.tell(Changes::job(id));
            let done = match job.kind {
                job::Kind::ImportReceivables => {
                    import::run(&self.db, &self.clock, &*self.files, &job, self.lease).await
                }
                job::Kind::UpdateCustomers | job::Kind::DeleteCustomers => {
                    bulk::run(&self.db, &self.clock, &job, self.lease).await
                }
                job::Kind::ImportCustomers => {
                    customers::import::run(&self.db, &self.clock, &*self.files, &job, self.lease)
                        .await
                }
                job::Kind::ImportSegmentMembers => {
                    members::run(&self.db, &self.clock, &*self.files, &job, self.lease).await
                }
                job::Kind::Export => {
                    export::run(&self.db, &self.clock, &*self.files, &job, self.lease).await
                }
                job::Kind::PrintLetters => {
                    let (db, clock, files) = (&self.db, &self.clock, &*self.files);
                    batch::run(db, clock, files, &self.documents, &job, self.lease).await
                }
                job::Kind::CreateStatements => {
                    statement::create(&self.db, &self.clock, &job, self.lease).await
                }
                job::Kind::ArchiveStatements => self.archive().run(&job).await,
                job::Kind::Forecast => forecast::run(&self.db, &self.clock, &job, self.lease).await,
                // It was done when it was written down.
                job::Kind::UpsertCustomers | job::Kind::UndoImport => Ok(()),
            };
            self.signal.tell(Changes::job(id));
            // Who asked for it is told now, not when the relay next looks.
            self.signal.raise();
            done.inspect_err(|error| {
                tracing::warn!(job = %id.0, error = %chain(error), "a job is due again");
            })?;
        }
        Ok(())
    }
}

/// Keeps the figures that are counted from rows, and puts away what is not in use, until `shutdown`.
async fn keep_house(jobs: Jobs, documents: Documents, shutdown: CancellationToken) {
    let Jobs { db, clock, files, .. } = jobs;
    let mut look = tokio::time::interval(Duration::from_secs(15));
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = look.tick() => documents.rest(),
        }
        index_customers(&db).await;
        if let Err(error) = export::sweep(&db, &clock, &*files).await {
            tracing::warn!(error = %chain(&error), "expired files could not be removed");
        }
        if let Ok(events) = event::pending(db.reader()).await {
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
            metrics::gauge!("rapport_events_pending").set(events as f64);
        }
        if let Ok(counts) = message::count_by_state(db.reader()).await {
            for state in message::State::iter() {
                let count = counts.iter().find(|(counted, _)| *counted == state);
                #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
                metrics::gauge!("rapport_messages", "state" => state.to_value())
                    .set(count.map_or(0, |(_, count)| *count) as f64);
            }
        }
    }
}

/// Indexes customers that were written by something that knows no keys, such as an older Rapport.
async fn index_customers(db: &Db) {
    loop {
        let indexed = db.write(|txn| customer::index_missing(txn, INDEXED).boxed()).await;
        match indexed {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = %chain(&error), "customers could not be indexed");
                return;
            }
        }
    }
}
