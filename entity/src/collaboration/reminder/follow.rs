//! What becomes of reminders when something becomes of their record.

use std::collections::HashMap;

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{Condition, IntoActiveModel};

use super::{Column, Entity, Model};
use crate::error::Error;
use crate::id::{AppointmentId, CallId, Id, ReminderId, TaskId, UserId};

/// How many reminders are written in a statement; databases bind only so many values in one.
const AT_ONCE: usize = 1_000;

/// What is reminded of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A task.
    Task(TaskId),
    /// A call.
    Call(CallId),
    /// An appointment.
    Appointment(AppointmentId),
}

impl Subject {
    /// Its reminders.
    pub(super) fn reminders(self) -> Expr {
        match self {
            Self::Task(id) => Column::TaskId.eq(id),
            Self::Call(id) => Column::CallId.eq(id),
            Self::Appointment(id) => Column::AppointmentId.eq(id),
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
    /// Who has to do it; of an appointment each reminder has somebody of its own.
    pub user: Option<UserId>,
}

impl Model {
    /// What it reminds of.
    fn subject(&self) -> Option<Subject> {
        let task = self.task_id.map(Subject::Task);
        let call = || self.call_id.map(Subject::Call);
        task.or_else(call).or_else(|| self.appointment_id.map(Subject::Appointment))
    }

    /// Whom it reminds when its record is like this.
    fn reminded(&self, due: Due) -> Option<UserId> {
        match due.subject {
            Subject::Appointment(_) => self.user_id,
            Subject::Task(_) | Subject::Call(_) => due.user,
        }
    }

    /// The reminder with what its record is like now. What lies behind is not reminded of; what is nearer than the
    /// reminder is reminded of at once.
    pub(super) fn following(mut self, due: Due, now: DateTimeUtc) -> Self {
        (self.at, self.user_id) = (due.at, self.reminded(due));
        let ahead = due.at.filter(|at| *at > now && self.user_id.is_some());
        self.due_at = ahead.map(|at| at - TimeDelta::seconds(self.before_s.into()));
        self.late = self.due_at.is_some_and(|due| due < now);
        (self.told_at, self.dismissed_at, self.snoozes) = (None, None, 0);
        self.caused()
    }

    /// The same, with what makes the next telling of it one.
    pub(super) fn caused(mut self) -> Self {
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
    let (mut tasks, mut calls, mut appointments) = (Vec::new(), Vec::new(), Vec::new());
    for subject in due.keys() {
        match subject {
            Subject::Task(id) => tasks.push(*id),
            Subject::Call(id) => calls.push(*id),
            Subject::Appointment(id) => appointments.push(*id),
        }
    }
    // One kind is asked for at a time, so that its index is taken.
    let theirs = [
        (!tasks.is_empty()).then(|| Column::TaskId.is_in(tasks)),
        (!calls.is_empty()).then(|| Column::CallId.is_in(calls)),
        (!appointments.is_empty()).then(|| Column::AppointmentId.is_in(appointments)),
    ];
    let theirs = theirs.into_iter().fold(Condition::any(), Condition::add_option);
    let rows = Entity::find().filter(theirs).all(txn).await?;
    let moved = rows.into_iter().filter_map(|row| {
        let due = *due.get(&row.subject()?)?;
        let same = (row.at, row.user_id) == (due.at, row.reminded(due));
        (!same).then(|| row.following(due, now))
    });
    write(txn, moved.collect()).await
}

/// Lets the reminders of calls end that were called off.
///
/// # Errors
/// The database.
pub(crate) async fn end(txn: &impl ConnectionTrait, calls: &[CallId]) -> Result<(), Error> {
    end_those(txn, Column::CallId.is_in(calls.iter().copied())).await
}

/// Lets the reminders of appointments end that were called off.
///
/// # Errors
/// The database.
pub(crate) async fn end_appointments(
    txn: &impl ConnectionTrait,
    appointments: &[AppointmentId],
) -> Result<(), Error> {
    end_those(txn, Column::AppointmentId.is_in(appointments.iter().copied())).await
}

async fn end_those(txn: &impl ConnectionTrait, those: Expr) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::At, Expr::val(None::<DateTimeUtc>))
        .col_expr(Column::DueAt, Expr::val(None::<DateTimeUtc>))
        .filter(those)
        .exec(txn)
        .await?;
    Ok(())
}

/// Lets exactly these `users` be reminded of an appointment that takes place at `at`, so many seconds before it each;
/// reminders that are there already go on.
///
/// # Errors
/// The database.
pub(crate) async fn fit(
    txn: &impl ConnectionTrait,
    appointment: AppointmentId,
    at: Option<DateTimeUtc>,
    users: &[UserId],
    before: &[i32],
    now: DateTimeUtc,
) -> Result<(), Error> {
    let of_appointment = Column::AppointmentId.eq(appointment);
    let gone = Condition::any()
        .add(Column::UserId.is_not_in(users.iter().copied()))
        .add(Column::BeforeS.is_not_in(before.iter().copied()));
    Entity::delete_many().filter(of_appointment.clone()).filter(gone).exec(txn).await?;
    let there = Entity::find().filter(of_appointment).all(txn).await?;
    let due = Due { subject: Subject::Appointment(appointment), at, user: None };
    let mut missing = Vec::new();
    for user in users {
        for before in before {
            let is_it = |row: &&Model| row.user_id == Some(*user) && row.before_s == *before;
            if there.iter().find(is_it).is_none() {
                missing.push(added(Due { user: Some(*user), ..due }, *before, now));
            }
        }
    }
    write(txn, missing).await
}

/// Adds reminders to new records, so many seconds before each.
///
/// # Errors
/// The database.
pub(crate) async fn add(
    txn: &impl ConnectionTrait,
    records: impl IntoIterator<Item = (Due, Vec<i32>)>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let of = |(due, before): (Due, Vec<i32>)| {
        before.into_iter().map(move |before| added(due, before, now)).collect::<Vec<_>>()
    };
    let rows = records.into_iter().flat_map(of).collect::<Vec<_>>();
    for rows in rows.chunks(AT_ONCE) {
        write(txn, rows.to_vec()).await?;
    }
    Ok(())
}

/// Writes reminders, new ones and those that were there.
pub(super) async fn write(txn: &impl ConnectionTrait, rows: Vec<Model>) -> Result<(), Error> {
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

/// A new reminder of a record.
pub(super) fn added(due: Due, before_s: i32, now: DateTimeUtc) -> Model {
    let (mut task_id, mut call_id, mut appointment_id) = (None, None, None);
    match due.subject {
        Subject::Task(id) => task_id = Some(id),
        Subject::Call(id) => call_id = Some(id),
        Subject::Appointment(id) => appointment_id = Some(id),
    }
    let row = Model {
        id: ReminderId::new(now),
        task_id,
        call_id,
        appointment_id,
        before_s,
        user_id: due.user,
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
        let row = added(due(Some("12:00"), user), 900, at("09:00"));
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
            let row = added(due, 900, at("09:00"));
            assert_eq!((row.due_at, row.late), (None, false));
        }
    }
}
