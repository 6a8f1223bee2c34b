//! What finance does later: receipts, statements and imports.

pub mod dunning;
mod enclosed;
pub mod import;
pub mod receipt;
pub mod statement;
