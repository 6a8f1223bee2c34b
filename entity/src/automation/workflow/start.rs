//! Starting runs: one statement for a version and a batch of events, however many records that are.
//!
//! Invariant: a run begins in the transaction that marks its event as relayed, so that each event starts its runs
//! once; and for a record for which the workflow may not be carried out again none begins.

use std::sync::Arc;

use chrono::NaiveDate;
use sea_orm::prelude::*;
use sea_orm::sea_query::{
    Alias, CaseStatement, ExprTrait, Func, LockType, OnConflict, Order, Query, SelectStatement,
};
use sea_orm::{ActiveEnum, Condition, DbBackend, QueryOrder, QuerySelect};

use super::definition::{Reentry, Trigger};
use super::version::{Version, versions};
use super::{State as Whether, changed, or_stop, run};
use crate::access::Viewer;
use crate::automation::{AutomationError, event};
use crate::catalog::{Field, Record, Scope, condition, named};
use crate::customers::custom::CustomFields;
use crate::error::Error;
use crate::id::{SegmentId, WorkflowId, WorkflowVersionId, fresh_by_row};

/// How many runs may come before one, each started by what the one before it did.
pub const MOST_DEPTH: i32 = 8;

/// Why a run ends before its first step that more runs came before.
pub(super) const LOOP_GUARD: &str = "LOOP_GUARD: workflows start one another in a circle";

/// A version that carries on.
pub struct Active {
    /// The workflow.
    pub workflow: WorkflowId,
    /// Its version.
    pub version: WorkflowVersionId,
    /// What it does, and for which kind of record.
    pub what: Arc<Version>,
    /// Whether its runs stand still.
    pub still: bool,
}

/// The versions whose triggers start runs, of the workflows that meet a condition.
///
/// # Errors
/// The database.
pub async fn active(db: &impl ConnectionTrait, which: Condition) -> Result<Vec<Active>, Error> {
    read(db, super::Entity::find().filter(which)).await
}

/// The same, and lets nobody publish, pause or end the workflows until the transaction ends: who does so either finds the
/// runs that begin in it, or is seen by it.
pub(super) async fn hold(
    txn: &impl ConnectionTrait,
    which: Condition,
) -> Result<Vec<Active>, Error> {
    let held = super::Entity::find().filter(which).order_by_asc(super::Column::Id);
    read(txn, held.lock(LockType::KeyShare)).await
}

async fn read(
    db: &impl ConnectionTrait,
    workflows: Select<super::Entity>,
) -> Result<Vec<Active>, Error> {
    let carried_on = workflows
        .select_only()
        .columns([super::Column::Id, super::Column::ActiveId, super::Column::State])
        .filter(super::Column::State.is_in(Whether::STARTING))
        .filter(super::Column::ActiveId.is_not_null());
    let carried_on: Vec<(WorkflowId, WorkflowVersionId, Whether)> =
        carried_on.into_tuple().all(db).await?;
    let versions = versions(db, carried_on.iter().map(|(_, version, _)| *version)).await?;
    let active = carried_on.into_iter().filter_map(|(workflow, version, state)| {
        let what = Arc::clone(versions.get(&version)?);
        Some(Active { workflow, version, what, still: state.is_still() })
    });
    Ok(active.collect())
}

/// The name of a workflow that is carried out and started by a segment, if there is one.
///
/// # Errors
/// The database.
pub async fn started_by(
    txn: &impl ConnectionTrait,
    segment: SegmentId,
) -> Result<Option<String>, Error> {
    let is_started = |active: &Active| matches!(active.what.definition.trigger, Trigger::Segment { segment: by, .. } if by == segment);
    let active = active(txn, Condition::all()).await?;
    let Some(active) = active.into_iter().find(is_started) else { return Ok(None) };
    let row = super::Entity::find_by_id(active.workflow).one(txn).await?;
    Ok(row.map(|row| row.name))
}

