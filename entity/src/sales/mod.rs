//! Selling: what there is to sell.

pub mod product;

/// What the rules about selling refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SalesError {
    /// No product has the id.
    #[error("there is no such product")]
    NoSuchProduct,
    /// Another product has the code, deleted or not.
    #[error("another product has this code, or had it and is deleted; choose another one")]
    CodeTaken,
}
