//! Where a customer is.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use entity::access::Permission;
use entity::customers::address::{self, Change, NewAddress};
use entity::customers::customer;
use entity::id::{AddressId, CustomerId};
use futures::FutureExt;

use crate::choice::choice;
use crate::context::{Can, Once, write};
use crate::error::Fault;
use crate::id::parse;
use crate::payload::{change, payload};

choice! {
    /// What an address is for.
    AddressKind mirrors "entity::customers::address::Kind" {
        /// It stands on invoices and receipts.
        Billing,
        /// Goods go there.
        Shipping,
    }
}

/// A postal address of a customer.
#[derive(Clone, Debug, InputObject)]
pub struct AddressInput {
    /// What it is for.
    #[graphql(default_with = "AddressKind::Billing")]
    pub kind: AddressKind,
    /// Street and house, building, ward: a line each, separated by line breaks.
    pub lines: String,
    /// Town or province.
    pub city: Option<String>,
    /// State or district.
    pub region: Option<String>,
    /// Postal code.
    pub postcode: Option<String>,
    /// ISO 3166-1 code of two letters, such as `VN`.
    pub country: Option<String>,
}

impl From<AddressInput> for NewAddress {
    fn from(input: AddressInput) -> Self {
        let AddressInput { kind, lines, city, region, postcode, country } = input;
        Self { kind: kind.into(), lines, city, region, postcode, country }
    }
}

/// A change of an address. What is absent stays; what is null is cleared.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateAddressInput {
    /// What it is for.
    pub kind: Option<AddressKind>,
    /// Street and house, building, ward: a line each, separated by line breaks.
    pub lines: Option<String>,
    /// Town or province.
    pub city: MaybeUndefined<String>,
    /// State or district.
    pub region: MaybeUndefined<String>,
    /// Postal code.
    pub postcode: MaybeUndefined<String>,
    /// ISO 3166-1 code of two letters, such as `VN`.
    pub country: MaybeUndefined<String>,
}

impl From<UpdateAddressInput> for Change {
    fn from(input: UpdateAddressInput) -> Self {
        Self {
            kind: input.kind.map(Into::into),
            lines: input.lines,
            city: change(input.city),
            region: change(input.region),
            postcode: change(input.postcode),
            country: change(input.country),
        }
    }
}

payload! {
    /// What came of adding an address.
    CreateAddressPayload {
        /// The new address; null when it was refused.
        address: address::Entity
    }
}

payload! {
    /// What came of changing an address.
    UpdateAddressPayload {
        /// The address as it is now; null when the change was refused.
        address: address::Entity
    }
}

payload! {
    /// What came of removing an address.
    DeleteAddressPayload {
        /// The customer whose it was; null when the removal was refused.
        customer: customer::Entity
    }
}

/// Changing addresses.
#[derive(Default)]
pub struct AddressMutation;

/// Changing addresses.
#[Object]
impl AddressMutation {
    /// Adds an address to a customer.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn create_address(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id.")] customer_id: ID,
        #[graphql(desc = "The address.")] input: AddressInput,
    ) -> Result<CreateAddressPayload, Fault> {
        let once = Once::new(None, "createAddress", &input).about(&customer_id);
        let once = once.within(Permission::WriteCustomers, &customer_id, &["customerId"]);
        let outcome = match parse::<CustomerId>(&customer_id, &["customerId"]) {
            Ok(customer) => {
                let new = NewAddress::from(input);
                write(ctx, once, move |txn, actor, now| {
                    let new = new.clone();
                    async move {
                        Ok(address::create(txn, customer, new, actor, now).await?.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(CreateAddressPayload::from(outcome))
    }

    /// Changes an address.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn update_address(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdateAddressInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<UpdateAddressPayload, Fault> {
        let once = Once::new(None, "updateAddress", &input).about(&id);
        let once = once.within(Permission::WriteCustomers, &id, &["id"]);
        let outcome = match parse::<AddressId>(&id, &["id"]) {
            Ok(id) => {
                let change = Change::from(input);
                write(ctx, once, move |txn, actor, now| {
                    let change = change.clone();
                    async move {
                        let row =
                            address::update(txn, id, change, expected_version, actor, now).await?;
                        Ok(row.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(UpdateAddressPayload::from(outcome))
    }

    /// Removes an address for good.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn delete_address(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address's id.")] id: ID,
        #[graphql(
            desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<DeleteAddressPayload, Fault> {
        let once = Once::new(None, "deleteAddress", &id);
        let once = once.within(Permission::WriteCustomers, &id, &["id"]);
        let outcome = match parse::<AddressId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, actor, now| {
                    async move {
                        let customer = address::delete(txn, id, expected_version, actor, now);
                        Ok(customer.await?.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(DeleteAddressPayload::from(outcome))
    }
}
