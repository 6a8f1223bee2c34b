//! Receivables: invoices, payments, receipts, and what is owed.

mod import;
mod invoice;
mod payment;
mod receipt;

pub use import::{ColumnMappingInput, ImportMutation};
pub use invoice::{InvoiceMutation, InvoiceQuery, InvoiceState};
pub use payment::{PaymentMethod, PaymentMutation, PaymentState};
pub use receipt::{ReceiptKind, ReceiptMutation};
