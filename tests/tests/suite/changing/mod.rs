//! Changing customers: taking them away and back, by the hundred, and by filter.

pub mod bulk;
mod carried;
pub mod export;
pub mod import;
mod killed;
mod merge;
pub mod removal;
mod upsert;
