//! The message ledger: everything ever meant for a customer, or for a user about their account, why it went out or not, and its bytes.
//!
//! Invariant: an effect has one message (`effect_key`). The bytes are stored, and `TRANSMITTING` is
//! committed, before the first byte leaves; a message found in `TRANSMITTING` after a crash becomes
//! `UNKNOWN` and is never sent again by itself.

use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter, QuerySelect};
use serde::{Deserialize, Serialize};

use super::workflow::run;
use crate::access::{Permission, user};
use crate::catalog::catalog;
use crate::customers::customer::{self, Channel};
use crate::id::{
    CustomerId, EventId, JobId, MessageId, ReceiptId, UserId, WorkflowRunId, WorkflowVersionId,
};

mod debt;
mod fade;
mod gated;
mod outcome;
mod perform;
mod plan;
pub mod wording;
mod work;

pub(crate) use fade::{SENT, fade};
pub use outcome::{Outcome, expire_leases, settle};
pub use perform::{Content, Send, SendMail, To};
pub(crate) use plan::{
    NoticeMessage, notified, plan_meetings, plan_notices, plan_outgoing, plan_receipts,
    plan_statement, statement_message, subjects,
};
pub use plan::{
    NotificationMail, Outgoing, PlannedReceipt, STATEMENT_LIFETIME, plan_notifications,
    plan_resets, resend_receipt,
};
pub(super) use work::call_off_planned;
pub use work::{
    Ready, any_due, due, enqueued, lease, mark_enqueued, ready_to_transmit, renew, suppress,
};
pub(crate) use work::{is_unwritten, look_again};

/// What a message is about, which decides how it is treated when its outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Class {
    /// A receipt for money that came in.
    Receipt,
    /// Something about a user's own account.
    Account,
    /// Something that a user is told.
    Notification,
    /// What a customer has to know of what they have with us.
    Service,
    /// A reminder of what they owe.
    Collection,
    /// An offer.
    Marketing,
}

impl Class {
    /// Whether it answers to what somebody did, so that no time, cap or wish holds it back.
    #[must_use]
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Receipt | Self::Account | Self::Notification)
    }
}

/// Which template it is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(32))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Kind {
    /// We received your payment.
    Receipt,
    /// That receipt does not hold any more.
    ReceiptCancellation,
    /// A link for choosing a new password.
    PasswordReset,
    /// A link for choosing the first password.
    Invitation,
    /// What a user is told in Rapport, too.
    Notification,
    /// What the step of a workflow says.
    Workflow,
    /// When one meets, or that one does not.
    Meeting,
    /// What is to be paid.
    Dunning,
    /// What you owe, and how it came to that.
    Statement,
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum State {
    /// It will be sent when it is due.
    Planned,
    /// A worker has it; nothing has left yet.
    Claimed,
    /// It is on the wire.
    Transmitting,
    /// The receiving server took it.
    Accepted,
    /// The receiving server refused it for good.
    Refused,
    /// It will be tried again when it is due.
    Deferred,
    /// It was decided not to send it; see the reason.
    Suppressed,
    /// It could not be sent in time.
    Expired,
    /// Somebody called it off.
    Cancelled,
    /// It may or may not have been taken; nobody can tell, and it is not sent again by itself.
    Unknown,
}

