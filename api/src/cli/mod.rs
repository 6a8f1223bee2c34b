//! The commands of `rapport`.

pub mod demo;
pub mod import;
pub mod seed;
