//! Marketing: what customers want to hear, and what must not reach them.

pub mod consent;
pub mod suppression;
