//! Deleting customers, taking that back, and removing them for good.

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::access::Permission;
use entity::customers::customer;
use entity::id::{CustomerId, Id};
use futures::FutureExt;

use crate::context::{Can, Once, write};
use crate::error::{Fault, UserError};
use crate::id::parse;
use crate::payload::payload;

payload! {
    /// What came of deleting a customer.
    DeleteCustomerPayload {
        /// The customer, which says since when it is deleted; null when that was refused.
        customer: customer::Entity
    }
}

payload! {
    /// What came of taking a deletion back.
    RestoreCustomerPayload {
        /// The customer, which is in lists again; null when that was refused.
        customer: customer::Entity
    }
}

/// What came of removing a customer for good.
#[derive(SimpleObject)]
pub struct PurgeCustomerPayload {
    /// The id that names nothing any more; null when the removal was refused.
    pub purged_id: Option<ID>,
    /// Why nothing was removed; empty on success.
    pub user_errors: Vec<UserError>,
}

/// Deleting customers.
#[derive(Default)]
pub struct CustomerRemovalMutation;

/// Deleting customers.
#[Object]
impl CustomerRemovalMutation {
    /// Deletes a customer: lists leave it out, and nothing can be invoiced to it. Its records stay, and
    /// `restoreCustomer` takes it back.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn delete_customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id.")] id: ID,
        #[graphql(
            desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<DeleteCustomerPayload, Fault> {
        let once = Once::new(None, "deleteCustomer", &id);
        let once = once.within(Permission::WriteCustomers, &id, &["id"]);
        let outcome = match parse::<CustomerId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, actor, now| {
                    async move {
                        let row = customer::delete(txn, id, expected_version, actor, now).await?;
                        Ok(row.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(DeleteCustomerPayload::from(outcome))
    }

    /// Takes the deletion of a customer back.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn restore_customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id.")] id: ID,
        #[graphql(
            desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<RestoreCustomerPayload, Fault> {
        let once = Once::new(None, "restoreCustomer", &id);
        let once = once.within(Permission::WriteCustomers, &id, &["id"]);
        let outcome = match parse::<CustomerId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, actor, now| {
                    async move {
                        let row = customer::restore(txn, id, expected_version, actor, now).await?;
                        Ok(row.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(RestoreCustomerPayload::from(outcome))
    }

    /// Removes a deleted customer for good, with its contacts, addresses and messages, and with what the audit
    /// log says was changed of them. Refused while it
    /// has invoices or payments, which have to be kept by law. Only administrators can, and nothing
    /// brings it back.
    #[graphql(guard = "Can(Permission::PurgeCustomers)")]
    async fn purge_customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id; it has to be deleted.")] id: ID,
        #[graphql(
            desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<PurgeCustomerPayload, Fault> {
        let once = Once::new(None, "purgeCustomer", &id);
        let once = once.within(Permission::PurgeCustomers, &id, &["id"]);
        let outcome = match parse::<CustomerId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, actor, now| {
                    async move {
                        customer::purge(txn, id, expected_version, actor, now).await?;
                        Ok(id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(match outcome {
            Ok(id) => {
                let purged_id = Some(ID(CustomerId(id).global()));
                PurgeCustomerPayload { purged_id, user_errors: Vec::new() }
            }
            Err(user_errors) => PurgeCustomerPayload { purged_id: None, user_errors },
        })
    }
}
