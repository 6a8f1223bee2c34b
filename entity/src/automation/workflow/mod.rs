//! Workflows: what Rapport does by itself, as managers have set it up.
//!
//! ```text
//! definition   what a workflow does          start     which records begin with it
//! check        whether that can be done      run       where each of them is
//! interpreter  from a place to what is next  advance   many runs at once
//! moment       when a clock shows a time     calendar  which records begin with a day
//! changed      which events are changes           schedule  when a cron pattern comes
//! performer    what steps do, slice by slice ask       what many runs have to know
//! rate         how much is done in an hour
//! migrate      runs that go on elsewhere         bulk      many runs that somebody sets going, or ends
//! simulate     what would come of it             others    workflows that start and stop one another
//! forecast     what was foreseen, and watched       hook      workflows that other systems start
//! ```
//!
//! Invariant: what is carried out is a version, which never changes; a draft is nobody's business but that of who
//! works on it. A run stays with the version that it began with.

use std::collections::BTreeMap;

use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter, IntoActiveModel};
use serde::Deserialize;

use super::AutomationError;
use crate::access::{Actor, Permission, Scope as Reach, Viewer};
use crate::catalog::catalog;
use crate::customers::parse_required;
use crate::edit::{edited, lock, save};
use crate::error::Error;
use crate::id::{Id, UserId, WorkflowForecastId, WorkflowId, WorkflowVersionId};

pub mod advance;
mod ask;
mod bulk;
pub mod calendar;
mod changed;
mod check;
mod day;
pub mod definition;
pub mod forecast;
pub mod hook;
pub mod interpreter;
mod migrate;
pub mod moment;
pub mod others;
pub mod performer;
pub mod post;
pub mod preset;
pub mod rate;
pub mod run;
pub mod schedule;
pub mod simulate;
pub mod start;
pub mod step;
pub mod version;
pub mod window;

pub use bulk::{MOST_AT_ONCE, Which, cancel_runs, retry_runs, skip_steps};
pub use definition::Definition;

/// What becomes of a workflow's triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum State {
    /// It was never published.
    Draft,
    /// Its triggers start runs.
    Active,
    /// Its triggers start runs, and runs stand still: it had more for customers than was foreseen.
    Held,
    /// Nothing starts, and runs stand still.
    Paused,
    /// Nothing starts; runs come to their end.
    Retired,
}

impl State {
    /// The states in which triggers start runs.
    pub(crate) const STARTING: [Self; 2] = [Self::Active, Self::Held];

    /// The states in which runs stand still.
    pub(crate) const STILL: [Self; 2] = [Self::Held, Self::Paused];

    /// Whether runs stand still.
    pub(crate) fn is_still(self) -> bool {
        Self::STILL.contains(&self)
    }
}

/// What becomes of the runs of earlier versions when another one is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// They come to their end with the version that they began with.
    RunOut,
    /// They end.
    Cancel,
    /// They go on with the new version, in the steps that have the keys of theirs or those that `StepMap` names; those
    /// whose step is not there any more come to their end with the version that they began with.
    Migrate,
}

/// Which steps take the place of which, by their keys, for runs that go on with another version.
pub type StepMap = BTreeMap<String, String>;

/// A workflow.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WorkflowId,
    /// What it is called.
    pub name: String,
    /// What becomes of its triggers.
    pub state: State,
    /// What it would do if it were published.
    pub draft: Json,
    /// What it does.
    pub active_id: Option<WorkflowVersionId>,
    /// What was foreseen of the draft.
    pub forecast_id: Option<WorkflowForecastId>,
    /// Until when it was looked for records whose day has come, if days start it.
    pub looked_at: Option<DateTimeUtc>,
    /// Why Rapport let it stand still.
    pub problem: Option<String>,
    /// Which of those that Rapport brings along it is.
    pub preset: Option<String>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
    /// By whom.
    pub updated_by: Option<UserId>,
    /// Counts up with every change.
    pub version: i32,
}

edited!();

catalog! {
    /// What Rapport does by itself for records, as somebody has set it up once.
    Workflow (workflow, workflows) of Entity, read by Permission::ReadWorkflows,
        versioned by Column::Version, with history;
    /// What it is called.
    name: text(Column::Name).filtered().ordered(),
    /// What becomes of its triggers.
    state: choice::<State>("WorkflowState", Column::State).filtered().grouped(),
    /// Why Rapport let it stand still: it cannot be carried out any more, since what it names has
    /// changed, or it had more for customers than was foreseen. Null while nothing is wrong.
    problem: text(Column::Problem),
    /// Which of those that Rapport brings along it is, such as `receipt`; null for one of your own.
    preset: text(Column::Preset).filtered(),
    /// What it would do if it were published now.
    draft: json(Column::Draft),
    /// What is foreseen of the draft, and kept with the version that it is published as; null when nothing is.
    forecast: one::<forecast::Entity>(Column::ForecastId),
    /// What it does; null before it was published.
    active: one::<version::Entity>(Column::ActiveId),
    /// All that it ever did, newest first.
    versions: many::<version::Entity>(version::Column::WorkflowId),
    /// For which records it was and is carried out.
    runs: many::<run::Entity>(run::Column::WorkflowId),
    /// When it was added.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
    /// When it was last changed.
    updated_at: instant(Column::UpdatedAt).filtered().ordered(),
}

/// A workflow that is to be, or what changes about one; `None` keeps a field.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What it is called.
    pub name: Option<String>,
    /// What it would do.
    pub draft: Option<Definition>,
}

