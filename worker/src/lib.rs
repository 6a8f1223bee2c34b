//! x
pub mod document;
pub mod mail;
