//! Receivables: invoices, payments, receipts, and what is owed.

mod ageing;
mod credit_limit;
mod credit_profile;
mod dispute;
mod dunning;
mod import;
mod invoice;
mod payment;
mod promise;
mod receipt;
mod statement;
mod worklist;

use async_graphql::Context;
use chrono::NaiveDate;
use entity::access::organisation;
use entity::money::Money;

use crate::context::Ask;
use crate::error::{Fault, UserError, fault, refused};
use crate::scalar::MoneyInput;

pub use ageing::AgeingQuery;
pub use credit_limit::{CreditAction, CreditLimitMutation};
pub use credit_profile::CreditProfileQuery;
pub use dispute::{DisputeCause, DisputeMutation, DisputeState};
pub use dunning::{DunningApproval, DunningEnclosure, DunningMutation, DunningQuery, DunningScope};
pub use import::{ColumnMappingInput, ImportMutation};
pub use invoice::{
    CreditNoteKind, InvoiceKind, InvoiceMutation, InvoiceQuery, InvoiceState, LossMutation,
};
pub use payment::{PaymentMethod, PaymentMutation, PaymentState};
pub use promise::{PromiseKind, PromiseMutation, PromiseState};
pub use receipt::{ReceiptKind, ReceiptMutation};
pub use statement::{SendStatementInput, StatementChannel, StatementKind, StatementMutation};
pub use worklist::WorklistQuery;

/// An amount, or what is wrong with it.
pub(crate) fn parse_amount(amount: MoneyInput) -> Result<Money, Vec<UserError>> {
    amount.parse().map_err(|error| refused(error.into()).unwrap_or_default())
}

/// The day it is by the organisation's calendar.
///
/// # Errors
/// The database, or that the organisation is not set up.
async fn today(ctx: &Context<'_>) -> Result<NaiveDate, Fault> {
    let organisation = organisation::get(ctx.reader()).await.map_err(fault)?;
    Ok(organisation.today(ctx.now()))
}
