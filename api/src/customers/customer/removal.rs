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

payload! {
    /// What came of anonymising a customer.
    AnonymiseCustomerPayload {
        /// The customer, of which nobody knows any more who it is; null when that was refused.
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

    /// Removes for good all that says who a deleted customer is: its names, addresses, numbers and custom fields,
    /// its contacts, notes and documents, to whom messages went and what they said, what webhooks were sent, what
    /// the audit log says was changed of all that, and the files that lists were exported to, which can be asked
    /// for again. It is for customers that `purgeCustomer` refuses: invoices, credit notes, payments and receipts
    /// have to be kept by law (GDPR, article 17(3)(b)), and so they stay as they are, with their lines, references
    /// and what is filed with them; the mails by which receipts were sent stay too, but not where anybody sees
    /// them. The customer stays deleted, as `Anonymised cus_…`; nothing is written about it and nothing is sent to
    /// it any more. Files that were imported, and what jobs were asked with, are of many people and are forgotten
    /// after 30 days. Refused while an invoice is open or money is not allocated, since claims need a name. Only
    /// administrators can, the audit log says who did, and nothing takes it back.
    #[graphql(guard = "Can(Permission::PurgeCustomers)")]
    async fn anonymise_customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id; it has to be deleted.")] id: ID,
        #[graphql(
            desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<AnonymiseCustomerPayload, Fault> {
        let once = Once::new(None, "anonymiseCustomer", &id);
        let once = once.within(Permission::PurgeCustomers, &id, &["id"]);
        let outcome = match parse::<CustomerId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, actor, now| {
                    async move {
                        let row =
                            customer::anonymise(txn, id, expected_version, actor, now).await?;
                        Ok(row.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(AnonymiseCustomerPayload::from(outcome))
    }

    /// Removes a deleted customer for good, with its contacts, addresses and messages, with what the audit log
    /// says was changed of them, and with the files that lists were exported to. Refused while it has invoices or
    /// payments, which have to be kept by law; `anonymiseCustomer` removes all else then. Only administrators can,
    /// and nothing brings it back.
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
