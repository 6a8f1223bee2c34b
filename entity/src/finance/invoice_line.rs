//! What an invoice is for, line by line.

use sea_orm::entity::prelude::*;

use super::{invoice, totals};
use crate::access::Permission;
use crate::catalog::catalog;
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

/// A line is in its invoice's currency.
const CURRENCY: &str = "(SELECT currency FROM invoice WHERE invoice.id = invoice_line.invoice_id)";

catalog! {
    /// A line of an invoice.
    InvoiceLine of Entity, read by Permission::ReadFinance,
        part of Column::InvoiceId => invoice::Entity;
    /// Its id.
    id: id::<InvoiceLineId>(),
    /// Its place, from 1.
    position: whole(Column::Position),
    /// What was sold.
    description: text(Column::Description),
    /// How much of it, with up to three decimals.
    quantity: decimal(Column::QuantityMilli, 3),
    /// The price of one, without tax.
    unit_price: money(Column::UnitPrice).in_currency(CURRENCY),
    /// The tax rate as a fraction: `0.1` is 10 %.
    tax_rate: decimal(Column::TaxRateBp, 4),
}

impl Model {
    /// What it comes to without tax, in minor units. An invoice is rounded as a whole, so that its lines may come to a unit
    /// more or less.
    #[must_use]
    pub fn net(&self) -> i64 {
        totals::share(self.quantity_milli, self.unit_price, 1_000)
    }
}
