//! From an effect to its message: a row with a key that is the effect's own, so that twice is once.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveEnum, QueryOrder, QuerySelect, TryIntoModel};

use super::{ActiveModel, Class, Column, Entity, Kind, Model, State, To};
use crate::access::Actor;
use crate::access::password_reset::{self, Purpose};
use crate::automation::AutomationError;
use crate::customers::customer::Channel;
use crate::error::Error;
use crate::finance::{receipt, statement};
use crate::id::{
    AttendeeId, CustomerId, DunningNoticeId, EventId, Id, MessageId, ReceiptId, UserId,
    WorkflowRunId, WorkflowVersionId,
};

/// How long a receipt is worth sending.
const RECEIPT_LIFETIME: TimeDelta = TimeDelta::hours(48);

/// How many copies of a receipt may be sent within a day.
const COPIES_A_DAY: usize = 3;

/// A receipt that its customer is to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedReceipt {
    /// Which receipt.
    pub receipt: ReceiptId,
    /// What it says.
    pub kind: receipt::Kind,
    /// Whom it is for.
    pub customer: CustomerId,
    /// What made it be planned.
    pub event: Option<EventId>,
    /// The run of the workflow that plans it.
    pub run: WorkflowRunId,
}

impl PlannedReceipt {
    /// The message that it would be.
    pub(crate) fn message(&self, now: DateTimeUtc) -> Option<Model> {
        self.row(now).try_into_model().ok()
    }

    fn row(&self, now: DateTimeUtc) -> ActiveModel {
        let effect_key = format!("receipt:{}", self.receipt.0);
        let kind = match self.kind {
            receipt::Kind::Receipt => Kind::Receipt,
            receipt::Kind::Cancellation => Kind::ReceiptCancellation,
        };
        ActiveModel {
            event_id: Set(self.event),
            run_id: Set(Some(self.run)),
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
        run_id: Set(None),
        version_id: Set(None),
        step: Set(None),
        topic: Set(None),
        policy: Set(None),
        trace: Set(None),
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
        print_job_id: Set(None),
        printed_at: Set(None),
        created_at: Set(now),
        created_by: Set(actor.user()),
    }
}

/// Plans receipts; those that were planned already are left as they are.
///
/// # Errors
/// The database.
pub(crate) async fn plan_receipts(
    txn: &impl ConnectionTrait,
    receipts: &[PlannedReceipt],
    now: DateTimeUtc,
) -> Result<(), Error> {
    if receipts.is_empty() {
        return Ok(());
    }
    insert(txn, receipts.iter().map(|receipt| receipt.row(now))).await
}

/// About which of the records there are messages of a class already.
///
/// # Errors
/// The database.
pub(crate) async fn subjects(
    db: &impl ConnectionTrait,
    class: Class,
    records: impl IntoIterator<Item = Uuid>,
) -> Result<HashSet<Uuid>, DbErr> {
    let subjects = Entity::find()
        .select_only()
        .column(Column::SubjectId)
        .filter(Column::SubjectId.is_in(records))
        .filter(Column::Class.eq(class));
    Ok(subjects.into_tuple::<Uuid>().all(db).await?.into_iter().collect())
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
    insert(txn, rows).await
}

/// A mail of one notification, or of several together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotificationMail {
    /// The notification, or what those that go together are known by.
    pub subject: Uuid,
    /// Whose.
    pub user: UserId,
    /// When.
    pub at: DateTimeUtc,
}

/// How many mails of notifications were planned for each of the users since then.
///
/// # Errors
/// The database.
pub(crate) async fn notified(
    db: &impl ConnectionTrait,
    users: impl IntoIterator<Item = UserId>,
    since: DateTimeUtc,
) -> Result<HashMap<UserId, i64>, DbErr> {
    let planned = Entity::find()
        .select_only()
        .column(Column::UserId)
        .column_as(Column::Id.count(), "mails")
        .filter(Column::UserId.is_in(users))
        .filter(Column::Kind.eq(Kind::Notification))
        .filter(Column::CreatedAt.gt(since))
        .group_by(Column::UserId);
    Ok(planned.into_tuple::<(UserId, i64)>().all(db).await?.into_iter().collect())
}

/// Plans the mails of notifications; those that were planned already are left as they are.
///
/// # Errors
/// The database.
pub async fn plan_notifications(
    txn: &impl ConnectionTrait,
    mails: Vec<NotificationMail>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    if mails.is_empty() {
        return Ok(());
    }
    let rows = mails.into_iter().map(|mail| {
        let key = format!("notification:{}", mail.subject);
        ActiveModel {
            class: Set(Class::Notification),
            user_id: Set(Some(mail.user)),
            due_at: Set(mail.at),
            expires_at: Set(mail.at + RECEIPT_LIFETIME),
            ..planned(key, Kind::Notification, mail.subject, Actor::System, now)
        }
    });
    insert(txn, rows).await
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
    let day_ago = now - TimeDelta::days(1);
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

/// What a step of a workflow has for a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// What makes it one.
    pub cause: Uuid,
    /// The run.
    pub run: WorkflowRunId,
    /// The version that says what is in it.
    pub version: WorkflowVersionId,
    /// In which step.
    pub step: String,
    /// The record that it is about.
    pub subject: Uuid,
    /// Whom it is for.
    pub customer: CustomerId,
    /// To whom there.
    pub to: To,
    /// The way it goes.
    pub channel: Channel,
    /// What it is about.
    pub class: Class,
    /// What it is about in the customer's eyes.
    pub topic: Option<String>,
    /// For how long it is worth sending.
    pub within: TimeDelta,
}

impl Outgoing {
    /// The message that it would be.
    pub(crate) fn message(&self, now: DateTimeUtc) -> Option<Model> {
        self.clone().row(now).try_into_model().ok()
    }

