//! Where a customer is.

use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter};

use crate::id::{AddressId, CustomerId, UserId};

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Kind {
    /// Stands on invoices and receipts.
    Billing,
    /// Where goods go.
    Shipping,
}

/// A postal address.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "address")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AddressId,
    /// Whose.
    pub customer_id: CustomerId,
    /// What for.
    pub kind: Kind,
    /// Street and house, building, ward: a line each.
    pub lines: String,
    /// Town or province.
    pub city: Option<String>,
    /// State, district, or another system's region code.
    pub region: Option<String>,
    /// Postal code.
    pub postcode: Option<String>,
    /// ISO 3166-1 alpha-2 code.
    pub country: Option<String>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The lines of a letter's address field, without the name.
    #[must_use]
    pub fn letter_lines(&self) -> Vec<String> {
        let place = [self.postcode.as_deref(), self.city.as_deref()];
        let place = place.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let rest = [Some(place), self.region.clone(), self.country.clone()];
        let lines = self
            .lines
            .lines()
            .map(str::to_owned)
            .chain(rest.into_iter().flatten());
        lines.filter(|line| !line.is_empty()).collect()
    }
}
