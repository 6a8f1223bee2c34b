//! What people share with one another.

pub mod file;
