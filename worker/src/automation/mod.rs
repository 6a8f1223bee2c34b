//! What workflows send to customers.

pub mod written;
