//! Files: what people bring, and what they take with them.

pub mod export;
pub mod stored;
