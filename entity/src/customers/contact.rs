//! The people to talk to at a customer.

use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;

use super::{customer, parse_email, parse_required, parse_text};
use crate::access::{Actor, Permission};
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
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

catalog! {
    /// A person to talk to at a customer.
    Contact of Entity, read by Permission::ReadCustomers;
    /// Their id.
    id: id::<ContactId>().filtered(),
    /// Words that occur in name, e-mail address or telephone number, without regard to case and
    /// diacritics: `nguyen` finds `Nguyễn`. Every word has to occur.
    search: search(),
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

/// Adds contacts to a customer.
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
    let mut rows = Vec::with_capacity(contacts.len());
    for new in contacts {
        let row = Model {
            id: ContactId::new(now),
            customer_id,
            name: parse_required("contacts", &new.name, 200)?,
            role: parse_text("contacts", new.role, 100)?,
            email: new.email.as_deref().map(parse_email).transpose()?,
            phone: parse_text("contacts", new.phone, 64)?,
            search_text: String::new(),
            billing: new.billing,
            created_at: now,
            created_by: actor.user(),
        };
        let row = Model { search_text: row.searched(), ..row };
        rows.push(row.into_active_model().reset_all());
    }
    if !rows.is_empty() {
        Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    Ok(())
}
