//! The people to talk to at a customer.

use sea_orm::entity::prelude::*;

use super::{customer, parse_email_if_any, parse_required, parse_text};
use crate::access::Permission;
use crate::catalog::catalog;
use crate::check::Check;
use crate::edit::edited;
use crate::id::{ContactId, CustomerId, UserId};
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

catalog! {
    /// A person to talk to at a customer.
    Contact of Entity, read by Permission::ReadCustomers,
        part of Column::CustomerId => customer::Entity, versioned by Column::Version;
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

edited!(
    ContactId, ContactCreated / ContactUpdated / ContactDeleted,
    { search_text: String::new() }, part of customer_id
);

impl Model {
    fn check(&mut self, check: &mut Check) {
        check.put(parse_required("name", &self.name, 200), &mut self.name);
        check.put(parse_text("role", self.role.take(), 100), &mut self.role);
        check.put(parse_email_if_any(self.email.take()), &mut self.email);
        check.put(parse_text("phone", self.phone.take(), 64), &mut self.phone);
        self.search_text = self.searched();
    }

    /// What the contact is found by.
    #[must_use]
    pub fn searched(&self) -> String {
        searched([Some(&self.name), self.email.as_ref(), self.phone.as_ref()])
    }
}
