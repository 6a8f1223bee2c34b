//! What an invoice is for, line by line.

use sea_orm::entity::prelude::*;

use crate::id::{InvoiceId, InvoiceLineId};

/// A line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_line")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InvoiceLineId,
    /// Of which invoice.
    pub invoice_id: InvoiceId,
    /// Its place, from 1.
    pub position: i32,
    /// What was sold.
    pub description: String,
    /// How much of it, in thousandths.
    pub quantity_milli: i64,
    /// Price of one in minor units, without tax; negative for a discount.
    pub unit_price: i64,
    /// Tax rate in hundredths of a percent: 1000 is 10 %.
    pub tax_rate_bp: i32,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
