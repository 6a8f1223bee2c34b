//! Each sending of an event to an endpoint: planned with the event, tried for a day, and kept as a log.
//!
//! Invariant: what concerns one record reaches an endpoint in the order in which it happened, since a
//! delivery is not due before the earlier ones about its record are settled.

mod run;

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveEnum, DeriveActiveEnum, EnumIter, IntoActiveModel, QuerySelect};
use serde_json::json;

use super::{endpoint, payload};
use crate::access::Permission;
use crate::automation::{AutomationError, event};
use crate::catalog::catalog;
use crate::edit;
use crate::error::Error;
use crate::id::{CustomerId, EventId, Id, WebhookDeliveryId, WebhookEndpointId};

pub use run::{Outcome, due, lease, settle};

/// How long a delivery is tried.
const LIFETIME: TimeDelta = TimeDelta::days(1);

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
    /// The event's kind, such as `payment.recorded`, or `ping`, or `workflow.step` for what a step of a workflow sends.
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
    let is_wanted =
        |event: &&event::Model| endpoints.iter().any(|endpoint| endpoint.takes(event.kind));
    let wanted: Vec<_> = events.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let bodies = payload::bodies(txn, &wanted).await?;
    let mut rows = Vec::new();
    for (event, body) in wanted.into_iter().zip(bodies) {
        let kind = event.kind.to_value();
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.takes(event.kind)) {
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
/// [`Error::NoSuch`], `EndpointInactive`.
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
/// [`Error::NoSuch`], `StillOnItsWay`, `EndpointInactive`.
pub async fn redeliver(
    txn: &impl ConnectionTrait,
    id: WebhookDeliveryId,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let found = Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    let row = found.ok_or_else(|| Error::no_such::<Entity>().at(&["id"]))?;
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

pub(super) fn planned(
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
