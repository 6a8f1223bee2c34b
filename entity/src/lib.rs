//! The truth: tables, and every rule that holds whoever writes.
//!
//! Invariant: nothing in here knows HTTP, GraphQL, Redis or mail, and nothing in here calls the clock.

pub mod clock;
pub mod id;
pub mod money;
pub mod text;
