//! Changing customers: taking them away and back, by the hundred, and by filter.

mod bulk;
mod killed;
mod removal;
mod upsert;
