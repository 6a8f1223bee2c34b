//! Keeping up who belongs to segments: at once for customers to whom something has happened, and for all of them again and
//! again, since time passes and not everything that a filter compares is an event of the customer's.
//!
//! Invariant: two statements for a batch of customers and many segments. Who enters or leaves, and the event that says so,
//! is one transaction. An event has the cause and the depth of what made the customer change, so that workflows which
//! change customers in a circle come to an end.

use std::collections::HashMap;

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    ExprTrait, InsertStatement, LockBehavior, LockType, OnConflict, Query, SelectStatement,
    UnionType,
};
use sea_orm::{ActiveValue, Condition, QueryOrder, QuerySelect, QueryTrait};

use super::{Column, Entity, Model, member};
use crate::access::Actor;
use crate::automation::event::{self, Kind};
use crate::catalog::{Cataloged, Scope, among, condition};
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
    Expr::exists(Entity::find().filter(Column::LookAt.lte(now)).into_query())
}

/// What has made customers change: the workflow and the depth of the deepest event.
type Causes = HashMap<CustomerId, (Option<WorkflowId>, i32)>;

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
        .order_by_asc(Column::Id)
        .lock(LockType::KeyShare);
    let segments = kept_up.all(txn).await?;
    let customers = causes.keys().map(|id| id.0).collect::<Vec<_>>();
    let compiled = compiled(&segments, scope);
    for some in compiled.chunks(TOGETHER) {
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
    let compiled = compiled(std::slice::from_ref(&segment), scope);
    let mut filled_at = segment.filled_at;
    let mut is_whole = true;
    if let [one] = &compiled[..] {
        if filled_at.is_some() {
            is_whole = turn(txn, &compiled, Whom::All, scope, &Causes::new(), now).await? < BATCH;
        } else {
            is_whole = fill(txn, one, scope, now).await? < SILENT;
            filled_at = is_whole.then_some(now);
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
        .filter(Column::LookAt.lte(now))
        .order_by_asc(Column::LookAt)
        .order_by_asc(Column::Id)
        .lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked)
}

/// Whom it is looked at.
#[derive(Clone, Copy)]
enum Whom<'a> {
    /// All customers, a batch of those that enter or leave.
    All,
    /// These alone.
    These(&'a [Uuid]),
}

/// The segments whose filters can be carried out, with the customers that pass them.
fn compiled(segments: &[Model], scope: Scope<'_>) -> Vec<(SegmentId, Condition)> {
    let record = customer::Entity::record();
    let compile = |segment: &Model| {
        let passes = condition(record, &segment.filter, scope, "filter").ok()?;
        let passes = Condition::all()
            .add(passes)
            .add(record.visible(scope.viewer))
            .add(record.listed(&segment.filter));
        Some((segment.id, passes))
    };
    segments.iter().filter_map(compile).collect()
}

/// The customers who pass the filter of a segment and do not belong to it yet, as its members.
fn entering(
    (segment, passes): &(SegmentId, Condition),
    whom: Whom<'_>,
    scope: Scope<'_>,
    now: DateTimeUtc,
) -> SelectStatement {
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
    entering
}

/// Those that belong to a segment and do not pass its filter any more.
fn leaving(
    (segment, passes): &(SegmentId, Condition),
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
        .add(of(member::Column::SegmentId).eq(segment.0))
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
    segment: &(SegmentId, Condition),
    scope: Scope<'_>,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let mut gone = members(leaving(segment, Whom::All, scope));
    gone.limit(SILENT);
    let mut delete = Query::delete();
    delete.from_table(member::Entity).and_where(Expr::col(member::Column::Id).in_subquery(gone));
    let left = txn.execute(&delete).await?.rows_affected();
    let mut new = entering(segment, Whom::All, scope, now);
    new.limit(SILENT);
    let entered = txn.execute(&into_members(new)?).await?.rows_affected();
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
    segments: &[(SegmentId, Condition)],
    whom: Whom<'_>,
    scope: Scope<'_>,
    causes: &Causes,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let all = segments.iter().map(|segment| entering(segment, whom, scope, now));
    let Some(mut enters) = all.reduce(|mut all, one| all.union(UnionType::All, one).take()) else {
        return Ok(0);
    };
    let leaves = segments
        .iter()
        .fold(Condition::any(), |any, segment| any.add(leaving(segment, whom, scope)));
    let mut gone = members(leaves);
    if let Whom::All = whom {
        enters.limit(BATCH);
        gone.limit(BATCH);
    }
    let who = [member::Column::SegmentId, member::Column::CustomerId];
    let mut insert = into_members(enters)?;
    insert.returning(Query::returning().columns(who));
    let mut delete = Query::delete();
    delete
        .from_table(member::Entity)
        .and_where(Expr::col(member::Column::Id).in_subquery(gone))
        .returning(Query::returning().columns(who));
    let mut events = Vec::new();
    let mut most = 0;
    for (kind, rows) in [
        (Kind::SegmentLeft, txn.query_all(&delete).await?),
        (Kind::SegmentEntered, txn.query_all(&insert).await?),
    ] {
        most = std::cmp::max(most, rows.len() as u64);
        for row in rows {
            let segment: Uuid = row.try_get_by_index(0)?;
            let customer = CustomerId(row.try_get_by_index(1)?);
            let (workflow, depth) = causes.get(&customer).copied().unwrap_or_default();
            events.push(event::ActiveModel {
                workflow_id: ActiveValue::Set(workflow),
                depth: ActiveValue::Set(depth),
                ..event::new(kind, segment, Some(customer), Actor::System, now)
            });
        }
    }
    for events in events.chunks(EVENTS) {
        event::Entity::insert_many(events.iter().cloned()).exec_without_returning(txn).await?;
    }
    Ok(most)
}
