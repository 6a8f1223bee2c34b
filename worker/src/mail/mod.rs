//! Mail: how it is put into bytes, and how those are handed over.

pub mod compose;
pub mod dkim;
pub mod smtp;
pub mod transport;