/// Starts the runs that events are triggers of, and wakes those that wait for them.
///
/// # Errors
/// The database.
pub async fn by_events(
    txn: &impl ConnectionTrait,
    events: &[event::Model],
    scope: Scope<'_>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    // Days and schedules start the others.
    let by_events = Condition::all().add(super::Column::LookedAt.is_null());
    for one in hold(txn, by_events).await? {
        let ids = triggering(txn, &one, events).await?;
        if !ids.is_empty() {
            let begun = begin(txn, &one, From::Events(&ids), scope, now).await;
            or_stop(txn, one.workflow, begun, now).await?;
        }
    }
    run::wake(txn, events, now).await
}

/// The ids of those of the events that are triggers of the workflow.
async fn triggering(
    txn: &impl ConnectionTrait,
    active: &Active,
    events: &[event::Model],
) -> Result<Vec<Uuid>, Error> {
    let is_own = |event: &event::Model| event.workflow_id == Some(active.workflow);
    match &active.what.definition.trigger {
        Trigger::Event { kinds, own } => {
            let of_them = events.iter().filter(|event| kinds.contains(&event.kind));
            let of_them = of_them.filter(|event| *own || !is_own(event));
            Ok(of_them.map(|event| event.id.0).collect())
        }
        Trigger::Change { field, from, to, own } => {
            let Some(place) = changed::place(active.what.record, field) else {
                return Ok(Vec::new());
            };
            let of_them = events.iter().filter(|event| *own || !is_own(event));
            let values = (from.as_deref(), to.as_deref());
            changed::changes(txn, active.what.record, &place, values, &of_them.collect::<Vec<_>>())
                .await
        }
        Trigger::Segment { segment, turn, own } => {
            let of_it =
                |event: &&event::Model| event.kind == turn.kind() && event.subject_id == segment.0;
            let of_them = events.iter().filter(of_it).filter(|event| *own || !is_own(event));
            Ok(of_them.map(|event| event.id.0).collect())
        }
        Trigger::Manual
        | Trigger::Date { .. }
        | Trigger::Schedule { .. }
        | Trigger::Webhook { .. } => Ok(Vec::new()),
    }
}

