//! What finance does later: receipts, statements and imports.

pub mod dunning;
pub mod import;
pub mod receipt;
pub mod statement;
