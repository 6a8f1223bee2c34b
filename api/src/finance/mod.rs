//! Receivables: invoices, payments, receipts, and what is owed.

mod ageing;
mod credit_profile;
mod import;
mod invoice;
mod payment;
mod receipt;
mod statement;

use async_graphql::Context;
use chrono::NaiveDate;
use entity::access::organisation;

use crate::context::Ask;
use crate::error::{Fault, fault};

pub use ageing::AgeingQuery;
pub use credit_profile::CreditProfileQuery;
pub use import::{ColumnMappingInput, ImportMutation};
pub use invoice::{InvoiceMutation, InvoiceQuery, InvoiceState};
pub use payment::{PaymentMethod, PaymentMutation, PaymentState};
pub use receipt::{ReceiptKind, ReceiptMutation};
pub use statement::{SendStatementInput, StatementKind, StatementMutation};

/// The day it is by the organisation's calendar.
///
/// # Errors
/// The database, or that the organisation is not set up.
async fn today(ctx: &Context<'_>) -> Result<NaiveDate, Fault> {
    let organisation = organisation::get(ctx.reader()).await.map_err(fault)?;
    Ok(organisation.today(ctx.now()))
}