/// Why a message is where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(32))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Reason {
    /// The customer has no address on the channel.
    NoAddress,
    /// The address or number has no form that something can be sent to.
    BadAddress,
    /// Nothing is configured that takes messages on the channel.
    NoProvider,
    /// It could not be written; see the detail.
    RenderError,
    /// The receiving server asked to come back later.
    ProviderTemp,
    /// The receiving server refused for good.
    ProviderPerm,
    /// The worker or the connection died while it was on the wire.
    UnknownOutcome,
    /// It was tried for as long as it made sense.
    ExpiredLate,
    /// The address does not exist.
    HardBounced,
    /// Who has the address has complained.
    Complained,
    /// The customer wants nothing about its topic.
    UnsubTopic,
    /// The customer wants nothing on the channel.
    UnsubAll,
    /// The customer has not consented to it.
    NoConsent,
    /// The number is on a register of those who want no calls.
    DncRegister,
    /// The address was on a list of those to whom nothing may go.
    SuppressedImport,
    /// Enough has reached the customer, as the organisation sees it.
    FreqCap,
    /// Enough has reached the customer, as the law sees it.
    LegalCap,
    /// The law lets nothing reach the customer at this time.
    LegalWindow,
    /// The organisation lets nothing reach the customer at this time.
    QuietHours,
    /// It is a holiday where the customer is.
    Holiday,
    /// What it asks for is paid.
    Paid,
    /// What it asks for was taken back by credit notes, and what was paid of it is nothing.
    Credited,
    /// What it asks for was taken back as a whole.
    Voided,
    /// The customer disputes what it asks for.
    Disputed,
    /// The customer has promised to pay what it asks for.
    Promised,
    /// What is left of what it asks for is too little.
    BelowMin,
    /// Money came in that settles nothing yet, and is enough for what it asks for.
    PendingReceipt,
    /// The customer is asked for nothing.
    Excluded,
    /// Another ladder asks its customer: the one of its own.
    OtherLadder,
    /// The customer is asked for nothing for a while.
    Paused,
    /// What it asks for was written off.
    WrittenOff,
    /// A lawyer or a court asks for it.
    HandedOver,
    /// Somebody has to approve it first.
    Unapproved,
    /// Somebody has said that it is not to go.
    Rejected,
    /// A later one has taken its place before it could go.
    Superseded,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MessageId,
    /// What makes it unique: the effect that it is.
    pub effect_key: String,
    /// What it is about.
    pub class: Class,
    /// Which template it is written with.
    pub kind: Kind,
    /// The way it goes.
    pub channel: Channel,
    /// Which customer it is for.
    pub customer_id: Option<CustomerId>,
    /// Which user it is for, when it is for no customer.
    pub user_id: Option<UserId>,
    /// The record it is about: a receipt, or a wish for a new password.
    pub subject_id: Uuid,
    /// What made it be planned.
    pub event_id: Option<EventId>,
    /// The run of a workflow that made it be planned.
    pub run_id: Option<WorkflowRunId>,
    /// The version that says what is in it.
    pub version_id: Option<WorkflowVersionId>,
    /// The step of that, by its key.
    pub step: Option<String>,
    /// What it is about in the customer's eyes.
    pub topic: Option<String>,
    /// The number of the policy that it was last looked at by.
    pub policy: Option<i32>,
    /// What the gate looked at then.
    pub trace: Option<Json>,
    /// The message that it is a copy of.
    pub copy_of_id: Option<MessageId>,
    /// How far it has come.
    pub state: State,
    /// Why it is there.
    pub reason: Option<Reason>,
    /// What the other side said.
    pub detail: Option<String>,
    /// What it was written from, frozen.
    pub facts: Option<Json>,
    /// Where it went, resolved before the first attempt.
    pub recipient: Option<String>,
    /// Its Message-ID, which follows from the effect key.
    pub message_id: String,
    /// Its subject line.
    pub subject: Option<String>,
    /// The exact bytes that were sent.
    pub body: Option<Vec<u8>>,
    /// Their hash.
    pub body_sha256: Option<String>,
    /// When it may be sent.
    pub due_at: DateTimeUtc,
    /// After which it is not worth sending.
    pub expires_at: DateTimeUtc,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was handed to the conveyor.
    pub enqueued_at: Option<DateTimeUtc>,
    /// Until when a worker has it.
    pub lease_until: Option<DateTimeUtc>,
    /// The number of that lease.
    pub fence: i64,
    /// When it was last put on the wire.
    pub transmitted_at: Option<DateTimeUtc>,
    /// When its outcome was clear.
    pub settled_at: Option<DateTimeUtc>,
    /// The job that prints it, for a letter by post.
    pub print_job_id: Option<JobId>,
    /// When it went into that.
    pub printed_at: Option<DateTimeUtc>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// Something meant for a customer, or a user about their account, whether or not it went out, and why.
    Message (message, messages) of Entity, read by Permission::ReadFinance,
        part of Column::CustomerId => customer::Entity;
    /// The id of whom it is for.
    customer_id: uuid::<CustomerId>(Column::CustomerId).hidden(),
    /// The customer it is for; null when it is for a user, or when you may not see them.
    customer: one::<customer::Entity>(Column::CustomerId).grouped(),
    /// The id of the receipt it is about.
    subject_id: uuid::<ReceiptId>(Column::SubjectId).hidden(),
    /// The user it is for; null when it is for a customer.
    user: one::<user::Entity>(Column::UserId),
    /// What it is about, which says how it is treated.
    class: choice::<Class>("MessageClass", Column::Class).filtered().grouped(),
    /// Which template it is written with.
    kind: choice::<Kind>("MessageKind", Column::Kind).filtered().grouped(),
    /// The way it goes.
    channel: choice::<Channel>("Channel", Column::Channel).filtered().grouped(),
    /// How far it has come.
    state: choice::<State>("MessageState", Column::State).filtered().grouped(),
    /// Why it is there; null when there is nothing to explain.
    reason: choice::<Reason>("MessageReason", Column::Reason).filtered().grouped(),
    /// What the receiving server said, or what was wrong; null when nothing was.
    detail: text(Column::Detail),
    /// The address or number it went to, that of a letter by post on one line; null before it was written.
    recipient: text(Column::Recipient).filtered().ordered(),
    /// Its subject line; null before it was written, and for a text message.
    subject: text(Column::Subject),
    /// The part of its Message-ID before the `@`, as it stands in the logs of mail servers; of a text message, the id that the
    /// gateway got.
    message_id: text(Column::MessageId).filtered(),
    /// The SHA-256 of the exact bytes that were sent; null before it was written.
    body_sha256: text(Column::BodySha256),
    /// What it is about in the customer's eyes, such as `newsletter`; null when it has no topic.
    topic: text(Column::Topic).filtered().grouped(),
    /// The run of a workflow that made it be planned; null when none did.
    workflow_run: one::<run::Entity>(Column::RunId),
    /// The step of the workflow that says what is in it, by its key; null when none does.
    step: text(Column::Step).filtered().grouped(),
    /// The message that it is a copy of; null for an original.
    copy_of: one::<Entity>(Column::CopyOfId),
    /// How often it was put on the wire.
    attempts: whole(Column::Attempts),
    /// When it may be sent, or sent again.
    due_at: instant(Column::DueAt).filtered().ordered().grouped(),
    /// When it was last put on the wire; null before that.
    transmitted_at: instant(Column::TransmittedAt),
    /// When its outcome was clear; null while it is under way.
    settled_at: instant(Column::SettledAt).filtered().ordered().grouped(),
    /// When a letter by post went into a batch for printing, in which it is alone; null before that, and for what is none.
    printed_at: instant(Column::PrintedAt).filtered().ordered(),
    /// When it was planned.
    created_at: instant(Column::CreatedAt).filtered().ordered().grouped(),
}

/// How many messages there are in each state.
///
/// # Errors
/// The database.
pub async fn count_by_state(db: &impl ConnectionTrait) -> Result<Vec<(State, i64)>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::State)
        .column_as(Column::Id.count(), "count")
        .group_by(Column::State)
        .into_tuple()
        .all(db)
        .await
}
