//! Where events are sent to.
//!
//! Invariant: nobody is sent events that are not public. A secret leaves the database for signing only. The one before it signs too, for a day after
//! it was replaced, so that a receiver can change over without losing anything.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveEnum, IntoActiveModel, Iterable};
use serde_json::Value;
use url::Url;

use super::delivery;
use crate::access::{Actor, Permission};
use crate::automation::event;
use crate::catalog::catalog;
use crate::edit::{edited, lock, save};
use crate::error::Error;
use crate::id::{Id, UserId, WebhookEndpointId};

/// How long the former secret signs too.
const OVERLAP: TimeDelta = TimeDelta::days(1);

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_endpoint")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WebhookEndpointId,
    /// Where events are posted to.
    pub url: String,
    /// The kinds of events; all when empty.
    pub kinds: Json,
    /// What deliveries are signed with.
    pub secret: String,
    /// What they were signed with before.
    pub previous_secret: Option<String>,
    /// Until when they are signed with that too.
    pub previous_until: Option<DateTimeUtc>,
    /// Whether anything is sent.
    pub active: bool,
    /// Why Rapport switched it off.
    pub disabled_reason: Option<String>,
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
    /// Where events are sent to.
    WebhookEndpoint (webhookEndpoint, webhookEndpoints) of Entity,
        read by Permission::ManageWebhooks, versioned by Column::Version;
    /// Where events are posted to.
    url: text(Column::Url).filtered(),
    /// The kinds of events that are sent, such as `["payment.recorded"]`; all when it is empty.
    kinds: json(Column::Kinds),
    /// Whether anything is sent.
    active: truth(Column::Active).filtered(),
    /// Why Rapport switched it off; null while it did not.
    disabled_reason: text(Column::DisabledReason),
    /// What was and will be sent.
    deliveries: many::<delivery::Entity>(delivery::Column::EndpointId),
    /// When it was added.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
}

/// A change of an endpoint; `None` keeps a field.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Where events are posted to.
    pub url: Option<String>,
    /// The kinds of events.
    pub kinds: Option<Vec<String>>,
    /// Whether anything is sent.
    pub active: Option<bool>,
}

/// Adds an endpoint, whose deliveries are signed with `secret`.
///
/// # Errors
/// `Invalid` for an address or a kind that there cannot be.
pub async fn create(
    txn: &impl ConnectionTrait,
    url: &str,
    kinds: &[String],
    secret: String,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = Model {
        id: WebhookEndpointId::new(now),
        url: parse_url(url)?,
        kinds: parse_kinds(kinds)?,
        secret,
        previous_secret: None,
        previous_until: None,
        active: true,
        disabled_reason: None,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    Ok(row.into_active_model().reset_all().insert(txn).await?)
}

/// Changes an endpoint, if it still has `expected_version` (where one is given). What waits for an
/// endpoint that is switched off is given up.
///
/// # Errors
/// [`Error::NoSuch`], [`Error::StaleVersion`], `Invalid`.
pub async fn update(
    txn: &impl ConnectionTrait,
    id: WebhookEndpointId,
    change: Change,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock::<Entity>(txn, id, expected_version).await?;
    if let Some(url) = change.url {
        row.url = parse_url(&url)?;
    }
    if let Some(kinds) = change.kinds {
        row.kinds = parse_kinds(&kinds)?;
    }
    if let Some(active) = change.active {
        row.active = active;
        row.disabled_reason = None;
        if !active {
            delivery::give_up(txn, id, now).await?;
        }
    }
    save::<Entity>(txn, row, actor, now).await
}

/// Signs with another secret from now on, and with the present one too for a day.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn rotate(
    txn: &impl ConnectionTrait,
    id: WebhookEndpointId,
    secret: String,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock::<Entity>(txn, id, None).await?;
    row.previous_secret = Some(std::mem::replace(&mut row.secret, secret));
    row.previous_until = Some(now + OVERLAP);
    save::<Entity>(txn, row, actor, now).await
}

/// Switches an endpoint off that does not take what it is sent.
///
/// # Errors
/// The database.
pub(super) async fn disable(
    txn: &impl ConnectionTrait,
    id: WebhookEndpointId,
    reason: &str,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let mut row = lock::<Entity>(txn, id, None).await?;
    row.active = false;
    row.disabled_reason = Some(reason.to_owned());
    save::<Entity>(txn, row, Actor::System, now).await?;
    delivery::give_up(txn, id, now).await
}

impl Model {
    /// Whether events of the kind are sent to it.
    #[must_use]
    pub fn takes(&self, kind: event::Kind) -> bool {
        let kinds = self.kinds.as_array().map(Vec::as_slice).unwrap_or_default();
        let is_wanted = || kinds.iter().any(|wanted| *wanted == kind.to_value());
        kind.is_public() && (kinds.is_empty() || is_wanted())
    }

    /// What a delivery is signed with at `now`.
    #[must_use]
    pub fn secrets(&self, now: DateTimeUtc) -> Vec<&str> {
        let previous = self.previous_secret.as_deref();
        let previous = previous.filter(|_| self.previous_until.is_some_and(|until| now < until));
        std::iter::once(self.secret.as_str()).chain(previous).collect()
    }
}

fn parse_url(given: &str) -> Result<String, Error> {
    let refused = |message: &str| Error::invalid("url", message);
    let url = Url::parse(given.trim())
        .map_err(|_| refused("write a whole address, such as https://example.com/hooks"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return Err(refused("an address begins with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("an address has no user and password; check the signature instead"));
    }
    let url = url.to_string();
    if url.len() > 2_000 {
        return Err(refused("an address has at most 2000 characters"));
    }
    Ok(url)
}

fn parse_kinds(given: &[String]) -> Result<Json, Error> {
    let known = event::Kind::iter().filter(|kind| kind.is_public());
    let known: Vec<_> = known.map(|kind| kind.to_value()).collect();
    if let Some(unknown) = given.iter().find(|kind| !known.contains(kind)) {
        let message =
            format!("there are no events of the kind {unknown}; choose from {}", known.join(", "));
        return Err(Error::invalid("kinds", message));
    }
    Ok(Value::from(given.to_vec()))
}
