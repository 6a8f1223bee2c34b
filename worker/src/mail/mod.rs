//! Mail: how it is handed over.

pub mod smtp;
pub mod transport;
