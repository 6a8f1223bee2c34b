//! Keeping up who belongs to segments: at once for customers to whom something has happened, and for all of them again and
//! again, since time passes and not everything that a filter compares is an event of the customer's.
//!
//! Invariant: two statements for a batch of customers and many segments. Sets are found out after their parts, from who
//! belongs to these. Who enters or leaves, and the event that says so, is one transaction. An event has the cause and the
//! depth of what made the customer change, so that workflows which change customers in a circle come to an end.

use std::collections::HashMap;

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    ExprTrait, InsertStatement, LockBehavior, LockType, OnConflict, Query, SelectStatement,
    UnionType,
};
use sea_orm::{ActiveValue, Condition, QueryOrder, QueryResult, QuerySelect, QueryTrait};
use serde::Deserialize;
use serde_json::Value;

use super::sample::{self, Sample};
use super::{Column, Entity, Kind as By, Model, Operation, member, part};
use crate::access::Actor;
use crate::automation::event::{self, Kind};
use crate::catalog::{CatalogError, Cataloged, Scope, among, condition};
use crate::customers::customer;
use crate::error::Error;
use crate::id::{CustomerId, SegmentId, WorkflowId, fresh_by_row};

/// How long it takes until all customers are compared with a segment again.
const AGAIN: TimeDelta = TimeDelta::minutes(5);

/// How many customers enter, and how many leave, at once, when all are looked at.
const BATCH: u64 = 10_000;

/// The same where nobody is told of it.
const SILENT: u64 = 50_000;

/// With how many segments customers are compared by one statement. Each is a condition of its own.
const TOGETHER: usize = 20;

/// How many events are written by one statement.
const EVENTS: usize = 1_000;

/// Whether all customers are to be compared with a segment, as a condition.
#[must_use]
pub fn is_due(now: DateTimeUtc) -> Expr {
    Expr::exists(Entity::find().filter(waits(now)).into_query())
}

/// That all customers are to be compared with a segment, and can be. Nobody enters a list by themselves.
fn waits(now: DateTimeUtc) -> Condition {
    let changes = Condition::any().add(Column::Kind.ne(By::Static)).add(Column::FilledAt.is_null());
    Condition::all().add(Column::LookAt.lte(now)).add(changes).add(part::are_filled())
}

/// What has made customers change: the workflow and the depth of the deepest event.
type Causes = HashMap<CustomerId, (Option<WorkflowId>, i32)>;

/// The parts of segments.
type Parts = HashMap<SegmentId, Vec<SegmentId>>;

/// Lets customers to whom something has happened enter and leave segments.
///
/// # Errors
/// The database.
pub async fn follow(
    txn: &impl ConnectionTrait,
    events: &[event::Model],
    scope: Scope<'_>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let mut causes = Causes::new();
    // Segments that name each other would otherwise never come to rest.
    let told = [Kind::SegmentEntered, Kind::SegmentLeft];
    for event in events.iter().filter(|event| !told.contains(&event.kind)) {
        let Some(customer) = event.customer_id else { continue };
        let cause = causes.entry(customer).or_insert((event.workflow_id, event.depth));
        if event.depth > cause.1 {
            *cause = (event.workflow_id, event.depth);
        }
    }
    if causes.is_empty() {
        return Ok(());
    }
    // Nobody gives one another filter until the customers have entered and left by this one.
    let kept_up = Entity::find()
        .filter(Column::FilledAt.is_not_null())
        .filter(part::are_filled())
        .order_by_asc(Column::Id)
        .lock(LockType::KeyShare);
    let segments = kept_up.all(txn).await?;
    let customers = causes.keys().map(|id| id.0).collect::<Vec<_>>();
    let (sets, others): (Vec<_>, Vec<_>) =
        segments.into_iter().partition(|segment| segment.kind == By::Set);
    let (lists, dynamic): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|segment| segment.kind == By::Static);
    let mut first = dynamic.iter().filter_map(|one| by_filter(one, scope)).collect::<Vec<_>>();
    if !lists.is_empty() {
        first.push(Compiled {
            enters: None,
            leaves: lists.iter().map(|list| list.id).collect(),
            passes: present(&Value::Null, scope),
        });
    }
    let mut layers = vec![first];
    if !sets.is_empty() {
        let parts = part::all(txn).await?;
        let ids = sets.iter().map(|set| set.id).collect::<Vec<_>>();
        layers.extend(part::layers(&ids, &parts).into_iter().map(|layer| {
            let layer = sets.iter().filter(|set| layer.contains(&set.id));
            layer.filter_map(|set| by_parts(set, &parts, scope)).collect::<Vec<_>>()
        }));
    }
    for some in layers.iter().flat_map(|layer| layer.chunks(TOGETHER)) {
        turn(txn, some, Whom::These(&customers), scope, &causes, now).await?;
    }
    Ok(())
}

