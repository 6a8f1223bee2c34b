//! What Rapport does by itself: the message ledger, and jobs.

mod job;
mod message;

pub use job::{Job, JobQuery, JobState};
pub use message::{Message, MessageFilter, MessageKind, MessageQuery, MessageState};
