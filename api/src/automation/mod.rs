//! What Rapport does by itself: the message ledger, jobs, webhooks and workflows.

mod gate;
mod job;
mod message;
mod printing;
mod webhook;
pub mod workflow;

pub use gate::{ContactPolicyMutation, ContactPolicyQuery, ExplainQuery};
pub use job::{JobKind, JobMutation, JobState};
pub use message::{MessageClass, MessageKind, MessageReason, MessageState};
pub use printing::PrintingMutation;
pub use webhook::{WebhookDeliveryState, WebhookMutation};
pub use workflow::{
    ForecastMutation, ForecastQuery, WorkflowHookMutation, WorkflowMutation, WorkflowQuery,
    WorkflowRunState, WorkflowRunsMutation, WorkflowState, WorkflowStepOutcome,
};
