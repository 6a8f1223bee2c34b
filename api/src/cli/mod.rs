//! The commands of `rapport` besides serving.

pub mod import;
