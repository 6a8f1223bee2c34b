//! Where a customer is.

use async_graphql::InputObject;
use entity::customers::address::NewAddress;

use crate::choice::choice;

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
