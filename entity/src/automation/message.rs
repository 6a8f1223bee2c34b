//! The message ledger: everything ever meant for a customer, or for a user about their account, why it went out or not, and its bytes.
//!
//! Invariant: an effect has one message (`effect_key`). The bytes are stored, and `TRANSMITTING` is
//! committed, before the first byte leaves; a message found in `TRANSMITTING` after a crash becomes
//! `UNKNOWN` and is never sent again by itself.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{DeriveActiveEnum, EnumIter, QueryOrder, QuerySelect};

use super::AutomationError;
use crate::access::password_reset::{self, Purpose};
use crate::access::{Actor, Permission, user};
use crate::catalog::catalog;
use crate::collaboration::notification;
use crate::customers::customer::{self, Channel};
use crate::error::Error;
use crate::finance::receipt;
use crate::id::{CustomerId, EventId, Id, MessageId, ReceiptId, UserId};

mod fade;
mod outcome;
mod work;

pub(crate) use fade::fade;
pub use outcome::{Outcome, expire_leases, settle};
pub use work::{Ready, due, enqueued, lease, mark_enqueued, ready_to_transmit, renew, suppress};

/// What a message is about, which decides how it is treated when its outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(32))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Reason {
    /// The customer has no address on the channel.
    NoAddress,
    /// The address has no form that mail can be sent to.
    BadAddress,
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
    /// The address it went to; null before it was written.
    recipient: text(Column::Recipient).filtered().ordered(),
    /// Its subject line; null before it was written.
    subject: text(Column::Subject),
    /// The part of its Message-ID before the `@`, as it stands in the logs of mail servers.
    message_id: text(Column::MessageId).filtered(),
    /// The SHA-256 of the exact bytes that were sent; null before it was written.
    body_sha256: text(Column::BodySha256),
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
    /// When it was planned.
    created_at: instant(Column::CreatedAt).filtered().ordered().grouped(),
}

/// How long a receipt is worth sending.
const RECEIPT_LIFETIME: chrono::TimeDelta = chrono::TimeDelta::hours(48);

/// How many copies of a receipt may be sent within a day.
const COPIES_A_DAY: usize = 3;

/// A receipt that its customer is to get.
#[derive(Clone, Debug)]
pub struct PlannedReceipt {
    /// Which receipt.
    pub receipt: ReceiptId,
    /// What it says.
    pub kind: receipt::Kind,
    /// Whom it is for.
    pub customer: CustomerId,
    /// What made it be planned.
    pub event: EventId,
}

impl PlannedReceipt {
    fn row(&self, now: DateTimeUtc) -> ActiveModel {
        let effect_key = format!("receipt:{}", self.receipt.0);
        let kind = match self.kind {
            receipt::Kind::Receipt => Kind::Receipt,
            receipt::Kind::Cancellation => Kind::ReceiptCancellation,
        };
        ActiveModel {
            event_id: Set(Some(self.event)),
            customer_id: Set(Some(self.customer)),
            ..planned(effect_key, kind, self.receipt.0, Actor::System, now)
        }
    }
}

/// The left side of the Message-ID: the same for the same effect, so that a message whose fate is unknown
/// can be looked for in the logs of mail servers.
fn message_id(effect_key: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, effect_key.as_bytes()).to_string()
}

fn planned(
    effect_key: String,
    kind: Kind,
    subject: Uuid,
    actor: Actor,
    now: DateTimeUtc,
) -> ActiveModel {
    ActiveModel {
        id: Set(MessageId::new(now)),
        message_id: Set(message_id(&effect_key)),
        effect_key: Set(effect_key),
        class: Set(Class::Receipt),
        kind: Set(kind),
        channel: Set(Channel::Email),
        customer_id: Set(None),
        user_id: Set(None),
        subject_id: Set(subject),
        event_id: Set(None),
        copy_of_id: Set(None),
        state: Set(State::Planned),
        reason: Set(None),
        detail: Set(None),
        facts: Set(None),
        recipient: Set(None),
        subject: Set(None),
        body: Set(None),
        body_sha256: Set(None),
        due_at: Set(now),
        expires_at: Set(now + RECEIPT_LIFETIME),
        attempts: Set(0),
        enqueued_at: Set(None),
        lease_until: Set(None),
        fence: Set(0),
        transmitted_at: Set(None),
        settled_at: Set(None),
        created_at: Set(now),
        created_by: Set(actor.user()),
    }
}

