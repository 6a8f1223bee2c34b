//! Selling.

mod product;

pub use product::ProductMutation;
