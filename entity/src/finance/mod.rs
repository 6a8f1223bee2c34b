//! Receivables: what customers owe, what they paid, which documents say so, and the ledger behind it.

pub mod ageing;
pub mod allocation;
pub mod charge;
pub mod counter;
pub mod credit_limit;
pub mod credit_note;
pub mod credit_profile;
pub mod dispute;
pub mod dunning;
pub mod figures;
pub mod import;
pub mod interest;
pub mod invoice;
pub mod invoice_line;
pub mod ledger;
pub mod payment;
pub mod promise;
pub mod receipt;
mod receivables;
pub mod statement;
mod totals;
pub mod worklist;

use crate::money::{AmountError, Currency, Money};

/// What the rules about money refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FinanceError {
    /// An amount that its currency does not have.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// Nothing, or less.
    #[error("the amount has to be more than zero")]
    NotPositive,
    /// The record is in another currency.
    #[error("this is in {expected}; amounts in other currencies cannot be mixed with it")]
    WrongCurrency {
        /// The record's own.
        expected: Currency,
    },
    /// The invoice belongs to somebody else.
    #[error("invoice {number} belongs to another customer")]
    OtherCustomersInvoice {
        /// The invoice's number.
        number: String,
    },
    /// The invoice is void or paid.
    #[error("invoice {number} is not open")]
    InvoiceNotOpen {
        /// The invoice's number.
        number: String,
    },
    /// More than is still open.
    #[error("only {open} of invoice {number} is open")]
    ExceedsOpen {
        /// The invoice's number.
        number: String,
        /// What is still open.
        open: Money,
    },
    /// Nothing of it was given up.
    #[error("nothing of invoice {number} is written off")]
    NotWrittenOff {
        /// The invoice's number.
        number: String,
    },
    /// It was handed over before.
    #[error("invoice {number} is handed over already; take it back first")]
    HandedOver {
        /// The invoice's number.
        number: String,
    },
    /// It was not handed over.
    #[error("invoice {number} is not handed over")]
    NotHandedOver {
        /// The invoice's number.
        number: String,
    },
    /// More than the customer may owe.
    #[error(
        "the customer owes {exposure} and may owe {limit}: {more} more is too much; have it pay first, or have somebody let it over the limit"
    )]
    CreditLimitExceeded {
        /// What it may owe.
        limit: Money,
        /// What it owes.
        exposure: Money,
        /// What it would owe more.
        more: Money,
    },
    /// It gets no more credit until it has paid.
    #[error(
        "the customer gets no more credit: {why}; have it pay first, or have somebody let it over the limit"
    )]
    OnCreditHold {
        /// Why.
        why: String,
    },
    /// There is no override.
    #[error("nobody has let the customer over its limit")]
    NoOverride,
    /// It is decided already.
    #[error("the notice waits for nobody's approval")]
    NoApprovalWanted,
    /// Money was received for it.
    #[error("invoice {number} has payments; reverse them first, or issue a credit note")]
    InvoiceHasPayments {
        /// The invoice's number.
        number: String,
    },
    /// The same invoice stands there twice.
    #[error("the same invoice stands there twice; add the amounts up")]
    InvoiceTwice,
    /// It was reversed already.
    #[error("the payment is reversed; record a new one")]
    PaymentReversed,
    /// More than is left of the payment.
    #[error("only {unapplied} of the payment is not allocated yet")]
    ExceedsUnapplied {
        /// What is left.
        unapplied: Money,
    },
    /// It has ended already.
    #[error("the dispute has ended; open a new one")]
    DisputeOver,
    /// It has ended already.
    #[error("it is clear already what came of the promise; take a new one down")]
    PromiseOver,
    /// Enough is promised, or enough was not kept.
    #[error("the customer has {open} open promises, and {broken} broken ones; take no more down")]
    TooManyPromises {
        /// How many are open.
        open: u64,
        /// How many were broken of late.
        broken: u64,
    },
    /// Nothing was issued for the payment.
    #[error("the payment has no receipt; it was imported without one")]
    NoReceipt,
    /// There is nothing that a statement could tell.
    #[error("nothing was ever posted for the customer in {currency} until then")]
    NothingPosted {
        /// In what.
        currency: Currency,
    },
    /// The amounts are past what an invoice can hold.
    #[error("the invoice's total is too large")]
    TotalTooLarge,
}
