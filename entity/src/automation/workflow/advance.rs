//! Advancing runs, many at once: what they ask is answered by one statement for a version and a step.
//!
//! Invariant: planning reads, and gives where the runs are afterwards, what happened in their steps and what is to be
//! written for them; all of it is committed together, or nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use sea_orm::prelude::*;
use sea_orm::{DatabaseTransaction, IntoActiveModel};

use super::definition::{Action, Definition};
use super::interpreter::{Done, End, Facts, Next, Place, Waiting, next};
use super::performer::{self, Effect, Performer};
use super::rate::{self, Left};
use super::version::{Version, versions};
use super::{forecast, run, step};
use crate::catalog::Scope;
use crate::error::Error;
use crate::id::{Id, WorkflowId, WorkflowRunId, WorkflowStepId, WorkflowVersionId};

/// How many runs are advanced in one transaction.
pub const BATCH: u64 = 500;

/// How many rows are written by one statement.
const ROWS: usize = 2_000;

/// What runs are advanced with.
pub struct Engine<'a> {
    /// What steps do.
    pub performers: &'a [&'a dyn Performer],
    /// Whose rights count.
    pub scope: Scope<'a>,
    /// The organisation's zone.
    pub zone: Tz,
}

/// Where runs are after they were advanced, and what was done on the way.
#[derive(Debug, Default)]
pub struct Advanced {
    /// The runs.
    pub runs: Vec<run::Model>,
    /// What happened in their steps.
    pub steps: Vec<step::Model>,
    /// What is to be written for them.
    pub effects: Vec<Effect>,
    /// How many steps that do something were begun in workflows with a limit.
    pub taken: HashMap<WorkflowId, i64>,
}

/// A run on its way.
pub(super) struct Walk {
    pub(super) run: run::Model,
    pub(super) version: usize,
    pub(super) place: Place,
    pub(super) facts: Facts,
    /// From how many steps it has gone on.
    pub(super) gone: usize,
    /// Whether the step that it is in changes records.
    pub(super) changes: bool,
    /// Whether its workflow has done as much in this hour as it may.
    pub(super) late: bool,
}

/// After which a run looks whether what it has begun to wait for happened just then.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(5);

/// Why a run ends whose version was not checked.
const CIRCLE: &str = "its steps go in a circle without time passing";

/// What is asked for all runs of a version that are in the same step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ask {
    Goal,
    Filter,
    Moment,
    Event,
    Do,
}

