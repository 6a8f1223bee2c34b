//! Reminders: who has to do something is told of it some time before.
//!
//! ```text
//! follow   what becomes of reminders when something becomes of their record
//! tell     telling those that are due
//! ```
//!
//! Invariant: a reminder follows its record in the transaction in which that changes. What gets another time or goes to
//! somebody else is told anew, what is done, called off or deleted is not told, and nobody is told twice of the same
//! time. What comes due while nothing is carried out is told late; it is not left out.

mod follow;
mod tell;

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QuerySelect};

use super::{CollaborationError, appointment, call, task};
use crate::access::{Actor, user};
use crate::catalog::catalog;
use crate::edit::{self, Editable, IdOf};
use crate::error::Error;
use crate::id::{AppointmentId, CallId, ReminderId, TaskId, UserId};

pub use follow::{Due, Subject};
pub(super) use follow::{add, end_appointments, fit};
use follow::{added, write};
pub(crate) use follow::{end, follow};
pub use tell::{is_due, tell};

/// How many reminders a record has at most.
pub const MOST: usize = 10;

/// How long before the time that a record is for a reminder is at most.
const EARLIEST: TimeDelta = TimeDelta::days(366);

/// For how long a reminder is put off at least and at most.
const SNOOZE: (TimeDelta, TimeDelta) = (TimeDelta::minutes(5), TimeDelta::days(30));

/// How often a reminder is put off at most.
const SNOOZES: i32 = 10;

/// A reminder.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reminder")]
#[expect(missing_docs, reason = "the catalogue says below what each column is")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReminderId,
    pub task_id: Option<TaskId>,
    pub call_id: Option<CallId>,
    pub appointment_id: Option<AppointmentId>,
    pub before_s: i32,
    pub user_id: Option<UserId>,
    pub at: Option<DateTimeUtc>,
    pub due_at: Option<DateTimeUtc>,
    pub told_at: Option<DateTimeUtc>,
    pub late: bool,
    pub snoozes: i32,
    pub dismissed_at: Option<DateTimeUtc>,
    /// What makes the telling of it one: no user is told twice of a cause.
    pub cause_id: Uuid,
    pub created_at: DateTimeUtc,
}

catalog! {
    /// That who has to do something is told of it some time before. Who sees the record sees its reminders.
    Reminder (reminder, reminders) of Entity,
        seen with [
            Column::TaskId => task::Entity, Column::CallId => call::Entity,
            Column::AppointmentId => appointment::Entity,
        ];
    /// The task that it reminds of; null when it reminds of something else.
    task: one::<task::Entity>(Column::TaskId),
    /// The call that it reminds of; null when it reminds of something else.
    call: one::<call::Entity>(Column::CallId),
    /// The appointment that it reminds of; null when it reminds of something else.
    appointment: one::<appointment::Entity>(Column::AppointmentId),
    /// How many seconds before the time of its record it is told.
    before_s: whole(Column::BeforeS).filtered().ordered(),
    /// The id of whom it reminds.
    user_id: uuid::<UserId>(Column::UserId).hidden(),
    /// Whom it reminds: whoever has to do it, or takes part; null when that is nobody yet.
    user: one::<user::Entity>(Column::UserId),
    /// The time that its record is for, which is the next one of a series; null while there is none, and when there is
    /// nothing to do any more.
    at: instant(Column::At).filtered(),
    /// When it is told next; null when it was told, when there is no time, and when that is over.
    due_at: instant(Column::DueAt).filtered().ordered(),
    /// When it was told last; null when it was not, of this time.
    told_at: instant(Column::ToldAt).filtered(),
    /// Whether it came later than it says, as its record got a time that was too near, or nothing could be told.
    late: truth(Column::Late),
    /// How often it was put off.
    snoozes: whole(Column::Snoozes),
    /// When whom it reminds put it away; null when they did not.
    dismissed_at: instant(Column::DismissedAt).filtered(),
    /// When it was added.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
}