/// Plans receipts; those that were planned already are left as they are.
///
/// # Errors
/// The database.
pub async fn plan_receipts(
    txn: &impl ConnectionTrait,
    receipts: &[PlannedReceipt],
    now: DateTimeUtc,
) -> Result<(), Error> {
    if receipts.is_empty() {
        return Ok(());
    }
    let once = OnConflict::column(Column::EffectKey).do_nothing().to_owned();
    let rows = receipts.iter().map(|receipt| receipt.row(now));
    Entity::insert_many(rows).on_conflict(once).exec_without_returning(txn).await?;
    Ok(())
}

/// Plans mails for choosing new passwords; those that were planned already are left as they are.
///
/// # Errors
/// The database.
pub async fn plan_resets(
    txn: &impl ConnectionTrait,
    resets: &[password_reset::Planned],
    now: DateTimeUtc,
) -> Result<(), Error> {
    if resets.is_empty() {
        return Ok(());
    }
    let once = OnConflict::column(Column::EffectKey).do_nothing().to_owned();
    let rows = resets.iter().map(|planned_reset| {
        let key = format!("password-reset:{}", planned_reset.reset.0);
        let reset = planned_reset.reset.into();
        let kind = match planned_reset.purpose {
            Purpose::Reset => Kind::PasswordReset,
            Purpose::Invitation => Kind::Invitation,
        };
        ActiveModel {
            class: Set(Class::Account),
            user_id: Set(Some(planned_reset.user)),
            expires_at: Set(planned_reset.expires_at),
            ..planned(key, kind, reset, Actor::System, now)
        }
    });
    Entity::insert_many(rows).on_conflict(once).exec_without_returning(txn).await?;
    Ok(())
}

/// Plans the mails of notifications; those that were planned already are left as they are.
///
/// # Errors
/// The database.
pub async fn plan_notifications(
    txn: &impl ConnectionTrait,
    notifications: &[&notification::Model],
    now: DateTimeUtc,
) -> Result<(), Error> {
    if notifications.is_empty() {
        return Ok(());
    }
    let once = OnConflict::column(Column::EffectKey).do_nothing().to_owned();
    let rows = notifications.iter().map(|told| {
        let key = format!("notification:{}", told.id.0);
        ActiveModel {
            class: Set(Class::Notification),
            user_id: Set(Some(told.user_id)),
            ..planned(key, Kind::Notification, told.id.0, Actor::System, now)
        }
    });
    Entity::insert_many(rows).on_conflict(once).exec_without_returning(txn).await?;
    Ok(())
}

/// Plans a copy of a receipt's message: the same content, marked as a copy, to the customer's address
/// of today.
///
/// # Errors
/// `StillOnItsWay`, `TooManyCopies`, [`crate::finance::FinanceError::NoReceipt`].
pub async fn resend_receipt(
    txn: &impl ConnectionTrait,
    receipt: ReceiptId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let sent = Entity::find()
        .filter(Column::SubjectId.eq(receipt.0))
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .all(txn)
        .await?;
    let original = sent.iter().find(|message| message.copy_of_id.is_none());
    let original = original.ok_or(crate::finance::FinanceError::NoReceipt)?;
    if sent.iter().any(|message| message.settled_at.is_none()) {
        return Err(AutomationError::StillOnItsWay.into());
    }
    let copies = sent.iter().filter(|message| message.copy_of_id.is_some());
    let day_ago = now - chrono::TimeDelta::days(1);
    if copies.clone().filter(|copy| copy.created_at > day_ago).count() >= COPIES_A_DAY {
        return Err(AutomationError::TooManyCopies(COPIES_A_DAY).into());
    }
    let key = format!("{}:copy:{}", original.effect_key, copies.count() + 1);
    let copy = ActiveModel {
        copy_of_id: Set(Some(original.id)),
        facts: Set(original.facts.clone()),
        customer_id: Set(original.customer_id),
        ..planned(key, original.kind, original.subject_id, actor, now)
    };
    Ok(copy.insert(txn).await?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_depends_on_the_effect_alone() {
        assert_eq!(message_id("receipt:1"), message_id("receipt:1"));
        assert_ne!(message_id("receipt:1"), message_id("receipt:2"));
    }
}