/// Compares all customers with one of the segments for which that is due, and lets a batch of them enter and leave it; gives
/// whether there was one.
///
/// # Errors
/// The database.
pub async fn look(
    txn: &impl ConnectionTrait,
    scope: Scope<'_>,
    now: DateTimeUtc,
) -> Result<bool, Error> {
    let Some(segment) = due(now).one(txn).await? else { return Ok(false) };
    let parts = part::all(txn).await?;
    let compiled = match segment.kind {
        By::Dynamic => by_filter(&segment, scope),
        By::Set => by_parts(&segment, &parts, scope),
        By::Static => as_made(txn, &segment, &parts, scope).await?,
    };
    let mut filled_at = segment.filled_at;
    let mut is_whole = true;
    if let Some(one) = &compiled {
        let (some, no_cause) = (std::slice::from_ref(one), Causes::new());
        let (moved, most) = match filled_at {
            Some(_) => (turn(txn, some, Whom::All, scope, &no_cause, now).await?, BATCH),
            None => (fill(txn, one, scope, now).await?, SILENT),
        };
        is_whole = moved < most;
        if filled_at.is_none() && is_whole {
            filled_at = Some(now);
            if segment.kind == By::Static {
                part::forget(txn, segment.id).await?;
            }
        }
        if moved > 0 {
            part::stir(txn, segment.id, now).await?;
        }
    }
    Entity::update_many()
        .col_expr(Column::LookAt, Expr::val(if is_whole { now + AGAIN } else { now }))
        .col_expr(Column::FilledAt, Expr::val(filled_at))
        .filter(Column::Id.eq(segment.id))
        .exec(txn)
        .await?;
    Ok(true)
}

/// Looks later at the segment that is due, since it cannot be looked at now.
///
/// # Errors
/// The database.
pub async fn postpone(txn: &impl ConnectionTrait, now: DateTimeUtc) -> Result<(), Error> {
    let Some(segment) = due(now).one(txn).await? else { return Ok(()) };
    Entity::update_many()
        .col_expr(Column::LookAt, Expr::val(now + AGAIN))
        .filter(Column::Id.eq(segment.id))
        .exec(txn)
        .await?;
    Ok(())
}

/// The segments that are to be looked at, those that wait longest first; others skip them meanwhile.
fn due(now: DateTimeUtc) -> Select<Entity> {
    Entity::find()
        .filter(waits(now))
        .order_by_asc(Column::LookAt)
        .order_by_asc(Column::Id)
        .lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked)
}

/// Whom it is looked at.
#[derive(Clone, Copy)]
pub(super) enum Whom<'a> {
    /// All customers, a batch of those that enter or leave.
    All,
    /// These alone.
    These(&'a [Uuid]),
}

/// Which customers belong to segments, as a condition.
pub(super) struct Compiled {
    /// The segment that those enter who pass; none where nobody enters.
    pub enters: Option<SegmentId>,
    /// The segments that those leave who do not.
    pub leaves: Vec<SegmentId>,
    /// Who passes.
    pub passes: Condition,
}

impl Compiled {
    fn of(segment: &Model, passes: Condition) -> Self {
        Self { enters: Some(segment.id), leaves: vec![segment.id], passes }
    }
}

/// The customers that can belong to segments at all.
pub(super) fn present(filter: &Value, scope: Scope<'_>) -> Condition {
    let record = customer::Entity::record();
    Condition::all().add(record.visible(scope.viewer)).add(record.listed(filter))
}

/// The customers that pass a filter.
pub(super) fn passing(filter: &Value, scope: Scope<'_>) -> Result<Condition, CatalogError> {
    let passes = condition(customer::Entity::record(), filter, scope, "filter")?;
    Ok(Condition::all().add(passes).add(present(filter, scope)))
}

/// Who belongs to a dynamic segment, unless its filter cannot be carried out any more.
fn by_filter(segment: &Model, scope: Scope<'_>) -> Option<Compiled> {
    let passes = passing(&segment.filter, scope).ok()?;
    Some(Compiled::of(segment, passes))
}

