//! What workflows send to customers, and what would come of them.

pub mod forecast;
pub mod written;
