//! Addresses to which nothing may go.

use async_graphql::{Context, ID, InputObject, Object};
use entity::access::Permission;
use entity::id::SuppressionId;
use entity::marketing::suppression;
use futures::FutureExt;

use crate::choice::choice;
use crate::context::{CanAll, Once, write};
use crate::customers::Channel;
use crate::error::Fault;
use crate::id::parse;
use crate::payload::payload;

choice! {
    /// Why nothing may go to an address.
    SuppressionCause mirrors "entity::marketing::suppression::Cause" {
        /// It does not exist: nothing at all goes there.
        HardBounced,
        /// Who has it has complained: nothing goes there that they need not get.
        Complained,
        /// Who has it wants no messages at all: nothing goes there that they need not get.
        UnsubAll,
        /// It is on a register of those who want no calls.
        DncRegister,
        /// It was on a list that was brought along.
        SuppressedImport,
    }
}

/// An address to which nothing may go.
#[derive(Clone, Debug, InputObject)]
pub struct SuppressAddressInput {
    /// On which channel: `EMAIL`, or `SMS`, `PHONE` and `FAX` for a number.
    pub channel: Channel,
    /// The address or number, whatever way it is written. Only a hash of it is kept.
    pub address: String,
    /// Why.
    pub cause: SuppressionCause,
    /// What else there is to say, up to 500 characters.
    pub detail: Option<String>,
}

payload! {
    /// What came of letting nothing go to an address, or something again.
    SuppressionPayload {
        /// The entry; null when it was refused.
        suppression: suppression::Entity
    }
}

/// Addresses to which nothing may go.
#[derive(Default)]
pub struct SuppressionMutation;

/// Addresses to which nothing may go.
#[Object]
impl SuppressionMutation {
    /// Lets nothing go to an address any more, what has not left yet included. Doing so again changes nothing.
    #[graphql(guard = "CanAll(Permission::WriteCustomers)")]
    async fn suppress_address(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address, and why.")] input: SuppressAddressInput,
    ) -> Result<SuppressionPayload, Fault> {
        let once = Once::new(None, "suppressAddress", &input);
        let outcome = write(ctx, once, move |txn, actor, now| {
            let SuppressAddressInput { channel, address, cause, detail } = input.clone();
            async move {
                let address = (channel.into(), address.as_str());
                let row = suppression::add(txn, address, cause.into(), detail, actor, now).await?;
                Ok(row.id.into())
            }
            .boxed()
        });
        outcome.await.map(Into::into)
    }

    /// Lets something go to an address again. Doing so again changes nothing.
    #[graphql(guard = "CanAll(Permission::WriteContactRules)")]
    async fn lift_suppression(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The entry's id.")] id: ID,
    ) -> Result<SuppressionPayload, Fault> {
        let once = Once::new(None, "liftSuppression", &id);
        let id = match parse::<SuppressionId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let outcome = write(ctx, once, move |txn, actor, now| {
            async move { Ok(suppression::lift(txn, id, actor, now).await?.id.into()) }.boxed()
        });
        outcome.await.map(Into::into)
    }
}
