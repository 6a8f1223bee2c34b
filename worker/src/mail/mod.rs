//! Mail, from the rendered message to the bytes that are sent.

pub mod compose;
pub mod dkim;
