//! The people to talk to at a customer.

use sea_orm::entity::prelude::*;

use crate::id::{ContactId, CustomerId, UserId};

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