/// Who belongs to a set.
fn by_parts(segment: &Model, parts: &Parts, scope: Scope<'_>) -> Option<Compiled> {
    let passes = part::passes(segment.operation?, parts.get(&segment.id)?);
    Some(Compiled::of(segment, passes.add(present(&Value::Null, scope))))
}

/// Who belongs to a list that is just made, unless what it is made of cannot be carried out any more.
async fn as_made(
    txn: &impl ConnectionTrait,
    segment: &Model,
    parts: &Parts,
    scope: Scope<'_>,
) -> Result<Option<Compiled>, Error> {
    let everybody = Value::Object(serde_json::Map::new());
    let filter = segment.source.as_ref().unwrap_or(&everybody);
    let Ok(mut passes) = passing(filter, scope) else { return Ok(None) };
    if let Some(parts) = parts.get(&segment.id) {
        passes = passes.add(part::passes(Operation::Union, parts));
    }
    if let Some(sample) = segment.sample.as_ref() {
        let Ok(sample) = Sample::deserialize(sample) else { return Ok(None) };
        passes = sample::drawn(txn, &sample, passes).await?;
    }
    Ok(Some(Compiled::of(segment, passes)))
}

/// The customers who pass the filter of a segment and do not belong to it yet, as its members.
fn entering(
    Compiled { enters, passes, .. }: &Compiled,
    whom: Whom<'_>,
    scope: Scope<'_>,
    now: DateTimeUtc,
) -> Option<SelectStatement> {
    let segment = (*enters)?;
    let id = || Expr::col((customer::Entity, customer::Column::Id));
    let of = |column: member::Column| Expr::col((member::Entity, column));
    let mut known = Query::select();
    known
        .expr(Expr::val(1))
        .from(member::Entity)
        .and_where(of(member::Column::SegmentId).eq(segment.0))
        .and_where(of(member::Column::CustomerId).eq(id()));
    let mut entering = Query::select();
    entering
        .expr(fresh_by_row(scope.backend, now))
        .expr(Expr::val(segment.0))
        .expr(id())
        .expr(Expr::val(now))
        .from(customer::Entity)
        .cond_where(passes.clone())
        .and_where(Expr::exists(known).not());
    if let Whom::These(ids) = whom {
        entering.and_where(among(scope.backend, id(), ids));
    }
    Some(entering)
}

/// Those that belong to segments and do not pass any more.
fn leaving(
    Compiled { leaves, passes, .. }: &Compiled,
    whom: Whom<'_>,
    scope: Scope<'_>,
) -> Condition {
    let of = |column: member::Column| Expr::col((member::Entity, column));
    let mut still = Query::select();
    still
        .expr(Expr::val(1))
        .from(customer::Entity)
        .and_where(
            Expr::col((customer::Entity, customer::Column::Id)).eq(of(member::Column::CustomerId)),
        )
        .cond_where(passes.clone());
    let leaving = Condition::all()
        .add(of(member::Column::SegmentId).is_in(leaves.iter().map(|id| id.0)))
        .add(Expr::exists(still).not());
    match whom {
        Whom::All => leaving,
        Whom::These(ids) => leaving.add(among(scope.backend, of(member::Column::CustomerId), ids)),
    }
}

fn into_members(entering: SelectStatement) -> Result<InsertStatement, DbErr> {
    let mut insert = Query::insert();
    let columns = [
        member::Column::Id,
        member::Column::SegmentId,
        member::Column::CustomerId,
        member::Column::SinceAt,
    ];
    let once = OnConflict::columns([member::Column::SegmentId, member::Column::CustomerId])
        .do_nothing()
        .to_owned();
    insert.into_table(member::Entity).columns(columns).on_conflict(once);
    insert.select_from(entering).map_err(|error| DbErr::Custom(error.to_string()))?;
    Ok(insert)
}

/// Finds out who belongs to a segment, silently; gives how many that are, of those that enter or of those that leave,
/// whichever are more.
async fn fill(
    txn: &impl ConnectionTrait,
    segment: &Compiled,
    scope: Scope<'_>,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let mut gone = members(leaving(segment, Whom::All, scope));
    gone.limit(SILENT);
    let mut delete = Query::delete();
    delete.from_table(member::Entity).and_where(Expr::col(member::Column::Id).in_subquery(gone));
    let left = txn.execute(&delete).await?.rows_affected();
    let entered = match entering(segment, Whom::All, scope, now) {
        Some(mut new) => {
            new.limit(SILENT);
            txn.execute(&into_members(new)?).await?.rows_affected()
        }
        None => 0,
    };
    Ok(std::cmp::max(left, entered))
}

