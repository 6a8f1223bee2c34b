//! The job that foresees what would come of a workflow, and keeps it with the workflow.
//!
//! Invariant: nothing but the forecast is written, at its end and together with it; so a job whose worker dies begins
//! anew.

use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::access::Actor;
use entity::access::audit::Origin;
use entity::automation::job;
use entity::automation::lease::Leased;
use entity::automation::workflow::Definition;
use entity::automation::workflow::advance::Engine as Advancing;
use entity::automation::workflow::forecast::{self, Request};
use entity::automation::workflow::performer::performers;
use entity::automation::workflow::simulate::{Forecast, simulate};
use entity::catalog::Scope;
use entity::clock::Clock;
use entity::customers::custom::CustomFields;
use entity::db::Db;
use futures::FutureExt;
use serde::Deserialize;

/// Foresees what the leased `job` says, and renews its lease by `lease` meanwhile.
///
/// # Errors
/// The database; the job is due again when its lease ends.
pub async fn run(
    db: &Db,
    clock: &Clock,
    job: &job::Model,
    lease: Duration,
) -> Result<(), entity::Error> {
    let mut foresee = pin!(foresee(db, job, clock.now()));
    let mut beat = tokio::time::interval(lease / 3);
    let foreseen = loop {
        tokio::select! {
            foreseen = &mut foresee => break foreseen,
            _ = beat.tick() => {
                let leased = Leased { id: job.id, fence: job.fence };
                let until = clock.now() + TimeDelta::from_std(lease).unwrap_or(TimeDelta::seconds(30));
                let held = db.write(move |txn| job::advance(txn, leased, 0, until).boxed());
                if held.await?.is_none() {
                    tracing::info!(job = %job.id.0, "the forecast was called off or taken over");
                    return Ok(());
                }
            }
        }
    };
    let foreseen = match foreseen {
        Ok((request, forecast)) => Ok((request, forecast)),
        Err(error @ (entity::Error::Db(_) | entity::Error::Unsure(_) | entity::Error::Closed)) => {
            return Err(error);
        }
        Err(refused) => Err(serde_json::json!({ "error": refused.to_string() })),
    };
    let now = clock.now();
    let (id, fence) = (job.id, job.fence);
    let actor = job.created_by.map_or(Actor::System, Actor::User);
    let origin = Origin::new(actor, now).in_job(job.id);
    let written = db.write_as(&origin, move |txn| {
        let foreseen = foreseen.clone();
        async move {
            let (state, report) = match foreseen {
                Ok((request, forecast)) => {
                    let kept = forecast::keep(txn, &request, &forecast, actor, now).await?;
                    let mut report = forecast.figures();
                    report["kept"] = kept.into();
                    (job::State::Succeeded, report)
                }
                Err(report) => (job::State::Failed, report),
            };
            job::finish(txn, id, fence, state, report, now).await
        }
        .boxed()
    });
    written.await
}

/// What would come of it, with the rights that who asks has by now.
async fn foresee(
    db: &Db,
    job: &job::Model,
    now: DateTime<Utc>,
) -> Result<(Request, Forecast), entity::Error> {
    let snapshot = db.snapshot().await?;
    let unreadable = || entity::Error::invalid("input", "it cannot be read any more; ask again");
    let request = Request::deserialize(&job.input).map_err(|_| unreadable())?;
    let definition = Definition::deserialize(&request.draft).map_err(|_| unreadable())?;
    let viewer = job::viewer(&snapshot, job, now).await?;
    let viewer =
        viewer.ok_or_else(|| entity::Error::invalid("id", "who asked may not log in any more"))?;
    let custom = CustomFields::loaded(&snapshot).await?;
    let (scope, zone) = (Scope::of(&snapshot, &viewer, &custom), viewer.calendar().zone);
    let engine = Advancing { performers: &performers(), scope, zone };
    let of = (request.workflow, &definition);
    let forecast = simulate(&engine, &snapshot, of, &request.question).await?;
    Ok((request, forecast))
}