/// Starts runs of a workflow for records that somebody chose, by their outward ids; gives how many. `name` tells this
/// start from others.
///
/// # Errors
/// [`Error::NoSuch`], `NeverPublished`.
pub async fn by_hand(
    txn: &impl ConnectionTrait,
    workflow: WorkflowId,
    records: &[String],
    name: &str,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<i32, Error> {
    let this = || Condition::all().add(super::Column::Id.eq(workflow));
    let Some(active) = hold(txn, this()).await?.pop() else {
        let known = super::Entity::find().filter(this()).one(txn).await?;
        return Err(match known {
            Some(_) => AutomationError::NeverPublished.into(),
            None => Error::no_such::<super::Entity>(),
        });
    };
    let named = records.iter().filter_map(|id| named(id));
    let ids =
        named.filter(|(record, _)| record.table == active.what.record.table).map(|(_, id)| id);
    let custom = CustomFields::loaded(txn).await?;
    let scope = Scope::of(txn, viewer, &custom);
    let ids = ids.collect::<Vec<_>>();
    let begun = begin(txn, &active, From::Chosen(&ids, name), scope, now).await?;
    Ok(i32::try_from(begun).unwrap_or(i32::MAX))
}

/// What runs begin with.
#[derive(Clone, Debug)]
pub enum From<'a> {
    /// Something happened to the record, or, for a customer, to what is theirs.
    Events(&'a [Uuid]),
    /// Somebody chose these records; what they call this start, which tells it from others.
    Chosen(&'a [Uuid], &'a str),
    /// A run started it for these records; what it calls this start, and how many runs came before.
    Run(&'a [Uuid], &'a str, i32),
    /// Another system's request means the records that meet a condition; what it calls itself.
    Hook(Condition, &'a str),
    /// A schedule has come, for all records.
    Schedule(DateTimeUtc),
    /// A day has come for records that meet a condition.
    Day(Condition, NaiveDate),
}

/// Begins runs of a version; gives how many.
///
/// # Errors
/// The database.
pub async fn begin(
    txn: &impl ConnectionTrait,
    active: &Active,
    from: From<'_>,
    scope: Scope<'_>,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let (record, backend) = (active.what.record, scope.backend);
    if active.what.definition.reentry == Reentry::AfterEnd {
        // Two that begin at once would not see each other's runs.
        let alone = super::Entity::find_by_id(active.workflow).lock(LockType::NoKeyUpdate);
        alone.one(txn).await?;
    }
    let id = record.column("id");
    let mut chosen = population(active, scope)?;
    let whose = whose(record);
    let (event, occurrence, depth) = occurrence(&from, &mut chosen, (&id, whose), backend);
    let workflow = Expr::val(active.workflow.0);
    let again = match active.what.definition.reentry {
        Reentry::Once => Expr::val(""),
        Reentry::AfterEnd => {
            chosen.and_where(Expr::exists(under_way(active.workflow, id.clone())).not());
            if let From::Events(ids) = &from {
                chosen.and_where(Expr::col((event::Entity, event::Column::Id)).eq(first(
                    ids,
                    whose,
                    id.clone(),
                )));
            }
            occurrence.clone()
        }
        Reentry::Always => occurrence.clone(),
    };
    let is_loop = depth.clone().gt(MOST_DEPTH);
    let unless_loop = |value: Expr, otherwise: Expr| -> Expr {
        CaseStatement::new().case(is_loop.clone(), otherwise).finally(value).into()
    };
    let is_still = is_loop.clone().or(Expr::val(active.still));
    let due: Expr = CaseStatement::new()
        .case(is_still, Expr::val(None::<DateTimeUtc>))
        .finally(Expr::val(now))
        .into();
    let again = unless_loop(again, occurrence);
    let key = [text_of(backend, workflow.clone()), text_of(backend, id.clone()), again];
    let key = match backend {
        DbBackend::Postgres => Expr::cust_with_exprs("$1 || ':' || $2 || ':' || $3", key),
        _ => Expr::cust_with_exprs("? || ':' || ? || ':' || ?", key),
    };
    chosen
        .expr(fresh_by_row(backend, now))
        .expr(workflow)
        .expr(Expr::val(active.version.0))
        .expr(key)
        .expr(id)
        .expr(customer_of(record))
        .expr(event)
        .expr(unless_loop(
            Expr::val(run::State::Running.to_value()),
            Expr::val(run::State::Cancelled.to_value()),
        ))
        .expr(Expr::val(false))
        .expr(due)
        .expr(unless_loop(Expr::val(None::<String>), Expr::val(LOOP_GUARD)))
        .expr(Expr::val(now))
        .expr(unless_loop(Expr::val(None::<DateTimeUtc>), Expr::val(now)))
        .expr(depth);
    let columns = [
        run::Column::Id,
        run::Column::WorkflowId,
        run::Column::VersionId,
        run::Column::RunKey,
        run::Column::RecordId,
        run::Column::CustomerId,
        run::Column::EventId,
        run::Column::State,
        run::Column::Met,
        run::Column::DueAt,
        run::Column::Detail,
        run::Column::StartedAt,
        run::Column::EndedAt,
        run::Column::Depth,
    ];
    let mut insert = Query::insert();
    insert
        .into_table(run::Entity)
        .columns(columns)
        .on_conflict(OnConflict::column(run::Column::RunKey).do_nothing().to_owned());
    insert.select_from(chosen).map_err(|error| DbErr::Custom(error.to_string()))?;
    Ok(txn.execute(&insert).await?.rows_affected())
}

/// What is an event for a run, what tells it from others of the record, and how many came before it; `chosen` is narrowed
/// to the records.
fn occurrence(
    from: &From<'_>,
    chosen: &mut SelectStatement,
    (id, whose): (&Expr, event::Column),
    backend: DbBackend,
) -> (Expr, Expr, Expr) {
    let of_event = |column: event::Column| Expr::col((event::Entity, column));
    let mut depth = Expr::val(0);
    let (event, occurrence) = match from {
        From::Events(ids) => {
            depth = of_event(event::Column::Depth);
            chosen
                .inner_join(event::Entity, of_event(whose).eq(id.clone()))
                .and_where(of_event(event::Column::Id).is_in(ids.iter().copied()));
            (of_event(event::Column::Id), text_of(backend, of_event(event::Column::Id)))
        }
        From::Chosen(ids, name) => {
            chosen.and_where(id.clone().is_in(ids.iter().copied()));
            (Expr::val(None::<Uuid>), Expr::val(*name))
        }
        From::Run(ids, name, runs) => {
            depth = Expr::val(*runs);
            chosen.and_where(id.clone().is_in(ids.iter().copied()));
            (Expr::val(None::<Uuid>), Expr::val(*name))
        }
        From::Hook(condition, name) => {
            chosen.cond_where(condition.clone());
            (Expr::val(None::<Uuid>), Expr::val(*name))
        }
        From::Schedule(instant) => (Expr::val(None::<Uuid>), Expr::val(instant.to_rfc3339())),
        From::Day(condition, day) => {
            chosen.cond_where(condition.clone());
            (Expr::val(None::<Uuid>), Expr::val(day.to_string()))
        }
    };
    (event, occurrence, depth)
}

/// The records for which a workflow is carried out.
pub(super) fn population(active: &Active, scope: Scope<'_>) -> Result<SelectStatement, Error> {
    let (record, filter) = (active.what.record, &active.what.definition.condition);
    let mut population = Query::select();
    population
        .from(record.table)
        .cond_where(condition(record, filter, scope, "condition")?)
        .cond_where(record.visible(scope.viewer))
        .cond_where(record.listed(filter));
    Ok(population)
}

/// What refers to the record in events that happen to it, or, for a customer, to what is theirs.
pub(super) fn whose(record: &Record) -> event::Column {
    match record.table {
        "customer" => event::Column::CustomerId,
        _ => event::Column::SubjectId,
    }
}

/// A run of the workflow for the record that has not ended.
fn under_way(workflow: WorkflowId, record: Expr) -> SelectStatement {
    let other = Alias::new("other");
    let of = |column: run::Column| Expr::col((other.clone(), column));
    Query::select()
        .expr(Expr::val(1))
        .from_as(run::Entity, other.clone())
        .and_where(of(run::Column::WorkflowId).eq(workflow.0))
        .and_where(of(run::Column::RecordId).eq(record))
        .and_where(of(run::Column::EndedAt).is_null())
        .take()
}

/// The first of the events that happened to a record.
fn first(events: &[Uuid], whose: event::Column, record: Expr) -> Expr {
    let one = Alias::new("first");
    let of = |column: event::Column| Expr::col((one.clone(), column));
    let first = Query::select()
        .expr(of(event::Column::Id))
        .from_as(event::Entity, one.clone())
        .and_where(of(event::Column::Id).is_in(events.iter().copied()))
        .and_where(of(whose).eq(record))
        .order_by_expr(of(event::Column::Id), Order::Asc)
        .limit(1)
        .take();
    Expr::SubQuery(None, Box::new(first.into()))
}

/// An id as text.
fn text_of(backend: DbBackend, id: Expr) -> Expr {
    match backend {
        DbBackend::Postgres => id.cast_as("text"),
        _ => Func::cust("hex").arg(id).into(),
    }
}

/// Whom a record of the kind concerns.
pub(super) fn customer_of(record: &Record) -> Expr {
    if record.table == "customer" {
        return record.column("id");
    }
    match record.field("customer").and_then(Field::refers) {
        Some(column) => record.column(column),
        None => Expr::val(None::<Uuid>),
    }
}