/// Advances up to [`BATCH`] runs that are due, or `only` that one; gives how many.
///
/// # Errors
/// The database.
pub async fn due(
    engine: &Engine<'_>,
    txn: &DatabaseTransaction,
    only: Option<WorkflowRunId>,
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let runs = run::claim(txn, BATCH, only, now).await?;
    let count = runs.len();
    let versions = versions(txn, runs.iter().map(|run| run.version_id)).await?;
    let versions = versions.into_iter().collect::<Vec<_>>();
    let limited = runs.iter().filter_map(|run| {
        let (_, version) = versions.iter().find(|(id, _)| *id == run.version_id)?;
        Some((run.workflow_id, &**version))
    });
    let left = rate::hold(txn, limited, now).await?;
    let advanced = watched(engine, txn, &versions, (runs, left), now).await?;
    let Advanced { runs, steps, effects, taken } = advanced;
    rate::note(txn, &taken).await?;
    run::save(txn, runs).await?;
    for rows in steps.chunks(ROWS) {
        let rows = rows.iter().cloned().map(|row| row.into_active_model().reset_all());
        step::Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    // A run that another one calls off is written down before.
    performer::carry_out(txn, effects, engine.scope, now).await?;
    Ok(count)
}

/// Where the `runs` are afterwards. Workflows that have more for customers than was foreseen stand still, and their runs are
/// where they were.
async fn watched(
    engine: &Engine<'_>,
    txn: &DatabaseTransaction,
    versions: &[(WorkflowVersionId, Arc<Version>)],
    (mut runs, left): (Vec<run::Model>, Left),
    now: DateTime<Utc>,
) -> Result<Advanced, Error> {
    if versions.iter().all(|(_, version)| version.forecast.is_none()) {
        return plan(engine, txn, versions, runs, left, now).await;
    }
    loop {
        let advanced = plan(engine, txn, versions, runs.clone(), left.clone(), now).await?;
        let planned = forecast::planned(versions, &advanced);
        let held = forecast::hold(txn, &planned, now).await?;
        let mut exceeded = HashSet::new();
        for forecast in &held {
            if forecast::trip(txn, forecast, &planned, now).await? {
                exceeded.insert(forecast.workflow_id);
            }
        }
        if exceeded.is_empty() {
            forecast::note(txn, &held, &planned).await?;
            return Ok(advanced);
        }
        runs.retain(|run| !exceeded.contains(&run.workflow_id));
    }
}

/// Where the `runs` are when everything has happened that does before time has to pass.
///
/// # Errors
/// The database.
pub async fn plan(
    engine: &Engine<'_>,
    db: &DatabaseTransaction,
    versions: &[(WorkflowVersionId, Arc<Version>)],
    runs: Vec<run::Model>,
    left: Left,
    now: DateTime<Utc>,
) -> Result<Advanced, Error> {
    let (done, walks) = (Advanced::default(), Vec::new());
    let mut batch = Batch { engine, db, versions, left, now, done, walks };
    for run in runs {
        match batch.versions.iter().position(|(id, _)| *id == run.version_id) {
            Some(version) => {
                let walk = Walk::new(run, version, &batch.versions[version].1.definition);
                batch.walks.push(walk);
            }
            None => batch.end(run, run::State::Failed, Some("its version cannot be read")),
        }
    }
    batch.leave_gone().await?;
    loop {
        let asked = batch.walk();
        if asked.is_empty() {
            return Ok(batch.done);
        }
        for (question, walks) in asked {
            match batch.answer(question, &walks).await {
                Err(error @ (Error::Db(_) | Error::Unsure(_) | Error::Closed)) => {
                    return Err(error);
                }
                Err(error) => {
                    let why = error.to_string();
                    batch.learn(&walks, |facts, _| facts.unknowable = Some(why.clone()));
                }
                Ok(()) => {}
            }
        }
    }
}

impl Walk {
    fn new(run: run::Model, version: usize, definition: &Definition) -> Self {
        let step = run.step.as_deref().map_or(Some(0), |key| definition.step(key));
        let waiting = run.until_at.map(|until| Waiting { until, met: run.met });
        let place = Place { step: step.unwrap_or(definition.steps.len()), waiting };
        Self { run, version, place, facts: Facts::default(), gone: 0, changes: false, late: false }
    }

    /// What chance is drawn from: a workflow goes the same way with a record each time.
    fn chance(&self) -> Uuid {
        Uuid::new_v5(&self.run.workflow_id.0, self.run.record_id.as_bytes())
    }
}

/// Runs that are advanced together.
pub(super) struct Batch<'a> {
    pub(super) engine: &'a Engine<'a>,
    pub(super) db: &'a DatabaseTransaction,
    pub(super) versions: &'a [(WorkflowVersionId, Arc<Version>)],
    pub(super) left: Left,
    pub(super) now: DateTime<Utc>,
    pub(super) done: Advanced,
    pub(super) walks: Vec<Walk>,
}

/// What is asked, for all that are in the same step of the same version.
pub(super) type Question = (usize, usize, Ask);

