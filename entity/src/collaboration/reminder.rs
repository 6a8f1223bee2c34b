//! Reminders: who has to do something is told of it some time before.
//!
//! Invariant: a reminder follows its record in the transaction in which that changes. What gets another time or goes to
//! somebody else is told anew, what is done, called off or deleted is not told, and nobody is told twice of the same
//! time. What comes due while nothing is carried out is told late; it is not left out.

use std::collections::HashMap;

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, LockBehavior, LockType, OnConflict};
use sea_orm::{Condition, IntoActiveModel, QueryOrder, QuerySelect};

use super::{CollaborationError, call, notification, task};
use crate::access::{Actor, user};
use crate::catalog::catalog;
use crate::edit::{self, Editable, IdOf};
use crate::error::Error;
use crate::id::{CallId, Id, ReminderId, TaskId, UserId};

/// How many reminders a record has at most.
pub const MOST: usize = 10;

/// How long before the time that a record is for a reminder is at most.
const EARLIEST: TimeDelta = TimeDelta::days(366);

/// For how long a reminder is put off at least and at most.
const SNOOZE: (TimeDelta, TimeDelta) = (TimeDelta::minutes(5), TimeDelta::days(30));

/// How often a reminder is put off at most.
const SNOOZES: i32 = 10;

/// After which a reminder that was not told yet is late.
const LATE: TimeDelta = TimeDelta::minutes(5);

/// How many reminders are told at once.
const BATCH: u64 = 500;

/// A reminder.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reminder")]
#[expect(missing_docs, reason = "the catalogue says below what each column is")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReminderId,
    pub task_id: Option<TaskId>,
    pub call_id: Option<CallId>,
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
        seen with [Column::TaskId => task::Entity, Column::CallId => call::Entity];
    /// The task that it reminds of; null when it reminds of something else.
    task: one::<task::Entity>(Column::TaskId),
    /// The call that it reminds of; null when it reminds of something else.
    call: one::<call::Entity>(Column::CallId),
    /// How many seconds before the time of its record it is told.
    before_s: whole(Column::BeforeS).filtered().ordered(),
    /// The id of whom it reminds.
    user_id: uuid::<UserId>(Column::UserId).hidden(),
    /// Whom it reminds, who is whoever has to do it; null when that is nobody yet.
    user: one::<user::Entity>(Column::UserId),
    /// The time that its record is for; null while there is none, and when there is nothing to do any more.
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

/// What is reminded of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A task.
    Task(TaskId),
    /// A call.
    Call(CallId),
}

impl Subject {
    /// Its reminders.
    fn reminders(self) -> Expr {
        match self {
            Self::Task(id) => Column::TaskId.eq(id),
            Self::Call(id) => Column::CallId.eq(id),
        }
    }
}

/// What there is to remind of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// What.
    pub subject: Subject,
    /// For when it is; none when there is nothing to do, or no time for it.
    pub at: Option<DateTimeUtc>,
    /// Who has to do it.
    pub user: Option<UserId>,
}

impl Model {
    /// What it reminds of.
    fn subject(&self) -> Option<Subject> {
        self.task_id.map(Subject::Task).or(self.call_id.map(Subject::Call))
    }

    /// The reminder with what its record is like now. What lies behind is not reminded of; what is nearer than the
    /// reminder is reminded of at once.
    fn following(mut self, due: Due, now: DateTimeUtc) -> Self {
        (self.at, self.user_id) = (due.at, due.user);
        let ahead = due.at.filter(|at| *at > now && due.user.is_some());
        self.due_at = ahead.map(|at| at - TimeDelta::seconds(self.before_s.into()));
        self.late = self.due_at.is_some_and(|due| due < now);
        (self.told_at, self.dismissed_at, self.snoozes) = (None, None, 0);
        self.caused()
    }

    /// The same, with what makes the next telling of it one.
    fn caused(mut self) -> Self {
        let at = self.at.map(|at| at.timestamp_micros());
        let name = format!("{at:?} {:?} {}", self.user_id.map(|user| user.0), self.snoozes);
        self.cause_id = Uuid::new_v5(&self.id.0, name.as_bytes());
        self
    }
}

/// Lets the reminders of records follow what has become of these.
///
/// # Errors
/// The database.
pub(crate) async fn follow(
    txn: &impl ConnectionTrait,
    due: impl IntoIterator<Item = Due>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let due: HashMap<_, _> = due.into_iter().map(|due| (due.subject, due)).collect();
    if due.is_empty() {
        return Ok(());
    }
    let (mut tasks, mut calls) = (Vec::new(), Vec::new());
    for subject in due.keys() {
        match subject {
            Subject::Task(id) => tasks.push(*id),
            Subject::Call(id) => calls.push(*id),
        }
    }
    let theirs = Column::TaskId.is_in(tasks).or(Column::CallId.is_in(calls));
    let rows = Entity::find().filter(theirs).all(txn).await?;
    let moved = rows.into_iter().filter_map(|row| {
        let due = *due.get(&row.subject()?)?;
        ((row.at, row.user_id) != (due.at, due.user)).then(|| row.following(due, now))
    });
    write(txn, moved.collect()).await
}

