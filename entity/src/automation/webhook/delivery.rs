//! Each sending of an event to an endpoint: planned with the event, tried for a day, and kept as a log.
//!
//! Invariant: what concerns one record reaches an endpoint in the order in which it happened, since a
//! delivery is not due before the earlier ones about its record are settled.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    Alias, ExprTrait, LockBehavior, LockType, OnConflict, Query, SelectStatement, UnionType,
};
use sea_orm::{
    ActiveEnum, Condition, DeriveActiveEnum, EnumIter, IntoActiveModel, QueryOrder, QuerySelect,
    QueryTrait,
};
use serde_json::json;

use super::{endpoint, payload};
use crate::access::Permission;
use crate::automation::lease::{Leased, next_fence};
use crate::automation::{AutomationError, event};
use crate::catalog::catalog;
use crate::edit;
use crate::error::Error;
use crate::id::{CustomerId, EventId, Id, WebhookDeliveryId, WebhookEndpointId};

/// How many deliveries an endpoint has on their way at once, so that a slow or dead one leaves the
/// couriers to the others.
const SHARE: u64 = 4;

/// How long a delivery is tried.
const LIFETIME: TimeDelta = TimeDelta::days(1);

/// The pauses after failed attempts, in seconds; the last one is repeated.
const PAUSES: [i64; 9] = [5, 30, 120, 600, 1_800, 3_600, 7_200, 10_800, 14_400];

/// The kind of a delivery that only tries whether an endpoint takes anything.
const PING: &str = "ping";

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum State {
    /// It will be sent, again if it was before.
    Planned,
    /// The endpoint took it.
    Delivered,
    /// It was given up.
    Failed,
}

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_delivery")]
pub struct Model {
    /// Which; the same whenever it is sent.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WebhookDeliveryId,
    /// Where to.
    pub endpoint_id: WebhookEndpointId,
    /// What happened; nothing for a ping.
    pub event_id: Option<EventId>,
    /// The event's kind.
    pub kind: String,
    /// The record it is about.
    pub subject_id: Uuid,
    /// The customer it concerns, with whom it goes.
    pub customer_id: Option<CustomerId>,
    /// The exact bytes.
    #[sea_orm(column_type = "Text")]
    pub body: String,
    /// How far it has come.
    pub state: State,
    /// How often it was tried.
    pub attempts: i32,
    /// When it may be sent.
    pub due_at: DateTimeUtc,
    /// When it is given up.
    pub expires_at: DateTimeUtc,
    /// Until when a worker has it.
    pub lease_until: Option<DateTimeUtc>,
    /// The number of that lease.
    pub fence: i64,
    /// The HTTP status of the last answer.
    pub status: Option<i32>,
    /// Why the last attempt failed.
    pub detail: Option<String>,
    /// When its outcome was clear.
    pub settled_at: Option<DateTimeUtc>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
}

catalog! {
    /// The sending of an event to an endpoint.
    WebhookDelivery (webhookDelivery, webhookDeliveries) of Entity,
        read by Permission::ManageWebhooks;
    /// Its id, which is the header `webhook-id` whenever it is sent.
    id: id::<WebhookDeliveryId>().filtered(),
    /// Where to.
    endpoint: one::<endpoint::Entity>(Column::EndpointId),
    /// The event's kind, such as `payment.recorded`, or `ping`.
    kind: text(Column::Kind).filtered(),
    /// The exact text that is sent.
    body: text(Column::Body),
    /// How far it has come.
    state: choice::<State>("WebhookDeliveryState", Column::State).filtered(),
    /// How often it was tried.
    attempts: whole(Column::Attempts),
    /// When it may be sent, again if it was before.
    due_at: instant(Column::DueAt),
    /// The HTTP status of the last answer; null before there was one.
    status: whole(Column::Status).filtered(),
    /// Why the last attempt failed; null when none has. What the endpoint wrote is not kept.
    detail: text(Column::Detail),
    /// When its outcome was clear; null before that.
    settled_at: instant(Column::SettledAt).filtered(),
    /// When it was planned.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
}

