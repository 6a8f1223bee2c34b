//! Receivables: invoices, payments, receipts, and what is owed.

mod dispute;
mod dunning;
mod import;
mod invoice;
mod payment;
mod promise;
mod receipt;

pub use dispute::{DisputeCause, DisputeMutation, DisputeState};
pub use dunning::{DunningMutation, DunningScope};
pub use import::{ColumnMappingInput, ImportMutation};
pub use invoice::{InvoiceKind, InvoiceMutation, InvoiceQuery, InvoiceState};
pub use payment::{PaymentMethod, PaymentMutation, PaymentState};
pub use promise::{PromiseMutation, PromiseState};
pub use receipt::{ReceiptKind, ReceiptMutation};
