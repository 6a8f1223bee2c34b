//! Creating and changing customers.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use entity::access::Permission;
use entity::customers::customer::{self, Change, NewCustomer};
use entity::id::{CustomerId, Id, UserId};
use futures::FutureExt;
use uuid::Uuid;

use super::{Channel, CustomerKind, LifecycleStage};
use crate::context::{Ask, Can, Once, write};
use crate::customers::{AddressInput, ContactInput, CustomFieldInput};
use crate::error::{Fault, UserError};
use crate::id::parse;
use crate::payload::{change, payload};
use crate::scalar::CurrencyCode;

/// A customer to be. What is absent follows the organisation's settings or stays empty.
#[derive(Clone, Debug, InputObject)]
pub struct CreateCustomerInput {
    /// The number that people and other systems know it by, up to 64 characters; unique.
    pub number: Option<String>,
    /// What kind of party it is.
    pub kind: CustomerKind,
    /// How far the relation has come.
    #[graphql(default_with = "LifecycleStage::Prospect")]
    pub stage: LifecycleStage,
    /// What it is called, up to 200 characters.
    pub display_name: String,
    /// The user who looks after it.
    pub owner_id: Option<ID>,
    /// How it likes to be reached.
    pub preferred_channel: Option<Channel>,
    /// Where mail reaches it.
    pub email: Option<String>,
    /// Where calls reach it.
    pub phone: Option<String>,
    /// Its tax number, as documents show it.
    pub tax_number: Option<String>,
    /// The language it is written to in, as a tag such as `vi` or `en-GB`.
    pub language: Option<String>,
    /// The IANA time zone it lives in, such as `Asia/Ho_Chi_Minh`.
    pub time_zone: Option<String>,
    /// The currency it is usually invoiced in.
    pub currency: Option<CurrencyCode>,
    /// The people to talk to there.
    #[graphql(default, validator(max_items = 50))]
    pub contacts: Vec<ContactInput>,
    /// Where it is.
    #[graphql(default, validator(max_items = 20))]
    pub addresses: Vec<AddressInput>,
    /// Values of custom fields.
    #[graphql(default, validator(max_items = 100))]
    pub custom_fields: Vec<CustomFieldInput>,
}

impl CreateCustomerInput {
    fn parse(self) -> Result<NewCustomer, Vec<UserError>> {
        Ok(NewCustomer {
            number: self.number,
            kind: self.kind.into(),
            stage: self.stage.into(),
            display_name: self.display_name,
            owner_id: self.owner_id.map(|id| parse(&id, &["input", "ownerId"])).transpose()?,
            preferred_channel: self.preferred_channel.map(Into::into),
            email: self.email,
            phone: self.phone,
            tax_number: self.tax_number,
            language: self.language,
            time_zone: self.time_zone,
            currency: self.currency.map(|code| code.0),
            contacts: self.contacts.into_iter().map(ContactInput::row).collect::<Result<_, _>>()?,
            addresses: self
                .addresses
                .into_iter()
                .map(AddressInput::row)
                .collect::<Result<_, _>>()?,
            custom: self.custom_fields.into_iter().map(Into::into).collect(),
        })
    }
}

/// A change of a customer. What is absent stays; what is null is cleared.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateCustomerInput {
    /// The number that people and other systems know it by, up to 64 characters; unique.
    pub number: MaybeUndefined<String>,
    /// What kind of party it is.
    pub kind: Option<CustomerKind>,
    /// How far the relation has come.
    pub stage: Option<LifecycleStage>,
    /// What it is called, up to 200 characters.
    pub display_name: Option<String>,
    /// The user who looks after it.
    pub owner_id: MaybeUndefined<ID>,
    /// How it likes to be reached.
    pub preferred_channel: MaybeUndefined<Channel>,
    /// Where mail reaches it.
    pub email: MaybeUndefined<String>,
    /// Where calls reach it.
    pub phone: MaybeUndefined<String>,
    /// Its tax number, as documents show it.
    pub tax_number: MaybeUndefined<String>,
    /// The language it is written to in, as a tag such as `vi` or `en-GB`.
    pub language: Option<String>,
    /// The IANA time zone it lives in, such as `Asia/Ho_Chi_Minh`.
    pub time_zone: Option<String>,
    /// The currency it is usually invoiced in; fixed once something was posted for it.
    pub currency: Option<CurrencyCode>,
    /// Values of custom fields; those that are not named stay.
    #[graphql(default, validator(max_items = 100))]
    pub custom_fields: Vec<CustomFieldInput>,
}

impl UpdateCustomerInput {
    /// What it means; an owner whose id cannot be read is one that there is not.
    pub(super) fn parse(self) -> Change {
        let owner = |id: ID| UserId::parse(&id).unwrap_or(UserId(Uuid::nil()));
        Change {
            number: change(self.number),
            kind: self.kind.map(Into::into),
            stage: self.stage.map(Into::into),
            display_name: self.display_name,
            owner_id: change(self.owner_id).map(|set| set.map(owner)),
            preferred_channel: change(self.preferred_channel).map(|set| set.map(Into::into)),
            email: change(self.email),
            phone: change(self.phone),
            tax_number: change(self.tax_number),
            language: self.language,
            time_zone: self.time_zone,
            currency: self.currency.map(|code| code.0),
            custom: self.custom_fields.into_iter().map(Into::into).collect(),
        }
    }
}

payload! {
    /// What came of creating a customer.
    CreateCustomerPayload {
        /// The new customer; null when it was refused.
        customer: customer::Entity
    }
}

payload! {
    /// What came of changing a customer.
    UpdateCustomerPayload {
        /// The customer as it is now; null when the change was refused.
        customer: customer::Entity
    }
}

/// Changing customers.
#[derive(Default)]
pub struct CustomerMutation;

/// Changing customers.
#[Object]
impl CustomerMutation {
    /// Adds a customer.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn create_customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer.")] input: CreateCustomerInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's customer."
        )]
        idempotency_key: Option<String>,
    ) -> Result<CreateCustomerPayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "createCustomer", &input);
        let viewer = ctx.viewer()?;
        let outcome = match input.parse() {
            Ok(new) => {
                write(ctx, once, move |txn, actor, now| {
                    let new = new.clone().within(&viewer);
                    async move {
                        let new = new?;
                        let row = customer::create(txn, new, actor, now).await?;
                        Ok(row.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(CreateCustomerPayload::from(outcome))
    }

    /// Changes a customer.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn update_customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdateCustomerInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<UpdateCustomerPayload, Fault> {
        let once = Once::new(None, "updateCustomer", &input).about(&id);
        let once = once.within(Permission::WriteCustomers, &id, &["id"]);
        let viewer = ctx.viewer()?;
        let outcome = match parse::<CustomerId>(&id, &["id"]) {
            Ok(id) => {
                let change = input.parse();
                write(ctx, once, move |txn, _, now| {
                    let (change, viewer) = (change.clone(), viewer.clone());
                    async move {
                        let row = customer::update(txn, id, change, expected_version, &viewer, now);
                        Ok(row.await?.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(UpdateCustomerPayload::from(outcome))
    }
}
