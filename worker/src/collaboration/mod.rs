//! Files: what people bring, what they take with them, and keeping the file store tidy.

pub mod export;
pub mod meeting;
pub mod notice;
pub mod stored;
pub mod upkeep;
