//! What people take with them.

pub mod export;
