//! The shared customer database: who they are, whom to talk to, where they are.

pub mod address;
pub mod contact;
pub mod customer;
mod field;

pub use field::{parse_email, parse_language, parse_required, parse_text, parse_zone};

/// What the rules about customers refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomersError {
    /// No customer has the id, or it is deleted.
    #[error("there is no such customer")]
    NotFound,
    /// No user has the id.
    #[error("there is no such user to own the customer")]
    NoSuchOwner,
    /// Another customer has the number.
    #[error("another customer has this number; leave it empty or choose another one")]
    NumberTaken,
    /// Its records are in its currency.
    #[error("the customer has invoices or payments, so its currency stays as it is")]
    CurrencyInUse,
}
