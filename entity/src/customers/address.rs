//! Where a customer is.

use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter};

use super::{customer, parse_text};
use crate::access::Permission;
use crate::catalog::catalog;
use crate::check::Check;
use crate::edit::edited;
use crate::error::Error;
use crate::id::{AddressId, CustomerId, UserId};
use crate::text;

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
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
    /// By whom.
    pub updated_by: Option<UserId>,
    /// Counts up with every change.
    pub version: i32,
}

catalog! {
    /// A postal address of a customer.
    Address of Entity, read by Permission::ReadCustomers,
        part of Column::CustomerId => customer::Entity, versioned by Column::Version;
    /// What it is for.
    kind: choice::<Kind>("AddressKind", Column::Kind).filtered(),
    /// Street and house, building, ward: a line each, separated by line breaks.
    lines: text(Column::Lines),
    /// Town or province; null when it is not known.
    city: text(Column::City).filtered(),
    /// State, district, or another system's region code; null when there is none.
    region: text(Column::Region).filtered(),
    /// Postal code; null when there is none.
    postcode: text(Column::Postcode).filtered(),
    /// ISO 3166-1 code of two letters; null when it is not known.
    country: text(Column::Country).filtered(),
}

edited!(
    AddressId, AddressCreated / AddressUpdated / AddressDeleted,
    {}, part of customer_id
);

impl Model {
    fn check(&mut self, check: &mut Check) {
        self.lines = text::clean_lines(&self.lines);
        check.put(parse_text("city", self.city.take(), 100), &mut self.city);
        check.put(parse_text("region", self.region.take(), 100), &mut self.region);
        check.put(parse_text("postcode", self.postcode.take(), 16), &mut self.postcode);
        check.put(parse_country(self.country.take()), &mut self.country);
    }

    /// Whether a letter can be addressed to it: it has a street or the like, and a town.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let lines = self.lines.lines().filter(|line| !line.trim().is_empty()).count();
        lines > 1 || lines == 1 && self.city.is_some()
    }

    /// The lines of a letter's address field, without the name.
    #[must_use]
    pub fn letter_lines(&self) -> Vec<String> {
        let place = [self.postcode.as_deref(), self.city.as_deref()];
        let place = place.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let rest = [Some(place), self.region.clone(), self.country.clone()];
        let lines = self.lines.lines().map(str::to_owned).chain(rest.into_iter().flatten());
        lines.filter(|line| !line.is_empty()).collect()
    }
}

/// The stored form of a country's code.
///
/// # Errors
/// `Invalid`.
pub fn parse_country(given: Option<String>) -> Result<Option<String>, Error> {
    let code = given.map(|code| code.trim().to_ascii_uppercase()).filter(|code| !code.is_empty());
    if code.as_ref().is_some_and(|code| !is_alpha_2(code)) {
        let message = "a country is an ISO 3166-1 code of two letters, such as VN";
        return Err(Error::invalid("country", message));
    }
    Ok(code)
}

fn is_alpha_2(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}
