//! What steps do to other workflows: start them for the same record, and call their runs off.

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::prelude::*;
use sea_orm::{Condition, DatabaseTransaction};
use serde::Deserialize;
use serde_json::Value as Json;

use super::interpreter::Done;
use super::performer::{Effect, Performer, Planned, Turn};
use super::start::{self, From, LOOP_GUARD, MOST_DEPTH};
use super::{or_stop, run};
use crate::catalog::{Record, Scope};
use crate::check::Check;
use crate::error::Error;
use crate::id::{Id, WorkflowId, WorkflowRunId};

/// A workflow that is started for a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToStart {
    /// Which workflow.
    pub workflow: WorkflowId,
    /// The prefix of the record's id.
    pub kind: &'static str,
    /// For which record.
    pub record: Uuid,
    /// How many runs came before.
    pub depth: i32,
    /// What tells this start from others.
    pub name: String,
}

/// A workflow whose runs for a record are called off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToStop {
    /// Which workflow.
    pub workflow: WorkflowId,
    /// The prefix of the record's id.
    pub kind: &'static str,
    /// For which record.
    pub record: Uuid,
    /// The run that does so, which goes on.
    pub by: WorkflowRunId,
}

/// Starts another workflow for the record of a run.
pub struct Start;

/// Calls off the runs of another workflow for the record of a run.
pub struct Stop;

/// Which workflow.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct With {
    workflow: String,
}

fn named(with: &Json) -> Option<WorkflowId> {
    With::deserialize(with).ok().and_then(|with| WorkflowId::parse(&with.workflow))
}

fn check(with: &Json, check: &mut Check) {
    check.that(named(with).is_some(), "workflowId", "there is no such workflow");
}

impl Performer for Start {
    fn name(&self) -> &'static str {
        "startWorkflow"
    }

    fn check(&self, _: &Record, with: &Json, checked: &mut Check) {
        check(with, checked);
    }

    fn plan<'a>(
        &'a self,
        db: &'a DatabaseTransaction,
        record: &'static Record,
        with: &'a Json,
        turns: &'a [Turn<'a>],
    ) -> BoxFuture<'a, Result<Vec<Planned>, Error>> {
        async move {
            let refuse = |why: &str| Ok(turns.iter().map(|_| Planned::failed(why)).collect());
            let this = Condition::all().add(super::Column::Id.eq(named(with)));
            let Some(other) = start::active(db, this).await?.pop() else {
                return refuse("the workflow is not carried out; publish it, or let it go on");
            };
            if other.what.record.table != record.table {
                return refuse("the workflow is for another kind of record");
            }
            let planned = turns.iter().map(|turn| {
                let depth = turn.run.depth + 1;
                if depth > MOST_DEPTH {
                    return Planned::failed(LOOP_GUARD);
                }
                let to_start = ToStart {
                    workflow: other.workflow,
                    kind: record.prefix,
                    record: turn.run.record_id,
                    depth,
                    name: format!("{} {}", turn.step, turn.now.timestamp_micros()),
                };
                Planned { done: Done::Yes, effects: vec![Effect::Start(to_start)] }
            });
            Ok(planned.collect())
        }
        .boxed()
    }
}

impl Performer for Stop {
    fn name(&self) -> &'static str {
        "stopWorkflow"
    }

    fn check(&self, _: &Record, with: &Json, checked: &mut Check) {
        check(with, checked);
    }

    fn plan<'a>(
        &'a self,
        _: &'a DatabaseTransaction,
        record: &'static Record,
        with: &'a Json,
        turns: &'a [Turn<'a>],
    ) -> BoxFuture<'a, Result<Vec<Planned>, Error>> {
        async move {
            let kind = record.prefix;
            let planned = turns.iter().map(|turn| {
                let Some(workflow) = named(with) else {
                    return Planned::failed("it cannot be read");
                };
                let (record, by) = (turn.run.record_id, turn.run.id);
                let to_stop = ToStop { workflow, kind, record, by };
                Planned { done: Done::Yes, effects: vec![Effect::Stop(to_stop)] }
            });
            Ok(planned.collect())
        }
        .boxed()
    }
}

/// Starts workflows: as many statements as there are workflows and steps that start them.
///
/// # Errors
/// The database.
pub(super) async fn start(
    txn: &impl ConnectionTrait,
    all: Vec<ToStart>,
    scope: Scope<'_>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    if all.is_empty() {
        return Ok(());
    }
    let others = all.iter().map(|to_start| to_start.workflow);
    let others = Condition::all().add(super::Column::Id.is_in(others));
    let active = start::hold(txn, others).await?;
    let mut alike = BTreeMap::<_, Vec<Uuid>>::new();
    for ToStart { workflow, record, depth, name, .. } in all {
        alike.entry((workflow, depth, name)).or_default().push(record);
    }
    for ((workflow, depth, name), records) in alike {
        let other = active.iter().find(|active| active.workflow == workflow);
        if let Some(other) = other {
            let from = From::Run(&records, &name, depth);
            let begun = start::begin(txn, other, from, scope, now).await;
            or_stop(txn, workflow, begun, now).await?;
        }
    }
    Ok(())
}

/// Calls runs off: a statement for each of the workflows.
///
/// # Errors
/// The database.
pub(super) async fn stop(
    txn: &impl ConnectionTrait,
    all: Vec<ToStop>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let mut alike = BTreeMap::<WorkflowId, (Vec<Uuid>, Vec<WorkflowRunId>)>::new();
    for ToStop { workflow, record, by, .. } in all {
        let (records, runs) = alike.entry(workflow).or_default();
        records.push(record);
        runs.push(by);
    }
    for (workflow, (records, runs)) in alike {
        let which = Condition::all()
            .add(run::Column::WorkflowId.eq(workflow))
            .add(run::Column::RecordId.is_in(records))
            .add(run::Column::Id.is_not_in(runs));
        run::cancel(txn, which, "another workflow called it off", now).await?;
    }
    Ok(())
}
