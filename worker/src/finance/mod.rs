//! What finance does later: receipts and imports.

pub mod import;
pub mod receipt;