/// The ids of members that meet a condition.
fn members(which: Condition) -> SelectStatement {
    let mut members = Query::select();
    members.column(member::Column::Id).from(member::Entity).cond_where(which);
    members
}

/// Lets customers enter and leave segments, and says so; gives how many that are, of those that enter or of those that
/// leave, whichever are more.
async fn turn(
    txn: &impl ConnectionTrait,
    segments: &[Compiled],
    whom: Whom<'_>,
    scope: Scope<'_>,
    causes: &Causes,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let limit = matches!(whom, Whom::All).then_some(BATCH);
    let leaves = segments
        .iter()
        .fold(Condition::any(), |any, segment| any.add(leaving(segment, whom, scope)));
    let by = Cause::Events(causes);
    let left = if segments.is_empty() { 0 } else { leave(txn, leaves, limit, by, now).await? };
    let all = segments.iter().filter_map(|segment| entering(segment, whom, scope, now));
    let entered = match all.reduce(|mut all, one| all.union(UnionType::All, one).take()) {
        Some(enters) => enter(txn, enters, limit, by, now).await?,
        None => 0,
    };
    Ok(std::cmp::max(left, entered))
}

/// Why customers enter and leave.
#[derive(Clone, Copy)]
pub(super) enum Cause<'a> {
    /// Something has happened to them.
    Events(&'a Causes),
    /// Somebody wants it.
    Somebody(Actor),
}

/// Lets the members that meet a condition leave, up to `limit`, and says so; gives how many.
pub(super) async fn leave(
    txn: &impl ConnectionTrait,
    which: Condition,
    limit: Option<u64>,
    cause: Cause<'_>,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let mut gone = members(which);
    if let Some(limit) = limit {
        gone.limit(limit);
    }
    let mut delete = Query::delete();
    delete
        .from_table(member::Entity)
        .and_where(Expr::col(member::Column::Id).in_subquery(gone))
        .returning(Query::returning().columns(WHO));
    let rows = txn.query_all(&delete).await?;
    say(txn, Kind::SegmentLeft, &rows, cause, now).await
}

/// Lets those enter whom a statement selects as members, up to `limit`, and says so; gives how many.
async fn enter(
    txn: &impl ConnectionTrait,
    mut members: SelectStatement,
    limit: Option<u64>,
    cause: Cause<'_>,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    if let Some(limit) = limit {
        members.limit(limit);
    }
    let mut insert = into_members(members)?;
    insert.returning(Query::returning().columns(WHO));
    let rows = txn.query_all(&insert).await?;
    say(txn, Kind::SegmentEntered, &rows, cause, now).await
}

/// Lets customers enter a list because somebody wants it, up to `limit`, and says so unless `silently`; gives how many.
pub(super) async fn put(
    txn: &impl ConnectionTrait,
    list: SegmentId,
    passes: Condition,
    (limit, silently): (u64, bool),
    scope: Scope<'_>,
    (actor, now): (Actor, DateTimeUtc),
) -> Result<u64, Error> {
    let passes = Compiled { enters: Some(list), leaves: Vec::new(), passes };
    let Some(mut members) = entering(&passes, Whom::All, scope, now) else { return Ok(0) };
    if silently {
        members.limit(limit);
        return Ok(txn.execute(&into_members(members)?).await?.rows_affected());
    }
    enter(txn, members, Some(limit), Cause::Somebody(actor), now).await
}

/// Which segment, and which customer.
const WHO: [member::Column; 2] = [member::Column::SegmentId, member::Column::CustomerId];

/// Writes down who has entered or left; gives how many.
async fn say(
    txn: &impl ConnectionTrait,
    kind: Kind,
    rows: &[QueryResult],
    cause: Cause<'_>,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        let segment: Uuid = row.try_get_by_index(0)?;
        let customer = CustomerId(row.try_get_by_index(1)?);
        let (workflow, depth, actor) = match cause {
            Cause::Events(causes) => {
                let (workflow, depth) = causes.get(&customer).copied().unwrap_or_default();
                (workflow, depth, Actor::System)
            }
            Cause::Somebody(actor) => (None, 0, actor),
        };
        events.push(event::ActiveModel {
            workflow_id: ActiveValue::Set(workflow),
            depth: ActiveValue::Set(depth),
            ..event::new(kind, segment, Some(customer), actor, now)
        });
    }
    for events in events.chunks(EVENTS) {
        event::Entity::insert_many(events.iter().cloned()).exec_without_returning(txn).await?;
    }
    Ok(rows.len() as u64)
}
