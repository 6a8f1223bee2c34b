//! What customers have said of messages: that they want them, or not any more.
//!
//! Invariant: nothing of it is changed or removed; another word follows. The latest one on a channel and topic counts.

use std::collections::HashMap;

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter, QueryOrder};
use serde::{Deserialize, Serialize};

use crate::access::{Actor, Permission, user};
use crate::automation::gate::Word;
use crate::catalog::catalog;
use crate::check::Check;
use crate::customers::customer::{self, Channel};
use crate::customers::{parse_required, parse_text};
use crate::error::Error;
use crate::id::{ConsentId, CustomerId, Id, UserId};

/// Whether a customer wants messages.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Standing {
    /// They do.
    Given,
    /// They do not, or not any more.
    Withdrawn,
}

/// On what ground messages may be sent.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Basis {
    /// They have said so.
    Consent,
    /// They have bought, and hear of similar things.
    Existing,
}

/// A word of a customer.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "consent")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ConsentId,
    /// Whose.
    pub customer_id: CustomerId,
    /// On which channel.
    pub channel: Channel,
    /// About what; about everything when absent.
    pub topic: Option<String>,
    /// Whether they want it.
    pub standing: Standing,
    /// On what ground it may be sent.
    pub basis: Basis,
    /// How they were asked, or what they said: the proof.
    pub proof: String,
    /// When they said so.
    pub said_at: DateTimeUtc,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// What a customer has said of messages. The latest word on a channel and topic counts.
    Consent (consent, consents) of Entity, read by Permission::ReadCustomers,
        part of Column::CustomerId => customer::Entity;
    /// The id of whose it is.
    customer_id: uuid::<CustomerId>(Column::CustomerId).hidden(),
    /// The customer.
    customer: one::<customer::Entity>(Column::CustomerId),
    /// On which channel.
    channel: choice::<Channel>("Channel", Column::Channel).filtered().grouped(),
    /// About what, such as `newsletter`; null for everything on the channel.
    topic: text(Column::Topic).filtered().grouped(),
    /// Whether they want it.
    standing: choice::<Standing>("ConsentStanding", Column::Standing).filtered().grouped(),
    /// On what ground it may be sent.
    basis: choice::<Basis>("ConsentBasis", Column::Basis).filtered().grouped(),
    /// How they were asked, or what they said.
    proof: text(Column::Proof),
    /// When they said so.
    said_at: instant(Column::SaidAt).filtered().ordered(),
    /// When it was written down.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
    /// Who wrote it down; null when Rapport did.
    created_by: one::<user::Entity>(Column::CreatedBy),
}

/// A word to be written down.
#[derive(Clone, Debug)]
pub struct NewConsent {
    /// Whose.
    pub customer: CustomerId,
    /// On which channel.
    pub channel: Channel,
    /// About what; about everything when absent.
    pub topic: Option<String>,
    /// Whether they want it.
    pub standing: Standing,
    /// On what ground it may be sent.
    pub basis: Basis,
    /// How they were asked, or what they said.
    pub proof: String,
    /// When they said so; now when absent.
    pub said_at: Option<DateTimeUtc>,
}

/// Writes down what a customer has said.
///
/// # Errors
/// `Invalid` with everything that is wrong, [`Error::NoSuch`] for the customer.
pub async fn record(
    txn: &impl ConnectionTrait,
    new: NewConsent,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let customer = new.customer;
    let row = row(new, actor, now)?;
    customer::hold(txn, customer).await?;
    Ok(row.insert(txn).await?)
}

/// A word as it is written down.
///
/// # Errors
/// `Invalid` with everything that is wrong.
pub(super) fn row(new: NewConsent, actor: Actor, now: DateTimeUtc) -> Result<ActiveModel, Error> {
    let (mut topic, mut proof) = (None, String::new());
    let mut check = Check::default();
    check.put(parse_topic(new.topic), &mut topic);
    check.put(parse_required("proof", &new.proof, 2_000), &mut proof);
    let said_at = new.said_at.unwrap_or(now);
    check.that(said_at <= now, "saidAt", "this is in the future");
    check.end()?;
    Ok(ActiveModel {
        id: Set(ConsentId::new(now)),
        customer_id: Set(new.customer),
        channel: Set(new.channel),
        topic: Set(topic),
        standing: Set(new.standing),
        basis: Set(new.basis),
        proof: Set(proof),
        said_at: Set(said_at),
        created_at: Set(now),
        created_by: Set(actor.user()),
    })
}

/// A topic in its stored form: lower case, of up to 64 letters, digits, hyphens and underscores.
///
/// # Errors
/// `Invalid`.
pub fn parse_topic(given: Option<String>) -> Result<Option<String>, Error> {
    let topic = parse_text("topic", given, 64)?.map(|topic| topic.to_lowercase());
    let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    match topic.as_ref().is_none_or(|topic| topic.chars().all(plain)) {
        true => Ok(topic),
        false => Err(Error::invalid("topic", "up to 64 letters, digits, hyphens and underscores")),
    }
}

/// What customers have said, the latest word on each channel and topic.
pub(crate) async fn latest(
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
) -> Result<HashMap<CustomerId, Vec<Word>>, DbErr> {
    let said = Entity::find()
        .filter(Column::CustomerId.is_in(customers.iter().copied()))
        .order_by_desc(Column::SaidAt)
        .order_by_desc(Column::Id)
        .all(db)
        .await?;
    let mut latest = HashMap::<CustomerId, Vec<Word>>::new();
    for row in said {
        let words = latest.entry(row.customer_id).or_default();
        let is_older = |word: &Word| word.channel == row.channel && word.topic == row.topic;
        if !words.iter().any(is_older) {
            let Model { channel, topic, standing, basis, said_at: at, .. } = row;
            words.push(Word { channel, topic, standing, basis, at });
        }
    }
    Ok(latest)
}
