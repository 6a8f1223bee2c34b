//! The commands of `rapport`.

pub mod audit;
pub mod demo;
pub mod import;
pub mod replay;
pub mod seed;
