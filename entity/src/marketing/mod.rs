//! Marketing: what customers have in common and want to hear, and what must not reach them.

pub mod consent;
pub mod segment;
pub mod suppression;
pub mod unsubscribe;
