//! Selling.

mod order;
mod product;

pub use order::{OrderMutation, SalesOrderState};
pub use product::ProductMutation;
