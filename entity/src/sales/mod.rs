//! Selling: what there is to sell.

pub mod product;
