//! Sending deliveries: which are due, who has them, and what came of an attempt.
//!
//! Invariant: what concerns one record reaches an endpoint in the order in which it happened, and only who
//! holds the latest lease writes anything of it.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    Alias, ExprTrait, LockBehavior, LockType, Query, SelectStatement, UnionType,
};
use sea_orm::{Condition, IntoActiveModel, QueryOrder, QuerySelect, QueryTrait};

use super::{Column, Entity, Model, State};
use crate::automation::event;
use crate::automation::lease::{Leased, is_free, next_fence};
use crate::automation::webhook::endpoint;
use crate::error::Error;
use crate::id::{WebhookDeliveryId, WebhookEndpointId};

/// How many deliveries an endpoint has on their way at once, so that a slow or dead one leaves the
/// couriers to the others.
const SHARE: u64 = 4;

/// The pauses after failed attempts, in seconds; the last one is repeated.
const PAUSES: [i64; 9] = [5, 30, 120, 600, 1_800, 3_600, 7_200, 10_800, 14_400];

/// The deliveries about the same record that come before one, and are not settled. Events sort as they
/// happened, whichever relay planned them.
fn earlier() -> SelectStatement {
    let earlier = Alias::new("earlier");
    let of = |column: Column| Expr::col((earlier.clone(), column));
    let own = |column: Column| Expr::col((Entity, column));
    let mut query = Query::select();
    query
        .expr(Expr::val(1))
        .from_as(Entity, earlier.clone())
        .and_where(of(Column::SubjectId).eq(own(Column::SubjectId)))
        .and_where(of(Column::EndpointId).eq(own(Column::EndpointId)))
        .and_where(of(Column::SettledAt).is_null())
        .and_where(of(Column::EventId).lt(own(Column::EventId)));
    query
}

/// The events about the same record that come before one's own, and for which nothing is planned yet.
fn unplanned() -> SelectStatement {
    let of = |column: event::Column| Expr::col((event::Entity, column));
    let own = |column: Column| Expr::col((Entity, column));
    let mut query = Query::select();
    query
        .expr(Expr::val(1))
        .from(event::Entity)
        .and_where(of(event::Column::SubjectId).eq(own(Column::SubjectId)))
        .and_where(of(event::Column::RelayedAt).is_null())
        .and_where(of(event::Column::Id).lt(own(Column::EventId)));
    query
}

/// The deliveries that may be sent, whether or not somebody has them.
fn is_due(now: DateTimeUtc) -> Condition {
    Condition::all()
        .add(Column::SettledAt.is_null())
        .add(Column::DueAt.lte(now))
        .add(Expr::exists(earlier()).not())
        .add(Expr::exists(unplanned()).not())
}

/// The ids of the first deliveries that are due to each endpoint, as many as its share leaves; nothing if
/// all of them have theirs.
async fn shared(
    txn: &impl ConnectionTrait,
    now: DateTimeUtc,
) -> Result<Option<SelectStatement>, DbErr> {
    let endpoints = endpoint::Entity::find().select_only().column(endpoint::Column::Id);
    let endpoints: Vec<WebhookEndpointId> = endpoints.into_tuple().all(txn).await?;
    let held = Entity::find()
        .select_only()
        .column(Column::EndpointId)
        .filter(Column::SettledAt.is_null())
        .filter(Column::LeaseUntil.gte(now));
    let held: Vec<WebhookEndpointId> = held.into_tuple().all(txn).await?;
    let mut parts = endpoints.into_iter().filter_map(|endpoint| {
        let held = held.iter().filter(|held| **held == endpoint).count();
        let room = SHARE.saturating_sub(u64::try_from(held).unwrap_or(SHARE));
        (room > 0).then(|| first(endpoint, room, now))
    });
    let Some(mut union) = parts.next() else { return Ok(None) };
    for part in parts {
        union.union(UnionType::All, part);
    }
    Ok(Some(union))
}

/// The ids of the first deliveries that are due to an endpoint and that nobody has.
fn first(endpoint: WebhookEndpointId, limit: u64, now: DateTimeUtc) -> SelectStatement {
    let page = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::EndpointId.eq(endpoint))
        .filter(is_due(now))
        .filter(is_free(Column::LeaseUntil, now))
        .order_by_asc(Column::DueAt)
        .order_by_asc(Column::Id)
        .limit(limit)
        .into_query();
    // SQLite takes no limit in a part of a union.
    let mut outer = Query::select();
    outer.column(Column::Id).from_subquery(page, Alias::new("page"));
    outer
}

