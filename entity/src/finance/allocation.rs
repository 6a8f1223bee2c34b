//! Which part of a payment settles which invoice. Append-only: a reversal adds the negative amount.

use sea_orm::entity::prelude::*;

use crate::id::{AllocationId, InvoiceId, PaymentId, UserId};

/// A part of a payment that settles an invoice.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "allocation")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AllocationId,
    /// Of which payment.
    pub payment_id: PaymentId,
    /// On which invoice.
    pub invoice_id: InvoiceId,
    /// Minor units of the currency that both have; negative takes an earlier one back.
    pub amount: i64,
    /// What was still open of the invoice right after it.
    pub open_after: i64,
    /// The day it counts for.
    pub allocated_on: Date,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