/// How many seconds before its time a record is reminded of, each once and in their order.
///
/// # Errors
/// `Invalid` for too many or too early ones.
pub(super) fn seconds(before: &[TimeDelta]) -> Result<Vec<i32>, Error> {
    clean(before.iter().map(|before| i32::try_from(before.num_seconds()).unwrap_or(-1)))
}

/// The same, of seconds.
///
/// # Errors
/// `Invalid` for too many or too early ones.
pub(super) fn clean(before: impl IntoIterator<Item = i32>) -> Result<Vec<i32>, Error> {
    let mut wanted = Vec::new();
    for seconds in before {
        if seconds < 0 || i64::from(seconds) > EARLIEST.num_seconds() {
            let days = EARLIEST.num_days();
            return Err(Error::invalid("before", format!("a reminder is 0 to {days} days before")));
        }
        wanted.push(seconds);
    }
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.len() > MOST {
        return Err(Error::invalid("before", format!("a record has at most {MOST} reminders")));
    }
    Ok(wanted)
}

/// Says how long before its time a record is reminded of; gives the record. Reminders that it has already go on.
///
/// # Errors
/// `Invalid` for too many or too early ones, that there is no such record.
pub async fn set<E>(
    txn: &impl ConnectionTrait,
    id: IdOf<E>,
    before: &[TimeDelta],
    now: DateTimeUtc,
) -> Result<E::Model, Error>
where
    E: Editable,
{
    let wanted = seconds(before)?;
    let row = edit::lock_present::<E>(txn, id, None).await?;
    let Some(due) = edit::Form::reminds(&row, now) else { return Ok(row) };
    let of_record = due.subject.reminders();
    let gone = Entity::delete_many().filter(of_record.clone());
    gone.filter(Column::BeforeS.is_not_in(wanted.iter().copied())).exec(txn).await?;
    let there = Entity::find().select_only().column(Column::BeforeS).filter(of_record);
    let there: Vec<i32> = there.into_tuple().all(txn).await?;
    let missing = wanted.into_iter().filter(|before| !there.contains(before));
    write(txn, missing.map(|before| added(due, before, now)).collect()).await?;
    Ok(row)
}

/// The reminder, locked, if it is `actor`'s.
async fn lock(txn: &impl ConnectionTrait, id: ReminderId, actor: Actor) -> Result<Model, Error> {
    let theirs = Entity::find_by_id(id).filter(Column::UserId.eq(actor.user()));
    let row = theirs.lock_exclusive().one(txn).await?;
    row.ok_or_else(|| Error::no_such::<Entity>().at(&["id"]))
}

/// Puts a reminder of `actor`'s off until then.
///
/// # Errors
/// `Invalid` for a time that is too near or too far, [`Error::NoSuch`], [`CollaborationError::NothingToRemindOf`],
/// [`CollaborationError::SnoozedEnough`].
pub async fn snooze(
    txn: &impl ConnectionTrait,
    id: ReminderId,
    until: DateTimeUtc,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    if until < now + SNOOZE.0 || until > now + SNOOZE.1 {
        return Err(Error::invalid("until", "a reminder is put off for 5 minutes to 30 days"));
    }
    let mut row = lock(txn, id, actor).await?;
    if row.at.is_none() {
        return Err(CollaborationError::NothingToRemindOf.into());
    }
    if row.snoozes >= SNOOZES {
        return Err(CollaborationError::SnoozedEnough(SNOOZES).into());
    }
    row.snoozes += 1;
    row.due_at = Some(until);
    (row.late, row.told_at, row.dismissed_at) = (false, None, None);
    let row = row.caused();
    Ok(row.into_active_model().reset_all().update(txn).await?)
}

/// Puts a reminder of `actor`'s away: it is not told any more, of this time. Doing so again changes nothing.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn dismiss(
    txn: &impl ConnectionTrait,
    id: ReminderId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = lock(txn, id, actor).await?;
    if row.dismissed_at.is_some() {
        return Ok(row);
    }
    let mut row = row.into_active_model();
    (row.dismissed_at, row.due_at) = (Set(Some(now)), Set(None));
    Ok(row.update(txn).await?)
}