/// Lets the reminders of calls end that were called off.
///
/// # Errors
/// The database.
pub(crate) async fn end(txn: &impl ConnectionTrait, calls: &[CallId]) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::At, Expr::val(None::<DateTimeUtc>))
        .col_expr(Column::DueAt, Expr::val(None::<DateTimeUtc>))
        .filter(Column::CallId.is_in(calls.iter().copied()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Writes reminders, new ones and those that were there.
async fn write(txn: &impl ConnectionTrait, rows: Vec<Model>) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let again = OnConflict::column(Column::Id)
        .update_columns([
            Column::UserId,
            Column::At,
            Column::DueAt,
            Column::ToldAt,
            Column::Late,
            Column::Snoozes,
            Column::DismissedAt,
            Column::CauseId,
        ])
        .to_owned();
    let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
    Entity::insert_many(rows).on_conflict(again).exec_without_returning(txn).await?;
    Ok(())
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
    let mut wanted = Vec::new();
    for before in before {
        let seconds = i32::try_from(before.num_seconds()).unwrap_or(-1);
        if seconds < 0 || *before > EARLIEST {
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
    let row = edit::lock_present::<E>(txn, id, None).await?;
    let Some(due) = edit::Form::reminds(&row) else { return Ok(row) };
    let of_record = due.subject.reminders();
    let gone = Entity::delete_many().filter(of_record.clone());
    gone.filter(Column::BeforeS.is_not_in(wanted.iter().copied())).exec(txn).await?;
    let there = Entity::find().select_only().column(Column::BeforeS).filter(of_record);
    let there: Vec<i32> = there.into_tuple().all(txn).await?;
    let added = wanted.into_iter().filter(|before| !there.contains(before));
    let added = added.map(|before| added_to(due, before, now)).collect();
    write(txn, added).await?;
    Ok(row)
}

/// A new reminder of a record.
fn added_to(due: Due, before_s: i32, now: DateTimeUtc) -> Model {
    let (task_id, call_id) = match due.subject {
        Subject::Task(id) => (Some(id), None),
        Subject::Call(id) => (None, Some(id)),
    };
    let row = Model {
        id: ReminderId::new(now),
        task_id,
        call_id,
        before_s,
        user_id: None,
        at: None,
        due_at: None,
        told_at: None,
        late: false,
        snoozes: 0,
        dismissed_at: None,
        cause_id: Uuid::nil(),
        created_at: now,
    };
    row.following(due, now)
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

/// Whether a reminder is due.
///
/// # Errors
/// The database.
pub async fn is_due(db: &impl ConnectionTrait, now: DateTimeUtc) -> Result<bool, DbErr> {
    let due = Entity::find().select_only().column(Column::Id).filter(Column::DueAt.lte(now));
    Ok(due.into_tuple::<ReminderId>().one(db).await?.is_some())
}

/// Tells a batch of reminders that are due; gives how many.
///
/// # Errors
/// The database.
pub async fn tell(txn: &impl ConnectionTrait, now: DateTimeUtc) -> Result<u64, Error> {
    let due: Vec<ReminderId> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::DueAt.lte(now))
        .order_by_asc(Column::DueAt)
        .limit(BATCH)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(txn)
        .await?;
    if due.is_empty() {
        return Ok(0);
    }
    let these = Condition::all().add(Column::Id.is_in(due.iter().copied()));
    let is_late = Expr::col(Column::Late).or(Expr::col(Column::DueAt).lt(now - LATE));
    Entity::update_many()
        .col_expr(Column::Late, is_late)
        .col_expr(Column::ToldAt, Expr::val(now))
        .col_expr(Column::DueAt, Expr::val(None::<DateTimeUtc>))
        .filter(these.clone())
        .exec(txn)
        .await?;
    notification::reminded(txn, these, now).await?;
    Ok(due.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> DateTimeUtc {
        format!("2026-11-03T{time}:00Z").parse().unwrap()
    }

    fn due(time: Option<&str>, user: Option<UserId>) -> Due {
        Due { subject: Subject::Task(TaskId(Uuid::nil())), at: time.map(at), user }
    }

    #[test]
    fn a_reminder_is_due_before_its_record() {
        let user = Some(UserId(Uuid::nil()));
        let row = added_to(due(Some("12:00"), user), 900, at("09:00"));
        assert_eq!((row.due_at, row.late), (Some(at("11:45")), false));
        let nearer = row.clone().following(due(Some("09:10"), user), at("09:00"));
        assert_eq!((nearer.due_at, nearer.late), (Some(at("08:55")), true));
        assert_ne!(nearer.cause_id, row.cause_id);
        let back = nearer.following(due(Some("12:00"), user), at("09:00"));
        assert_eq!(back.cause_id, row.cause_id, "nobody is told twice of the same time");
    }

    #[test]
    fn nobody_is_reminded_of_what_is_over_or_nobodys() {
        let user = Some(UserId(Uuid::nil()));
        for due in [due(Some("08:00"), user), due(None, user), due(Some("12:00"), None)] {
            let row = added_to(due, 900, at("09:00"));
            assert_eq!((row.due_at, row.late), (None, false));
        }
    }
}