/// How many deliveries are due, or on their way.
///
/// # Errors
/// The database.
pub async fn due(db: &impl ConnectionTrait, now: DateTimeUtc) -> Result<u64, DbErr> {
    use sea_orm::PaginatorTrait;
    Entity::find().filter(is_due(now)).count(db).await
}

/// Leases up to `limit` deliveries that are due and that nobody else has, with their endpoints; of each
/// endpoint no more than its share.
///
/// # Errors
/// The database.
pub async fn lease(
    txn: &impl ConnectionTrait,
    limit: u64,
    length: TimeDelta,
    now: DateTimeUtc,
) -> Result<Vec<(Model, endpoint::Model)>, Error> {
    let Some(shared) = shared(txn, now).await? else { return Ok(Vec::new()) };
    let ids: Vec<WebhookDeliveryId> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Id.in_subquery(shared))
        // Another courier may have taken one meanwhile, which is free no more when its lock is.
        .filter(Column::SettledAt.is_null())
        .filter(is_free(Column::LeaseUntil, now))
        .order_by_asc(Column::DueAt)
        .order_by_asc(Column::Id)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(txn)
        .await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let leased = Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::val(now + length))
        .col_expr(Column::Fence, next_fence())
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .filter(Column::Id.is_in(ids))
        .exec_with_returning(txn)
        .await?;
    let endpoints = leased.iter().map(|row| row.endpoint_id);
    let endpoints =
        endpoint::Entity::find().filter(endpoint::Column::Id.is_in(endpoints)).all(txn).await?;
    let known = |row: Model| {
        let endpoint = endpoints.iter().find(|endpoint| endpoint.id == row.endpoint_id)?.clone();
        Some((row, endpoint))
    };
    Ok(leased.into_iter().filter_map(known).collect())
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint took it, and answered with this status.
    Taken(u16),
    /// It did not: its status if it answered, and why in words.
    NotTaken(Option<u16>, String),
    /// It said that it is there no more.
    Gone(u16),
}

/// Writes down what came of an attempt, unless somebody else has the delivery by now. What fails is due
/// again later; after a day it is given up, and the endpoint is switched off.
///
/// # Errors
/// The database.
pub async fn settle(
    txn: &impl ConnectionTrait,
    leased: Leased<WebhookDeliveryId>,
    outcome: &Outcome,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let held = Entity::find_by_id(leased.id)
        .filter(Column::Fence.eq(leased.fence))
        .filter(Column::SettledAt.is_null())
        .lock_exclusive();
    let Some(row) = held.one(txn).await? else { return Ok(()) };
    let row = Model { lease_until: None, ..row };
    let (row, off) = match outcome {
        Outcome::Taken(status) => {
            let (state, status) = (State::Delivered, Some(i32::from(*status)));
            (Model { state, status, detail: None, settled_at: Some(now), ..row }, None)
        }
        Outcome::Gone(status) => {
            let detail = Some("the endpoint said that it is gone".to_owned());
            let (state, status) = (State::Failed, Some(i32::from(*status)));
            let off = "it said that it is gone (410)";
            (Model { state, status, detail, settled_at: Some(now), ..row }, Some(off))
        }
        Outcome::NotTaken(status, why) => {
            let status = status.map(i32::from);
            let row = Model { status, detail: Some(why.chars().take(200).collect()), ..row };
            let due_at = now + pause(row.attempts);
            if due_at < row.expires_at {
                (Model { due_at, ..row }, None)
            } else {
                let off = "it took nothing for a day";
                (Model { state: State::Failed, settled_at: Some(now), ..row }, Some(off))
            }
        }
    };
    let endpoint = row.endpoint_id;
    row.into_active_model().reset_all().update(txn).await?;
    match off {
        Some(reason) => endpoint::disable(txn, endpoint, reason, now).await,
        None => Ok(()),
    }
}

/// How long to wait after the attempt with the number.
fn pause(attempts: i32) -> TimeDelta {
    let index = usize::try_from(attempts - 1).unwrap_or_default().min(PAUSES.len() - 1);
    TimeDelta::seconds(PAUSES[index])
}