    fn row(self, now: DateTimeUtc) -> ActiveModel {
        let key = format!("workflow:{}", self.cause);
        ActiveModel {
            class: Set(self.class),
            channel: Set(self.channel),
            customer_id: Set(Some(self.customer)),
            run_id: Set(Some(self.run)),
            version_id: Set(Some(self.version)),
            step: Set(Some(self.step)),
            topic: Set(self.topic),
            expires_at: Set(now + self.within),
            ..planned(key, Kind::Workflow, self.subject, Actor::System, now)
        }
    }
}

/// Plans what steps of workflows have for customers; what was planned already is left as it is.
///
/// # Errors
/// The database.
pub(crate) async fn plan_outgoing(
    txn: &impl ConnectionTrait,
    outgoing: Vec<Outgoing>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    if outgoing.is_empty() {
        return Ok(());
    }
    insert(txn, outgoing.into_iter().map(|one| one.row(now))).await
}

/// A notice that a customer is to get.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NoticeMessage {
    /// Which.
    pub notice: DunningNoticeId,
    /// The run that planned it.
    pub run: WorkflowRunId,
    /// The version that says what is in it.
    pub version: WorkflowVersionId,
    /// In which step.
    pub step: String,
    /// Whom it is for.
    pub customer: CustomerId,
    /// The way it goes.
    pub channel: Channel,
    /// When it may leave.
    pub due_at: DateTimeUtc,
    /// After which it is not worth sending.
    pub expires_at: DateTimeUtc,
    /// What it would be about, where there is no notice.
    pub facts: Option<Json>,
}

impl NoticeMessage {
    /// The message that it would be.
    pub fn message(self, now: DateTimeUtc) -> Option<Model> {
        self.row(now).try_into_model().ok()
    }

    fn row(self, now: DateTimeUtc) -> ActiveModel {
        let key = format!("dunning:{}", self.notice.0);
        ActiveModel {
            class: Set(Class::Collection),
            channel: Set(self.channel),
            customer_id: Set(Some(self.customer)),
            run_id: Set(Some(self.run)),
            version_id: Set(Some(self.version)),
            step: Set(Some(self.step)),
            facts: Set(self.facts),
            due_at: Set(self.due_at),
            expires_at: Set(self.expires_at),
            ..planned(key, Kind::Dunning, self.notice.0, Actor::System, now)
        }
    }
}

/// Plans notices; those that were planned already are left as they are.
///
/// # Errors
/// The database.
pub(crate) async fn plan_notices(
    txn: &impl ConnectionTrait,
    notices: Vec<NoticeMessage>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    if notices.is_empty() {
        return Ok(());
    }
    insert(txn, notices.into_iter().map(|one| one.row(now))).await
}

/// Plans mails about an appointment for those of a customer's people who take part, by who they are among the attendees,
/// and how often it was changed by now; what is planned of an earlier state of it is called off.
///
/// # Errors
/// The database.
pub(crate) async fn plan_meetings(
    txn: &impl ConnectionTrait,
    customer: CustomerId,
    attendees: &[AttendeeId],
    sequence: i32,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    if attendees.is_empty() {
        return Ok(());
    }
    Entity::update_many()
        .col_expr(Column::State, Expr::val(State::Cancelled.to_value()))
        .col_expr(Column::SettledAt, Expr::val(now))
        .filter(Column::SubjectId.is_in(attendees.iter().copied()))
        .filter(Column::Kind.eq(Kind::Meeting))
        .filter(Column::State.is_in([State::Planned, State::Deferred]))
        .exec(txn)
        .await?;
    let rows = attendees.iter().map(|attendee| {
        let key = format!("meeting:{}:{sequence}", attendee.0);
        ActiveModel {
            class: Set(Class::Service),
            customer_id: Set(Some(customer)),
            ..planned(key, Kind::Meeting, attendee.0, actor, now)
        }
    });
    insert(txn, rows).await
}

/// For how long a statement is worth sending: holidays put it off.
pub const STATEMENT_LIFETIME: TimeDelta = TimeDelta::days(10);

/// Plans the message by which a customer gets a statement on a channel; one that was planned already is left as it is.
///
/// # Errors
/// The database.
pub(crate) async fn plan_statement(
    txn: &impl ConnectionTrait,
    statement: &statement::Model,
    channel: Channel,
    now: DateTimeUtc,
) -> Result<(), Error> {
    insert(txn, [statement_row(statement, channel, now)]).await
}

/// The message that it would be, which knows what the statement says, since there is none yet.
pub(crate) fn statement_message(
    statement: &statement::Model,
    channel: Channel,
    now: DateTimeUtc,
) -> Option<Model> {
    let said = serde_json::to_value(statement).ok();
    ActiveModel { facts: Set(said), ..statement_row(statement, channel, now) }.try_into_model().ok()
}

fn statement_row(statement: &statement::Model, channel: Channel, now: DateTimeUtc) -> ActiveModel {
    let key = format!("statement:{}", statement.id.0);
    let actor = statement.created_by.map_or(Actor::System, Actor::User);
    ActiveModel {
        class: Set(Class::Service),
        channel: Set(channel),
        customer_id: Set(Some(statement.customer_id)),
        run_id: Set(statement.run_id),
        expires_at: Set(now + STATEMENT_LIFETIME),
        ..planned(key, Kind::Statement, statement.id.0, actor, now)
    }
}

async fn insert(
    txn: &impl ConnectionTrait,
    rows: impl IntoIterator<Item = ActiveModel>,
) -> Result<(), Error> {
    let once = OnConflict::column(Column::EffectKey).do_nothing().to_owned();
    Entity::insert_many(rows).on_conflict(once).exec_without_returning(txn).await?;
    Ok(())
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
