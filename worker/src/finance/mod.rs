//! What finance does later: receipts and imports.

pub mod dunning;
pub mod import;
pub mod receipt;
