//! Unsubscribing: what somebody says by the link in a message, without logging in.
//!
//! Invariant: what is said is a word of the consents like any other, with the message as its proof; saying it again writes
//! nothing.

use sea_orm::entity::prelude::*;

use super::consent::{self, Basis, NewConsent, Standing};
use crate::access::Actor;
use crate::automation::message;
use crate::customers::customer::{self, Channel};
use crate::error::Error;
use crate::id::{CustomerId, Id, MessageId};

/// What somebody gets on the channel of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Who.
    pub customer: CustomerId,
    /// The language that they read.
    pub language: String,
    /// The channel of the message.
    pub channel: Channel,
    /// What it was about, if it had a topic.
    pub topic: Option<String>,
    /// Whether they have unsubscribed from that.
    pub topic_ended: bool,
    /// Whether they have unsubscribed from all advertising on the channel.
    pub all_ended: bool,
}

/// What somebody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// They want nothing about the topic of the message any more; no advertising if it had none.
    NotThis,
    /// They want no advertising on the channel any more.
    Nothing,
    /// They want again what they have unsubscribed from.
    Again,
}

/// What who got a message gets; `None` when nobody knows any more who that was.
///
/// # Errors
/// The database.
pub async fn subscription(
    db: &impl ConnectionTrait,
    message: MessageId,
) -> Result<Option<Subscription>, DbErr> {
    let row = message::Entity::find_by_id(message).one(db).await?;
    let Some((id, message)) = row.and_then(|row| Some((row.customer_id?, row))) else {
        return Ok(None);
    };
    let known = customer::Entity::find_by_id(id).filter(customer::Column::AnonymisedAt.is_null());
    let Some(customer) = known.one(db).await? else { return Ok(None) };
    let words = consent::latest(db, &[id]).await?.remove(&id).unwrap_or_default();
    let ended = |topic: Option<&String>| {
        words.iter().any(|word| {
            word.channel == message.channel
                && word.topic.as_ref() == topic
                && word.standing == Standing::Withdrawn
        })
    };
    Ok(Some(Subscription {
        customer: id,
        language: customer.language,
        channel: message.channel,
        topic_ended: message.topic.is_some() && ended(message.topic.as_ref()),
        all_ended: ended(None),
        topic: message.topic,
    }))
}

/// Writes down what who got a message says, and gives what they get from then on; `None` as for [`subscription`].
///
/// # Errors
/// The database.
pub async fn say(
    txn: &impl ConnectionTrait,
    message: MessageId,
    said: Said,
    now: DateTimeUtc,
) -> Result<Option<Subscription>, Error> {
    let Some(Subscription { customer, .. }) = subscription(txn, message).await? else {
        return Ok(None);
    };
    // Two clicks at once are one after the other; a customer that is deleted may come back.
    customer::lock(txn, customer, None).await?;
    let Some(before) = subscription(txn, message).await? else { return Ok(None) };
    let topic = before.topic.clone();
    let words = match said {
        Said::NotThis if topic.is_none() => vec![(None, Standing::Withdrawn, before.all_ended)],
        Said::NotThis => vec![(topic, Standing::Withdrawn, before.topic_ended)],
        Said::Nothing => vec![(None, Standing::Withdrawn, before.all_ended)],
        Said::Again => vec![
            (topic, Standing::Given, !before.topic_ended),
            (None, Standing::Given, !before.all_ended),
        ],
    };
    let verb = match said {
        Said::NotThis | Said::Nothing => "unsubscribed",
        Said::Again => "subscribed again",
    };
    for (topic, standing, _) in words.into_iter().filter(|(_, _, is_so)| !is_so) {
        let new = NewConsent {
            customer: before.customer,
            channel: before.channel,
            topic,
            standing,
            basis: Basis::Consent,
            proof: format!("{verb} by the link in {}", message.global()),
            said_at: None,
        };
        consent::row(new, Actor::System, now)?.insert(txn).await?;
    }
    Ok(subscription(txn, message).await?)
}
