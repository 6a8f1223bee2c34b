//! Receivables: invoices, payments, receipts, credit notes, and what is owed.

mod credit_note;
mod import;
mod invoice;
mod payment;
mod receipt;

pub use credit_note::CreditNote;
pub use import::ImportMutation;
pub use invoice::{Invoice, InvoiceFilter, InvoiceMutation, InvoiceQuery, InvoiceState};
pub use payment::{
    Allocation, Payment, PaymentMethod, PaymentMutation, PaymentQuery, PaymentState,
};
pub use receipt::{Receipt, ReceiptKind, ReceiptMutation};
