//! Sharing single customers with users and teams.

use async_graphql::{Context, ID, InputObject, Object, OneofObject};
use entity::access::Permission;
use entity::access::share::{self, With};
use entity::catalog::Cataloged;
use entity::customers::customer;
use entity::id::{CustomerId, ShareId};
use futures::FutureExt;

use crate::context::{Can, Once, write};
use crate::error::{Fault, UserError};
use crate::id::parse;
use crate::payload::{DeletedPayload, payload};

/// With whom a customer is shared: exactly one of these.
#[derive(Clone, Debug, OneofObject)]
pub enum ShareWith {
    /// With a user.
    UserId(ID),
    /// With all who are in a team.
    TeamId(ID),
}

/// A customer that is to be shared.
#[derive(Clone, Debug, InputObject)]
pub struct ShareCustomerInput {
    /// The customer, with all that hangs on it.
    pub customer_id: ID,
    /// With whom.
    pub with: ShareWith,
    /// Whether they may change it too, where their role lets them change customers.
    #[graphql(default)]
    pub writable: bool,
}

impl ShareCustomerInput {
    fn parse(&self) -> Result<(CustomerId, With), Vec<UserError>> {
        let with = match &self.with {
            ShareWith::UserId(id) => With::User(parse(id, &["input", "with", "userId"])?),
            ShareWith::TeamId(id) => With::Team(parse(id, &["input", "with", "teamId"])?),
        };
        Ok((parse(&self.customer_id, &["input", "customerId"])?, with))
    }
}

payload! {
    /// What came of sharing a customer.
    ShareCustomerPayload {
        /// The share; null when it was refused.
        share: share::Entity
    }
}

/// Sharing customers.
#[derive(Default)]
pub struct ShareMutation;

/// Sharing customers.
#[Object]
impl ShareMutation {
    /// Lets a user or a team see a customer, or change it, which they could not by the scope of their role.
    /// Sharing it again changes whether they may change it.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn share_customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which customer, and with whom.")] input: ShareCustomerInput,
    ) -> Result<ShareCustomerPayload, Fault> {
        let path = &["input", "customerId"];
        let once = Once::new(None, "shareCustomer", &input);
        let once = once.within(Permission::WriteCustomers, &input.customer_id, path);
        let (customer_id, with) = match input.parse() {
            Ok(parsed) => parsed,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let outcome = write(ctx, once, move |txn, actor, now| {
            async move {
                customer::get(txn, customer_id).await?;
                let record = (customer::Entity::record(), customer_id.0);
                let row = share::create(txn, record, with, input.writable, actor, now).await?;
                Ok(row.id.into())
            }
            .boxed()
        });
        outcome.await.map(ShareCustomerPayload::from)
    }

    /// Ends the sharing of a customer.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn unshare_customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id.")] customer_id: ID,
        #[graphql(desc = "The share's id.")] share_id: ID,
    ) -> Result<DeletedPayload, Fault> {
        let once = Once::new(None, "unshareCustomer", &share_id).about(&customer_id);
        let once = once.within(Permission::WriteCustomers, &customer_id, &["customerId"]);
        let parsed = parse::<CustomerId>(&customer_id, &["customerId"])
            .and_then(|customer| Ok((customer, parse::<ShareId>(&share_id, &["shareId"])?)));
        let (customer, share) = match parsed {
            Ok(parsed) => parsed,
            Err(errors) => return Ok(DeletedPayload::refused(errors)),
        };
        let outcome = write(ctx, once, move |txn, _, _| {
            async move { share::delete(txn, customer.0, share).await.map(|()| share.into()) }
                .boxed()
        });
        Ok(DeletedPayload::new(share_id, outcome.await?))
    }
}
