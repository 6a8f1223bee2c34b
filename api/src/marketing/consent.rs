//! What customers have said of messages.

use async_graphql::{Context, ID, InputObject, Object};
use chrono::{DateTime, Utc};
use entity::access::Permission;
use entity::id::CustomerId;
use entity::marketing::consent::{self, NewConsent};
use futures::FutureExt;

use crate::choice::choice;
use crate::context::{Can, Once, write};
use crate::customers::Channel;
use crate::error::Fault;
use crate::id::parse;
use crate::payload::payload;

choice! {
    /// Whether a customer wants messages.
    ConsentStanding mirrors "entity::marketing::consent::Standing" {
        /// They do.
        Given,
        /// They do not, or not any more.
        Withdrawn,
    }
}

choice! {
    /// On what ground messages may be sent.
    ConsentBasis mirrors "entity::marketing::consent::Basis" {
        /// They have said so.
        Consent,
        /// They have bought, and hear of similar things.
        Existing,
    }
}

/// What a customer has said of messages.
#[derive(Clone, Debug, InputObject)]
pub struct RecordConsentInput {
    /// On which channel.
    pub channel: Channel,
    /// About what, such as `newsletter`: up to 64 letters, digits, hyphens and underscores. About everything on the
    /// channel when absent.
    pub topic: Option<String>,
    /// Whether they want it.
    pub standing: ConsentStanding,
    /// On what ground it may be sent.
    #[graphql(default_with = "ConsentBasis::Consent")]
    pub basis: ConsentBasis,
    /// How they were asked, or what they said: the proof, up to 2000 characters.
    pub proof: String,
    /// When they said so; now when absent.
    pub said_at: Option<DateTime<Utc>>,
}

payload! {
    /// What came of writing down what a customer has said.
    RecordConsentPayload {
        /// What was written down; null when it was refused.
        consent: consent::Entity
    }
}

/// What customers have said of messages.
#[derive(Default)]
pub struct ConsentMutation;

/// What customers have said of messages.
#[Object]
impl ConsentMutation {
    /// Writes down what a customer has said of messages. The latest word on a channel and topic counts, at once.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn record_consent(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id.")] customer_id: ID,
        #[graphql(desc = "What they have said.")] input: RecordConsentInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives what the first one has written down."
        )]
        idempotency_key: Option<String>,
    ) -> Result<RecordConsentPayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "recordConsent", &input)
            .about(&customer_id)
            .within(Permission::WriteCustomers, &customer_id, &["customerId"]);
        let customer = match parse::<CustomerId>(&customer_id, &["customerId"]) {
            Ok(customer) => customer,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let new = NewConsent {
            customer,
            channel: input.channel.into(),
            topic: input.topic,
            standing: input.standing.into(),
            basis: input.basis.into(),
            proof: input.proof,
            said_at: input.said_at,
        };
        let outcome = write(ctx, once, move |txn, actor, now| {
            let new = new.clone();
            async move { Ok(consent::record(txn, new, actor, now).await?.id.into()) }.boxed()
        });
        outcome.await.map(Into::into)
    }
}