impl Batch<'_> {
    /// Lets each run go on until it asks something, sleeps, or has ended.
    fn walk(&mut self) -> BTreeMap<Question, Vec<usize>> {
        let mut asked = BTreeMap::<Question, Vec<usize>>::new();
        let mut on_their_way = Vec::with_capacity(self.walks.len());
        for mut walk in std::mem::take(&mut self.walks) {
            let version = Arc::clone(&self.versions[walk.version].1);
            let definition = &version.definition;
            if walk.late {
                self.put_off(walk, definition);
                continue;
            }
            loop {
                let ask = match next(definition, walk.chance(), &walk.place, &walk.facts, self.now)
                {
                    Next::AskGoal => Ask::Goal,
                    Next::AskFilter => Ask::Filter,
                    Next::AskMoment => Ask::Moment,
                    Next::AskEvent => Ask::Event,
                    Next::Do => Ask::Do,
                    Next::Go(to) => {
                        self.log(&walk, definition);
                        if walk.changes {
                            self.go_on(walk.run, definition, to);
                            break;
                        }
                        walk.place = Place { step: to, waiting: None };
                        walk.facts = Facts::default();
                        walk.run.memory = None;
                        walk.gone += 1;
                        if walk.gone <= definition.steps.len() {
                            continue;
                        }
                        self.end(walk.run, run::State::Failed, Some(CIRCLE));
                        break;
                    }
                    Next::Sleep(until) => {
                        self.sleep(walk, definition, until);
                        break;
                    }
                    Next::End(end) => {
                        self.log(&walk, definition);
                        let (state, why) = match &end {
                            End::Completed => (run::State::Completed, None),
                            End::GoalReached => (run::State::GoalReached, None),
                            End::Failed(why) => (run::State::Failed, Some(why.as_str())),
                        };
                        walk.run.step =
                            definition.steps.get(walk.place.step).map(|step| step.key.clone());
                        self.end(walk.run, state, why);
                        break;
                    }
                };
                let question = (walk.version, walk.place.step, ask);
                asked.entry(question).or_default().push(on_their_way.len());
                on_their_way.push(walk);
                break;
            }
        }
        self.walks = on_their_way;
        asked
    }

    /// Notes what happened in the step that a run leaves.
    fn log(&mut self, walk: &Walk, definition: &Definition) {
        let Some(step) = definition.steps.get(walk.place.step) else { return };
        let (outcome, detail) = match (&walk.facts, &step.action) {
            (Facts { goal: Some(true), .. }, _) => {
                (step::Outcome::Turned, Some("the goal is reached".to_owned()))
            }
            (Facts { passes: Some(false), .. }, _) => (step::Outcome::Turned, None),
            (Facts { done: Some(Done::Skipped(why)), .. }, _) => {
                (step::Outcome::Skipped, Some((*why).to_owned()))
            }
            (Facts { done: Some(Done::Failed(why)), .. }, _) => {
                (step::Outcome::Failed, Some(why.clone()))
            }
            (_, Action::WaitForEvent { .. })
                if !walk.run.met && walk.facts.happened != Some(true) =>
            {
                (step::Outcome::Turned, Some("it did not come in time".to_owned()))
            }
            (_, Action::Wait(_) | Action::WaitForEvent { .. }) => (step::Outcome::Passed, None),
            _ => (step::Outcome::Done, None),
        };
        self.note(walk.run.id, &step.key, outcome, detail);
    }

    fn note(
        &mut self,
        run: WorkflowRunId,
        step: &str,
        outcome: step::Outcome,
        detail: Option<String>,
    ) {
        self.done.steps.push(step::Model {
            id: WorkflowStepId::new(self.now),
            run_id: run,
            step: step.to_owned(),
            outcome,
            detail,
            at: self.now,
        });
    }

    /// Lets a run wait for the next hour.
    fn put_off(&mut self, walk: Walk, definition: &Definition) {
        let Some(step) = definition.steps.get(walk.place.step) else { return };
        let is_news = walk.run.state != run::State::Waiting || walk.gone > 0;
        if is_news || walk.run.step.as_ref() != Some(&step.key) {
            let detail = "the workflow has done as much in this hour as it may".to_owned();
            self.note(walk.run.id, &step.key, step::Outcome::Waiting, Some(detail));
        }
        self.done.runs.push(run::Model {
            state: run::State::Waiting,
            step: Some(step.key.clone()),
            since_at: None,
            until_at: None,
            listens: None,
            met: false,
            due_at: Some(rate::hour(self.now) + TimeDelta::hours(1)),
            ..walk.run
        });
    }

    /// Lets a run go on with the next batch, which sees what was changed.
    fn go_on(&mut self, run: run::Model, definition: &Definition, to: usize) {
        self.done.runs.push(run::Model {
            state: run::State::Running,
            step: definition.steps.get(to).map(|step| step.key.clone()),
            since_at: None,
            until_at: None,
            listens: None,
            met: false,
            due_at: Some(self.now),
            memory: None,
            ..run
        });
    }

    fn sleep(&mut self, walk: Walk, definition: &Definition, until: DateTime<Utc>) {
        let Some(step) = definition.steps.get(walk.place.step) else { return };
        let (why, memory) = match walk.facts.done {
            Some(Done::Later(later)) => (Some(later.why), Some(later.memory)),
            _ => (None, None),
        };
        if walk.run.until_at != Some(until) || walk.run.memory != memory {
            self.note(walk.run.id, &step.key, step::Outcome::Waiting, why);
        }
        let listens = match &step.action {
            Action::WaitForEvent { kinds, .. } => Some(run::listening(kinds.iter().copied())),
            _ => None,
        };
        let due = match (&listens, walk.place.waiting) {
            (Some(_), None) => until.min(self.now + LOOK_AGAIN),
            _ => until,
        };
        let since = walk.run.since_at.filter(|_| walk.place.waiting.is_some());
        self.done.runs.push(run::Model {
            state: run::State::Waiting,
            step: Some(step.key.clone()),
            since_at: Some(since.unwrap_or(self.now)),
            until_at: Some(until),
            listens,
            met: false,
            due_at: Some(due),
            memory,
            ..walk.run
        });
    }

    pub(super) fn end(&mut self, run: run::Model, state: run::State, why: Option<&str>) {
        self.done.runs.push(run::Model {
            state,
            detail: why.map(str::to_owned),
            since_at: None,
            until_at: None,
            listens: None,
            due_at: None,
            ended_at: Some(self.now),
            memory: None,
            ..run
        });
    }
}
