//! Where a customer is.

use async_graphql::{ID, InputObject, Object};
use entity::customers::address::{self, NewAddress};

use crate::choice::choice;
use crate::id::global;

choice! {
    /// What an address is for.
    AddressKind mirrors address::Kind as "entity::customers::address::Kind" {
        /// It stands on invoices and receipts.
        Billing,
        /// Goods go there.
        Shipping,
    }
}

/// A postal address of a customer.
#[derive(Clone, Debug)]
pub struct Address(pub address::Model);

/// A postal address of a customer.
#[Object]
impl Address {
    /// Its id.
    async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// What it is for.
    async fn kind(&self) -> AddressKind {
        self.0.kind.into()
    }

    /// Street and house, building, ward: a line each, separated by line breaks.
    async fn lines(&self) -> &str {
        &self.0.lines
    }

    /// Town or province; null when it is not known.
    async fn city(&self) -> Option<&str> {
        self.0.city.as_deref()
    }

    /// State, district, or another system's region code; null when there is none.
    async fn region(&self) -> Option<&str> {
        self.0.region.as_deref()
    }

    /// Postal code; null when there is none.
    async fn postcode(&self) -> Option<&str> {
        self.0.postcode.as_deref()
    }

    /// ISO 3166-1 code of two letters; null when it is not known.
    async fn country(&self) -> Option<&str> {
        self.0.country.as_deref()
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