/// Plans what has to be sent of events; what was planned already is left as it is.
///
/// # Errors
/// The database.
pub async fn plan(
    txn: &impl ConnectionTrait,
    events: &[event::Model],
    now: DateTimeUtc,
) -> Result<(), Error> {
    let endpoints =
        endpoint::Entity::find().filter(endpoint::Column::Active.eq(true)).all(txn).await?;
    let is_wanted = |event: &&event::Model| {
        let kind = event.kind.to_value();
        endpoints.iter().any(|endpoint| endpoint.takes(&kind))
    };
    let wanted: Vec<_> = events.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let bodies = payload::bodies(txn, &wanted).await?;
    let mut rows = Vec::new();
    for (event, body) in wanted.into_iter().zip(bodies) {
        let kind = event.kind.to_value();
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.takes(&kind)) {
            let row = planned(endpoint.id, &kind, event.subject_id, body.clone(), now);
            let (event_id, customer_id) = (Some(event.id), event.customer_id);
            rows.push(Model { event_id, customer_id, ..row }.into_active_model().reset_all());
        }
    }
    let once = OnConflict::columns([Column::EndpointId, Column::EventId]).do_nothing().to_owned();
    Entity::insert_many(rows).on_conflict(once).exec_without_returning(txn).await?;
    Ok(())
}

/// Plans a delivery that only tries whether an endpoint takes anything.
///
/// # Errors
/// `NoSuchEndpoint`, `EndpointInactive`.
pub async fn ping(
    txn: &impl ConnectionTrait,
    id: WebhookEndpointId,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let endpoint = active(txn, id).await?;
    let body = json!({
        "type": PING, "timestamp": now.to_rfc3339(), "data": { "endpointId": id.global() },
    });
    let row = planned(endpoint.id, PING, id.0, body.to_string(), now);
    Ok(row.into_active_model().reset_all().insert(txn).await?)
}

/// Sends a delivery again that was settled, whatever came of it.
///
/// # Errors
/// `NoSuchDelivery`, `StillOnItsWay`, `EndpointInactive`.
pub async fn redeliver(
    txn: &impl ConnectionTrait,
    id: WebhookDeliveryId,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let found = Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    let row = found.ok_or(AutomationError::NoSuchDelivery)?;
    active(txn, row.endpoint_id).await?;
    if row.settled_at.is_none() {
        return Err(AutomationError::DeliveryOnItsWay.into());
    }
    let row = Model {
        state: State::Planned,
        due_at: now,
        expires_at: now + LIFETIME,
        settled_at: None,
        attempts: 0,
        ..row
    };
    Ok(row.into_active_model().reset_all().update(txn).await?)
}

async fn active(
    txn: &impl ConnectionTrait,
    id: WebhookEndpointId,
) -> Result<endpoint::Model, Error> {
    let endpoint = edit::lock::<endpoint::Entity>(txn, id, None).await?;
    match endpoint.active {
        true => Ok(endpoint),
        false => Err(AutomationError::EndpointInactive.into()),
    }
}

fn planned(
    endpoint: WebhookEndpointId,
    kind: &str,
    subject: Uuid,
    body: String,
    now: DateTimeUtc,
) -> Model {
    Model {
        id: WebhookDeliveryId::new(now),
        endpoint_id: endpoint,
        event_id: None,
        kind: kind.to_owned(),
        subject_id: subject,
        customer_id: None,
        body,
        state: State::Planned,
        attempts: 0,
        due_at: now,
        expires_at: now + LIFETIME,
        lease_until: None,
        fence: 0,
        status: None,
        detail: None,
        settled_at: None,
        created_at: now,
    }
}

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
        .filter(Column::LeaseUntil.is_null().or(Column::LeaseUntil.lt(now)))
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
    // Another courier may have taken one meanwhile, which is free no more when its lock is.
    let free = Column::LeaseUntil.is_null().or(Column::LeaseUntil.lt(now));
    let ids: Vec<WebhookDeliveryId> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Id.in_subquery(shared))
        .filter(Column::SettledAt.is_null())
        .filter(free)
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

/// Gives up what waits for an endpoint that is switched off.
pub(super) async fn give_up(
    txn: &impl ConnectionTrait,
    endpoint: WebhookEndpointId,
    now: DateTimeUtc,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::State, Expr::val(State::Failed.to_value()))
        .col_expr(Column::Detail, Expr::val("the endpoint was switched off"))
        .col_expr(Column::SettledAt, Expr::val(now))
        .col_expr(Column::LeaseUntil, Expr::val(None::<DateTimeUtc>))
        .filter(Column::EndpointId.eq(endpoint))
        .filter(Column::SettledAt.is_null())
        .exec(txn)
        .await?;
    Ok(())
}