/// Adds a workflow, as a draft.
///
/// # Errors
/// `Invalid` with all that cannot be done.
pub async fn create(
    txn: &impl ConnectionTrait,
    name: &str,
    draft: &Definition,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = Model {
        id: WorkflowId::new(now),
        name: parse_required("name", name, 200)?,
        state: State::Draft,
        draft: written(draft)?,
        active_id: None,
        forecast_id: None,
        looked_at: None,
        problem: None,
        preset: None,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    Ok(row.into_active_model().reset_all().insert(txn).await?)
}

/// Adds a workflow with the draft of another one.
///
/// # Errors
/// `Invalid` for the name, [`Error::NoSuch`].
pub async fn copy(
    txn: &impl ConnectionTrait,
    id: WorkflowId,
    name: &str,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let other = Entity::find_by_id(id).one(txn).await?.ok_or_else(Error::no_such::<Entity>)?;
    create(txn, name, &read(&other.draft)?, actor, now).await
}

/// Changes a workflow's name or draft, if it still has `expected_version` (where one is given). What is published
/// stays as it is.
///
/// # Errors
/// `Invalid` with all that cannot be done, [`Error::NoSuch`], [`Error::StaleVersion`].
pub async fn update(
    txn: &impl ConnectionTrait,
    id: WorkflowId,
    change: Change,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock::<Entity>(txn, id, expected_version).await?;
    if let Some(name) = change.name {
        row.name = parse_required("name", &name, 200)?;
    }
    if let Some(draft) = change.draft {
        let draft = written(&draft)?;
        // What was foreseen of another draft says nothing of this one.
        if draft != row.draft {
            (row.draft, row.forecast_id) = (draft, None);
        }
    }
    save::<Entity>(txn, row, actor, now).await
}

/// Publishes a workflow's draft as its next version, which carries on from now.
///
/// # Errors
/// `Invalid` with all that cannot be done, and for steps that are not there, [`Error::NoSuch`],
/// [`Error::StaleVersion`], `NotApproved` for what sends customers something where the viewer may not approve that.
pub async fn publish(
    txn: &impl ConnectionTrait,
    id: WorkflowId,
    (running, steps): (Running, &StepMap),
    expected_version: Option<i32>,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let actor = Actor::from(viewer);
    let mut row = lock::<Entity>(txn, id, expected_version).await?;
    let definition = read(&row.draft)?;
    check::check(txn, &definition, &performer::performers(), viewer).await?;
    if performer::is_for_customers(&definition)
        && viewer.scope(Permission::ApproveSends) != Reach::All
    {
        return Err(AutomationError::NotApproved.into());
    }
    let version = version::add(txn, &row, &definition, actor, now).await?;
    match running {
        Running::RunOut => {}
        Running::Cancel => drop(run::cancel_all(txn, row.id, version.id, now).await?),
        Running::Migrate => {
            migrate::migrate(txn, row.id, version.id, &definition, steps, now).await?;
        }
    }
    if row.state.is_still() {
        run::hold_all(txn, row.id, false, now).await?;
    }
    row.looked_at = definition.trigger.is_timed().then_some(now);
    row.active_id = Some(version.id);
    row.forecast_id = None;
    row.problem = None;
    row.state = State::Active;
    save::<Entity>(txn, row, actor, now).await
}

/// Lets a workflow stand still, go on, or end. What is so already stays as it is.
///
/// # Errors
/// [`Error::NoSuch`], `NeverPublished`.
pub async fn turn(
    txn: &impl ConnectionTrait,
    id: WorkflowId,
    state: State,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock::<Entity>(txn, id, None).await?;
    let Some(active) = row.active_id else {
        return Err(AutomationError::NeverPublished.into());
    };
    if row.state == state {
        return Ok(row);
    }
    if state == State::Active {
        forecast::accept(txn, active, now).await?;
    }
    if row.state.is_still() != state.is_still() {
        run::hold_all(txn, row.id, state.is_still(), now).await?;
    }
    // What would have started meanwhile does not start later.
    row.looked_at = row.looked_at.map(|_| now);
    row.problem = None;
    row.state = state;
    save::<Entity>(txn, row, actor, now).await
}

/// Gives what came of a workflow; where it cannot be carried out any more, lets it stand still instead, so that others
/// are carried out.
pub(crate) async fn or_stop(
    txn: &impl ConnectionTrait,
    id: WorkflowId,
    outcome: Result<u64, Error>,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let cause = match outcome {
        Err(Error::Catalog(cause)) => cause,
        outcome => return outcome,
    };
    let mut row = turn(txn, id, State::Paused, Actor::System, now).await?;
    row.problem = Some(cause.to_string());
    save::<Entity>(txn, row, Actor::System, now).await?;
    Ok(0)
}

/// What is wrong with a workflow's draft: nothing when it may be published.
///
/// # Errors
/// `Invalid` with all that cannot be done, [`Error::NoSuch`].
pub async fn validate(
    db: &impl ConnectionTrait,
    id: WorkflowId,
    viewer: &Viewer,
) -> Result<(), Error> {
    let row = Entity::find_by_id(id).one(db).await?.ok_or_else(Error::no_such::<Entity>)?;
    check::check(db, &read(&row.draft)?, &performer::performers(), viewer).await
}

fn written(definition: &Definition) -> Result<Json, Error> {
    serde_json::to_value(definition).map_err(|cause| unreadable(&cause))
}

fn read(stored: &Json) -> Result<Definition, Error> {
    Definition::deserialize(stored).map_err(|cause| unreadable(&cause))
}

fn unreadable(cause: &serde_json::Error) -> Error {
    Error::Db(DbErr::Json(cause.to_string()))
}
