//! The people to talk to at a customer.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QuerySelect};

use super::{CustomersError, customer, parse_email, parse_required, parse_text};
use crate::access::{Actor, Permission};
use crate::automation::event;
use crate::catalog::catalog;
use crate::error::Error;
use crate::id::{ContactId, CustomerId, Id, UserId};
use crate::search::searched;

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ContactId,
    /// Whose.
    pub customer_id: CustomerId,
    /// What they are called.
    pub name: String,
    /// What they do there.
    pub role: Option<String>,
    /// Where mail reaches them.
    pub email: Option<String>,
    /// Where calls reach them.
    pub phone: Option<String>,
    /// Folded name and ways to reach them, for searching.
    pub search_text: String,
    /// Whether receipts and statements go to them instead of the customer's own address.
    pub billing: bool,
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
    /// A person to talk to at a customer.
    Contact of Entity, read by Permission::ReadCustomers,
        part of Column::CustomerId => customer::Entity;
    /// Their id.
    id: id::<ContactId>().filtered(),
    /// Words that occur in name, e-mail address or telephone number, without regard to case and
    /// diacritics: `nguyen` finds `Nguyễn`. Every word has to occur.
    search: search(),
    /// Counts up with every change; give it back as `expectedVersion`.
    version: whole(Column::Version),
    /// The customer they are at.
    customer: one::<customer::Entity>(Column::CustomerId),
    /// What they are called.
    name: text(Column::Name).filtered(),
    /// What they do there; null when it is not known.
    role: text(Column::Role).filtered(),
    /// Where mail reaches them; null when it is not known.
    email: text(Column::Email).filtered(),
    /// Where calls reach them; null when it is not known.
    phone: text(Column::Phone).filtered(),
    /// Whether receipts and statements go to them instead of the customer's own address.
    billing: truth(Column::Billing).filtered(),
}

impl Model {
    /// What the contact is found by.
    #[must_use]
    pub fn searched(&self) -> String {
        searched([Some(&self.name), self.email.as_ref(), self.phone.as_ref()])
    }
}

/// A contact to be.
#[derive(Clone, Debug)]
pub struct NewContact {
    /// What they are called.
    pub name: String,
    /// What they do there.
    pub role: Option<String>,
    /// Where mail reaches them.
    pub email: Option<String>,
    /// Where calls reach them.
    pub phone: Option<String>,
    /// Whether receipts and statements go to them.
    pub billing: bool,
}

/// A change of a contact. The outer `None` keeps a field, an inner `None` clears it.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What they are called.
    pub name: Option<String>,
    /// What they do there.
    pub role: Option<Option<String>>,
    /// Where mail reaches them.
    pub email: Option<Option<String>>,
    /// Where calls reach them.
    pub phone: Option<Option<String>>,
    /// Whether receipts and statements go to them.
    pub billing: Option<bool>,
}

/// What the fields of a contact are called where they are refused: name, role, phone.
type Names = [&'static str; 3];

impl NewContact {
    fn model(
        self,
        customer_id: CustomerId,
        [name, role, phone]: Names,
        actor: Actor,
        now: DateTimeUtc,
    ) -> Result<Model, Error> {
        let row = Model {
            id: ContactId::new(now),
            customer_id,
            name: parse_required(name, &self.name, 200)?,
            role: parse_text(role, self.role, 100)?,
            email: self.email.as_deref().map(parse_email).transpose()?,
            phone: parse_text(phone, self.phone, 64)?,
            search_text: String::new(),
            billing: self.billing,
            created_at: now,
            created_by: actor.user(),
            updated_at: now,
            updated_by: actor.user(),
            version: 1,
        };
        Ok(Model { search_text: row.searched(), ..row })
    }
}

/// Adds contacts to a customer that is being added.
///
/// # Errors
/// `Invalid` for a field that has not its form.
pub async fn add(
    txn: &impl ConnectionTrait,
    customer_id: CustomerId,
    contacts: Vec<NewContact>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let rows = contacts.into_iter().map(|new| {
        let row = new.model(customer_id, ["contacts"; 3], actor, now)?;
        Ok(row.into_active_model().reset_all())
    });
    let rows = rows.collect::<Result<Vec<_>, Error>>()?;
    if !rows.is_empty() {
        Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    Ok(())
}

/// Adds a contact to a customer.
///
/// # Errors
/// `Invalid` for a field that has not its form, [`CustomersError::NotFound`].
pub async fn create(
    txn: &impl ConnectionTrait,
    customer_id: CustomerId,
    new: NewContact,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    customer::hold(txn, customer_id).await?;
    let row = new.model(customer_id, ["name", "role", "phone"], actor, now)?;
    let row = row.into_active_model().reset_all().insert(txn).await?;
    let kind = event::Kind::ContactCreated;
    event::emit(txn, kind, row.id.0, Some(customer_id), actor, now).await?;
    Ok(row)
}

/// Changes a contact, if it still has `expected_version` (where one is given).
///
/// # Errors
/// `Invalid`, [`CustomersError::NoSuchContact`], [`Error::StaleVersion`].
pub async fn update(
    txn: &impl ConnectionTrait,
    id: ContactId,
    change: Change,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock(txn, id, expected_version).await?;
    if let Some(name) = change.name {
        row.name = parse_required("name", &name, 200)?;
    }
    if let Some(role) = change.role {
        row.role = parse_text("role", role, 100)?;
    }
    if let Some(email) = change.email {
        let email = parse_text("email", email, 320)?;
        row.email = email.as_deref().map(parse_email).transpose()?;
    }
    if let Some(phone) = change.phone {
        row.phone = parse_text("phone", phone, 64)?;
    }
    row.billing = change.billing.unwrap_or(row.billing);
    row.search_text = row.searched();
    row.updated_at = now;
    row.updated_by = actor.user();
    row.version += 1;
    let kind = event::Kind::ContactUpdated;
    event::emit(txn, kind, id.0, Some(row.customer_id), actor, now).await?;
    Ok(row.into_active_model().reset_all().update(txn).await?)
}

/// Removes a contact for good; gives whose it was.
///
/// # Errors
/// [`CustomersError::NoSuchContact`], [`Error::StaleVersion`].
pub async fn delete(
    txn: &impl ConnectionTrait,
    id: ContactId,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<CustomerId, Error> {
    let row = lock(txn, id, expected_version).await?;
    Entity::delete_by_id(id).exec(txn).await?;
    let kind = event::Kind::ContactDeleted;
    event::emit(txn, kind, id.0, Some(row.customer_id), actor, now).await?;
    Ok(row.customer_id)
}

/// The contact, locked, and its customer held. Contacts of deleted customers stay as they are.
async fn lock(
    txn: &impl ConnectionTrait,
    id: ContactId,
    expected_version: Option<i32>,
) -> Result<Model, Error> {
    let row = Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    let row = row.ok_or(CustomersError::NoSuchContact)?;
    if expected_version.is_some_and(|version| version != row.version) {
        return Err(Error::StaleVersion { current: row.version });
    }
    customer::hold(txn, row.customer_id).await?;
    Ok(row)
}
