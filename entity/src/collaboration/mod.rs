//! What people share with one another.

pub mod export;
pub mod file;
