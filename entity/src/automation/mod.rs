//! What happens later, as rows: the outbox, the message ledger, jobs, and what was asked already.

pub mod chore;
pub mod event;
pub mod gate;
pub mod idempotency;
pub mod job;
pub mod lease;
pub mod message;
pub mod printing;
pub mod sending;
pub mod webhook;
pub mod workflow;

/// What the rules about messages, jobs and repeated requests refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AutomationError {
    /// The key stands for another request.
    #[error("this idempotencyKey was used for another request; use a fresh key for a new one")]
    IdempotencyKeyReused,
    /// Too long or empty.
    #[error("an idempotencyKey has 1 to 255 characters")]
    IdempotencyKeyMalformed,
    /// The original is not sent yet.
    #[error("the receipt is still on its way; a copy can be sent once its outcome is known")]
    StillOnItsWay,
    /// Enough for a day.
    #[error("{0} copies of this receipt were sent within a day; that is the most")]
    TooManyCopies(usize),
    /// It cannot be started twice.
    #[error("the job was started already")]
    JobStarted,
    /// It is over.
    #[error("the job has ended")]
    JobEnded,
    /// It has to come to its end.
    #[error("an import that is running comes to its end; it can be undone afterwards")]
    NotCancellable,
    /// No file has the id.
    #[error("there is no such file; upload it to /files first")]
    FileNotFound,
    /// Nothing is sent to it.
    #[error("the endpoint is switched off; switch it on first")]
    EndpointInactive,
    /// It is sent anyway.
    #[error("the delivery is still on its way; it can be repeated once its outcome is known")]
    DeliveryOnItsWay,
    /// Nothing of it can be carried out.
    #[error("nothing of the workflow is carried out now; publish it, or let it go on")]
    NeverPublished,
    /// Somebody else has to publish it.
    #[error("it sends customers something; somebody who may approve that has to publish it")]
    NotApproved,
    /// It has ended, or never failed.
    #[error("only a run that has failed can be tried again")]
    NotFailed,
    /// Somebody has to look first.
    #[error("sending is on hold; `releaseSending` lets it go on")]
    SendingHeld,
    /// No letter waits.
    #[error("no letter waits to be printed")]
    NothingToPrint,
    /// There is nothing to let go on.
    #[error("sending is not on hold")]
    SendingNotHeld,
    /// A workflow needs it.
    #[error(
        "the workflow {0} is started by the segment; retire that, or let something else start it"
    )]
    SegmentInUse(String),
    /// A segment is made of it.
    #[error("the segment {0} is made of this one; change that first")]
    SegmentIsPart(String),
}
