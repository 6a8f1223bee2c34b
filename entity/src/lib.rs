//! The truth: tables, and every rule that holds whoever writes.
//!
//! Invariant: nothing in here knows HTTP, GraphQL, Redis or mail, and nothing in here calls the clock.

pub mod access;
pub mod automation;
pub mod catalog;
pub mod check;
pub mod clock;
pub mod collaboration;
pub mod customers;
pub mod db;
pub mod edit;
pub mod error;
pub mod finance;
pub mod id;
pub mod marketing;
pub mod money;
pub mod sales;
pub mod search;
pub mod spreadsheet;
pub mod text;

pub use error::Error;
