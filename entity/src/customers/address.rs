//! Where a customer is.

use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter, IntoActiveModel, QuerySelect};

use super::{CustomersError, customer, parse_text};
use crate::access::{Actor, Permission};
use crate::automation::event;
use crate::catalog::catalog;
use crate::error::Error;
use crate::id::{AddressId, CustomerId, Id, UserId};
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

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

catalog! {
    /// A postal address of a customer.
    Address of Entity, read by Permission::ReadCustomers,
        part of Column::CustomerId => customer::Entity;
    /// Its id.
    id: id::<AddressId>().filtered(),
    /// Counts up with every change; give it back as `expectedVersion`.
    version: whole(Column::Version),
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

impl Model {
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

/// An address to be.
#[derive(Clone, Debug)]
pub struct NewAddress {
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
}

/// A change of an address. The outer `None` keeps a field, an inner `None` clears it.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What for.
    pub kind: Option<Kind>,
    /// Street and house, building, ward: a line each.
    pub lines: Option<String>,
    /// Town or province.
    pub city: Option<Option<String>>,
    /// State, district, or another system's region code.
    pub region: Option<Option<String>>,
    /// Postal code.
    pub postcode: Option<Option<String>>,
    /// ISO 3166-1 alpha-2 code.
    pub country: Option<Option<String>>,
}

/// What the fields of an address are called where they are refused: city, region, postcode, country.
type Names = [&'static str; 4];

/// The fields of an address that is given by itself.
const OWN: Names = ["city", "region", "postcode", "country"];

impl NewAddress {
    fn model(
        self,
        customer_id: CustomerId,
        [city, region, postcode, country]: Names,
        actor: Actor,
        now: DateTimeUtc,
    ) -> Result<Model, Error> {
        Ok(Model {
            id: AddressId::new(now),
            customer_id,
            kind: self.kind,
            lines: text::clean_lines(&self.lines),
            city: parse_text(city, self.city, 100)?,
            region: parse_text(region, self.region, 100)?,
            postcode: parse_text(postcode, self.postcode, 16)?,
            country: parse_country(country, self.country)?,
            created_at: now,
            created_by: actor.user(),
            updated_at: now,
            updated_by: actor.user(),
            version: 1,
        })
    }
}

/// Adds addresses to a customer that is being added.
///
/// # Errors
/// `Invalid` for a field that has not its form.
pub async fn add(
    txn: &impl ConnectionTrait,
    customer_id: CustomerId,
    addresses: Vec<NewAddress>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let rows = addresses.into_iter().map(|new| {
        let row = new.model(customer_id, ["addresses"; 4], actor, now)?;
        Ok(row.into_active_model().reset_all())
    });
    let rows = rows.collect::<Result<Vec<_>, Error>>()?;
    if !rows.is_empty() {
        Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    Ok(())
}

/// Adds an address to a customer.
///
/// # Errors
/// `Invalid` for a field that has not its form, [`CustomersError::NotFound`].
pub async fn create(
    txn: &impl ConnectionTrait,
    customer_id: CustomerId,
    new: NewAddress,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    customer::hold(txn, customer_id).await?;
    let row = new.model(customer_id, OWN, actor, now)?;
    let row = row.into_active_model().reset_all().insert(txn).await?;
    let kind = event::Kind::AddressCreated;
    event::emit(txn, kind, row.id.0, Some(customer_id), actor, now).await?;
    Ok(row)
}

/// Changes an address, if it still has `expected_version` (where one is given).
///
/// # Errors
/// `Invalid`, [`CustomersError::NoSuchAddress`], [`Error::StaleVersion`].
pub async fn update(
    txn: &impl ConnectionTrait,
    id: AddressId,
    change: Change,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock(txn, id, expected_version).await?;
    let [city, region, postcode, country] = OWN;
    row.kind = change.kind.unwrap_or(row.kind);
    if let Some(lines) = change.lines {
        row.lines = text::clean_lines(&lines);
    }
    if let Some(given) = change.city {
        row.city = parse_text(city, given, 100)?;
    }
    if let Some(given) = change.region {
        row.region = parse_text(region, given, 100)?;
    }
    if let Some(given) = change.postcode {
        row.postcode = parse_text(postcode, given, 16)?;
    }
    if let Some(given) = change.country {
        row.country = parse_country(country, given)?;
    }
    row.updated_at = now;
    row.updated_by = actor.user();
    row.version += 1;
    let kind = event::Kind::AddressUpdated;
    event::emit(txn, kind, id.0, Some(row.customer_id), actor, now).await?;
    Ok(row.into_active_model().reset_all().update(txn).await?)
}

/// Removes an address for good; gives whose it was.
///
/// # Errors
/// [`CustomersError::NoSuchAddress`], [`Error::StaleVersion`].
pub async fn delete(
    txn: &impl ConnectionTrait,
    id: AddressId,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<CustomerId, Error> {
    let row = lock(txn, id, expected_version).await?;
    Entity::delete_by_id(id).exec(txn).await?;
    let kind = event::Kind::AddressDeleted;
    event::emit(txn, kind, id.0, Some(row.customer_id), actor, now).await?;
    Ok(row.customer_id)
}

/// The address, locked, and its customer held. Addresses of deleted customers stay as they are.
async fn lock(
    txn: &impl ConnectionTrait,
    id: AddressId,
    expected_version: Option<i32>,
) -> Result<Model, Error> {
    let row = Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    let row = row.ok_or(CustomersError::NoSuchAddress)?;
    if expected_version.is_some_and(|version| version != row.version) {
        return Err(Error::StaleVersion { current: row.version });
    }
    customer::hold(txn, row.customer_id).await?;
    Ok(row)
}

/// The stored form of a country's code.
fn parse_country(field: &'static str, given: Option<String>) -> Result<Option<String>, Error> {
    let code = given.map(|code| code.trim().to_ascii_uppercase()).filter(|code| !code.is_empty());
    if code.as_ref().is_some_and(|code| !is_alpha_2(code)) {
        let message = "a country is an ISO 3166-1 code of two letters, such as VN";
        return Err(Error::invalid(field, message));
    }
    Ok(code)
}

fn is_alpha_2(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}
