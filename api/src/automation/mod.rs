//! What Rapport does by itself: the message ledger, and jobs.

mod job;
mod message;

pub use job::{JobKind, JobMutation, JobState};
pub use message::{MessageKind, MessageReason, MessageState};
