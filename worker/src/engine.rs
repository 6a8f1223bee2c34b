//! The engine: advances the runs of workflows that are due.
//!
//! Invariant: where a run is and what was done for it is one transaction, in which nobody else has the run, so that a
//! worker that dies in the middle has done nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use entity::access::audit::Origin;
use entity::access::{Actor, Calendar, Viewer, organisation};
use entity::automation::workflow::advance::{self, Engine as Advancing};
use entity::automation::workflow::performer::performers;
use entity::automation::workflow::{calendar, run};
use entity::catalog::Scope;
use entity::clock::Clock;
use entity::collaboration::{overdue, reminder};
use entity::customers::custom::CustomFields;
use entity::db::{Db, is_busy, which};
use entity::id::{Id, WorkflowRunId};
use futures::FutureExt;
use sea_orm::{ConnectionTrait, DbBackend};
use tokio_util::sync::CancellationToken;

use crate::feed::Signal;
use crate::relay::chain;

/// Between two looks without a signal.
const INTERVAL: Duration = Duration::from_secs(1);

/// How much is kept of what the database said about a run that it refused, in characters.
const LONGEST_WHY: usize = 500;

/// Advances runs.
#[derive(Clone)]
pub struct Engine {
    /// The truth.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Wakes the engine, and the relay for what it has done.
    pub signal: Signal,
}

impl Engine {
    /// Advances runs until `shutdown`. A failure is logged and tried again at the next look.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut signal = self.signal.clone();
        let mut look = tokio::time::interval(INTERVAL);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            match self.tick().await {
                Ok(0) => {}
                Ok(_) if !shutdown.is_cancelled() => continue,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "runs of workflows are due again");
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = signal.wait() => {}
                _ = look.tick() => {}
            }
        }
    }

    /// Begins the runs whose day has come, says what is overdue, reminds people, and advances a batch of those that are due; gives how many.
    ///
    /// # Errors
    /// The database.
    pub async fn tick(&self) -> Result<usize, entity::Error> {
        let now = self.clock.now();
        let mut moved = 0;
        let due =
            [calendar::is_due(now), overdue::is_due(now), reminder::is_due(now), run::is_due(now)];
        let [has_come, is_overdue, reminds, runs] = which(self.db.reader(), due).await?;
        if has_come {
            let begun = self.db.write(move |txn| {
                async move {
                    let ground = Ground::of(txn, now).await?;
                    calendar::begin_due(txn, ground.zone, ground.scope(), now).await
                }
                .boxed()
            });
            moved += usize::try_from(begun.await?).unwrap_or(usize::MAX);
        }
        if is_overdue {
            let noticed = self.db.write(move |txn| overdue::notice(txn, now).boxed()).await?;
            moved += usize::try_from(noticed).unwrap_or(usize::MAX);
        }
        if reminds {
            let told = self.db.write(move |txn| reminder::tell(txn, now).boxed()).await?;
            moved += usize::try_from(told).unwrap_or(usize::MAX);
        }
        if runs {
            moved += match self.advance(None, now).await {
                Err(error) if is_refused(&error) => {
                    tracing::warn!(error = %chain(&error), "runs are advanced one by one");
                    self.one_by_one(now).await?
                }
                advanced => advanced?,
            };
        }
        if moved > 0 {
            metrics::counter!("rapport_runs_moved_total").increment(moved as u64);
            self.signal.raise();
        }
        Ok(moved)
    }

    /// Advances a batch of runs that are due, or `only` that one.
    async fn advance(
        &self,
        only: Option<WorkflowRunId>,
        now: DateTime<Utc>,
    ) -> Result<usize, entity::Error> {
        let origin = Origin::new(Actor::System, now);
        let advanced = self.db.write_as(&origin, move |txn| {
            async move {
                let ground = Ground::of(txn, now).await?;
                let (scope, zone) = (ground.scope(), ground.zone);
                let engine = Advancing { performers: &performers(), scope, zone };
                advance::due(&engine, txn, only, now).await
            }
            .boxed()
        });
        advanced.await
    }

    /// Advances the runs of a batch each for itself, so that one which the database refuses keeps no other from going
    /// on: it ends, and says why.
    async fn one_by_one(&self, now: DateTime<Utc>) -> Result<usize, entity::Error> {
        let ids = run::due_ids(self.db.reader(), advance::BATCH, now).await?;
        let mut moved = 0;
        for id in ids {
            moved += match self.advance(Some(id), now).await {
                Err(error) if is_refused(&error) => {
                    metrics::counter!("rapport_runs_given_up_total").increment(1);
                    let why: String = chain(&error).chars().take(LONGEST_WHY).collect();
                    tracing::error!(run = %id.global(), error = %why, "a run is given up");
                    let give_up = self.db.write(move |txn| {
                        let why = why.clone();
                        async move { run::give_up(txn, id, &why, now).await }.boxed()
                    });
                    give_up.await?;
                    1
                }
                advanced => advanced?,
            };
        }
        Ok(moved)
    }
}

/// Whether the database can be reached, and took something amiss: it would do so again.
fn is_refused(error: &entity::Error) -> bool {
    match error {
        entity::Error::Db(cause) => !is_busy(cause),
        entity::Error::Unsure(_) | entity::Error::Closed => false,
        _ => true,
    }
}

/// What workflows are carried out on: with all rights, in the organisation's zone.
pub struct Ground {
    viewer: Viewer,
    backend: DbBackend,
    custom: CustomFields,
    /// The organisation's zone.
    pub zone: Tz,
}

impl Ground {
    /// As it is now.
    ///
    /// # Errors
    /// The database.
    pub async fn of(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<Self, entity::Error> {
        let zone = organisation::get(db).await?.zone();
        let backend = db.get_database_backend();
        let viewer = Viewer::rapport(backend, Calendar::at(now, zone));
        Ok(Self { viewer, backend, custom: CustomFields::loaded(db).await?, zone })
    }

    /// For compiling filters.
    #[must_use]
    pub fn scope(&self) -> Scope<'_> {
        Scope { viewer: &self.viewer, backend: self.backend, custom: &self.custom }
    }
}
