//! What Rapport does by itself: the message ledger, and jobs.

mod job;
mod message;
mod webhook;

pub use job::{JobKind, JobMutation, JobState};
pub use message::{MessageKind, MessageReason, MessageState};
pub use webhook::{WebhookDeliveryState, WebhookMutation};
