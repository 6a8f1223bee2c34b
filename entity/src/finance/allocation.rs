//! Which part of a payment settles which invoice. Append-only: a reversal adds the negative amount.

use sea_orm::entity::prelude::*;

use super::{invoice, payment};
use crate::access::Permission;
use crate::catalog::catalog;
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

/// An allocation is in its payment's and its invoice's currency.
const CURRENCY: &str = "(SELECT currency FROM invoice WHERE invoice.id = allocation.invoice_id)";

catalog! {
    /// The part of a payment that settles an invoice.
    Allocation of Entity, read by Permission::ReadFinance,
        part of Column::PaymentId => payment::Entity;
    /// Its id.
    id: id::<AllocationId>(),
    /// Of which payment.
    payment: one::<payment::Entity>(Column::PaymentId),
    /// On which invoice.
    invoice: one::<invoice::Entity>(Column::InvoiceId),
    /// How much; negative when it takes an earlier allocation back.
    amount: money(Column::Amount).in_currency(CURRENCY),
    /// What was still open of the invoice right after it.
    open_after: money(Column::OpenAfter).in_currency(CURRENCY),
    /// The day it counts for.
    allocated_on: day(Column::AllocatedOn),
}
