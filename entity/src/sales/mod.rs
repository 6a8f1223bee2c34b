//! Selling: what there is to sell, and what was ordered.

pub mod order;
pub mod product;

/// What the rules about selling refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SalesError {
    /// It is invoiced or called off.
    #[error("order {number} is invoiced or called off; take a new one down")]
    OrderNotOpen {
        /// The order's number.
        number: String,
    },
}
