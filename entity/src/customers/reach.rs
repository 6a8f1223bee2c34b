//! Who is written to at a customer.

use std::collections::HashMap;

use sea_orm::QueryOrder;
use sea_orm::entity::prelude::*;

use super::{contact, customer};
use crate::id::CustomerId;

/// A customer, and who gets their bills.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The customer.
    pub customer: customer::Model,
    /// The oldest of the contacts who get bills and have an address.
    pub billing: Option<contact::Model>,
}

impl Reach {
    /// What who is written to is called, and their address, if it is known: for what is about money the contact who gets
    /// bills, if there is one.
    #[must_use]
    pub fn addressee(&self, about_money: bool) -> (&str, Option<&str>) {
        match &self.billing {
            Some(contact) if about_money => (&contact.name, contact.email.as_deref()),
            _ => (&self.customer.display_name, self.customer.email.as_deref()),
        }
    }
}

/// Who is written to at customers, by their ids.
///
/// # Errors
/// The database.
pub async fn reach(
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
) -> Result<HashMap<CustomerId, Reach>, DbErr> {
    let contacts = contact::Entity::find()
        .filter(contact::Column::CustomerId.is_in(customers.iter().copied()))
        .filter(contact::Column::Billing.eq(true))
        .filter(contact::Column::Email.is_not_null())
        .order_by_desc(contact::Column::Id)
        .all(db)
        .await?;
    // Newest first, so that the oldest one stays in the map.
    let mut contacts: HashMap<_, _> =
        contacts.into_iter().map(|contact| (contact.customer_id, contact)).collect();
    let customers = customer::Entity::find()
        .filter(customer::Column::Id.is_in(customers.iter().copied()))
        .all(db)
        .await?;
    let reached = customers.into_iter().map(|customer| {
        let billing = contacts.remove(&customer.id);
        (customer.id, Reach { customer, billing })
    });
    Ok(reached.collect())
}
