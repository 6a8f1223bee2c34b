//! Mail: from what is written to bytes, and from bytes to the server.

pub mod compose;
pub mod dkim;
pub mod smtp;
pub mod transport;
