//! The people to talk to at a customer.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use entity::access::Permission;
use entity::customers::contact::{self, Change, NewContact};
use entity::customers::customer;
use entity::id::{ContactId, CustomerId};
use futures::FutureExt;

use crate::context::{Can, Once, write};
use crate::error::Fault;
use crate::id::parse;
use crate::payload::{change, payload};

/// A person to talk to at a customer.
#[derive(Clone, Debug, InputObject)]
pub struct ContactInput {
    /// What they are called.
    pub name: String,
    /// What they do there.
    pub role: Option<String>,
    /// Where mail reaches them.
    pub email: Option<String>,
    /// Where calls reach them.
    pub phone: Option<String>,
    /// Whether receipts and statements go to them instead of the customer's own address.
    #[graphql(default)]
    pub billing: bool,
}

impl From<ContactInput> for NewContact {
    fn from(input: ContactInput) -> Self {
        let ContactInput { name, role, email, phone, billing } = input;
        Self { name, role, email, phone, billing }
    }
}

/// A change of a contact. What is absent stays; what is null is cleared.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateContactInput {
    /// What they are called, up to 200 characters.
    pub name: Option<String>,
    /// What they do there.
    pub role: MaybeUndefined<String>,
    /// Where mail reaches them.
    pub email: MaybeUndefined<String>,
    /// Where calls reach them.
    pub phone: MaybeUndefined<String>,
    /// Whether receipts and statements go to them instead of the customer's own address.
    pub billing: Option<bool>,
}

impl From<UpdateContactInput> for Change {
    fn from(input: UpdateContactInput) -> Self {
        Self {
            name: input.name,
            role: change(input.role),
            email: change(input.email),
            phone: change(input.phone),
            billing: input.billing,
        }
    }
}

payload! {
    /// What came of adding a contact.
    CreateContactPayload {
        /// The new contact; null when it was refused.
        contact: contact::Entity
    }
}

payload! {
    /// What came of changing a contact.
    UpdateContactPayload {
        /// The contact as it is now; null when the change was refused.
        contact: contact::Entity
    }
}

payload! {
    /// What came of removing a contact.
    DeleteContactPayload {
        /// The customer whose it was; null when the removal was refused.
        customer: customer::Entity
    }
}

/// Changing contacts.
#[derive(Default)]
pub struct ContactMutation;

/// Changing contacts.
#[Object]
impl ContactMutation {
    /// Adds a contact to a customer.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn create_contact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id.")] customer_id: ID,
        #[graphql(desc = "The contact.")] input: ContactInput,
    ) -> Result<CreateContactPayload, Fault> {
        let once = Once::new(None, "createContact", &input).about(&customer_id);
        let once = once.within(Permission::WriteCustomers, &customer_id, &["customerId"]);
        let outcome = match parse::<CustomerId>(&customer_id, &["customerId"]) {
            Ok(customer) => {
                let new = NewContact::from(input);
                write(ctx, once, move |txn, actor, now| {
                    let new = new.clone();
                    async move {
                        Ok(contact::create(txn, customer, new, actor, now).await?.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(CreateContactPayload::from(outcome))
    }

    /// Changes a contact.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn update_contact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contact's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdateContactInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<UpdateContactPayload, Fault> {
        let once = Once::new(None, "updateContact", &input).about(&id);
        let once = once.within(Permission::WriteCustomers, &id, &["id"]);
        let outcome = match parse::<ContactId>(&id, &["id"]) {
            Ok(id) => {
                let change = Change::from(input);
                write(ctx, once, move |txn, actor, now| {
                    let change = change.clone();
                    async move {
                        let row =
                            contact::update(txn, id, change, expected_version, actor, now).await?;
                        Ok(row.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(UpdateContactPayload::from(outcome))
    }

    /// Removes a contact for good.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn delete_contact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contact's id.")] id: ID,
        #[graphql(
            desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<DeleteContactPayload, Fault> {
        let once = Once::new(None, "deleteContact", &id);
        let once = once.within(Permission::WriteCustomers, &id, &["id"]);
        let outcome = match parse::<ContactId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, actor, now| {
                    async move {
                        let customer = contact::delete(txn, id, expected_version, actor, now);
                        Ok(customer.await?.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(DeleteContactPayload::from(outcome))
    }
}
