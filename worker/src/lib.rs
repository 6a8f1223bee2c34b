//! What happens later: the relay's feed, the workers on it, and what they send.

pub mod feed;
pub mod finance;
pub mod mail;
