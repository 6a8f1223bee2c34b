//! Telling the reminders that are due.
//!
//! Invariant: nobody is told of an occurrence that does not take place; of a series the next one is reminded of once this
//! one was.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, LockBehavior, LockType};
use sea_orm::{Condition, QueryOrder, QuerySelect, QueryTrait};

use super::follow::{Due, Subject, write};
use super::{Column, Entity, Model};
use crate::collaboration::{appointment, notification};
use crate::error::Error;
use crate::id::{AppointmentId, ReminderId};

/// After which a reminder that was not told yet is late.
const LATE: TimeDelta = TimeDelta::minutes(5);

/// How many reminders are told at once.
const BATCH: u64 = 500;

/// Whether a reminder is due, as a condition.
#[must_use]
pub fn is_due(now: DateTimeUtc) -> Expr {
    Expr::exists(Entity::find().filter(Column::DueAt.lte(now)).into_query())
}

/// Tells a batch of reminders that are due; gives how many were looked at.
///
/// # Errors
/// The database.
pub async fn tell(txn: &impl ConnectionTrait, now: DateTimeUtc) -> Result<u64, Error> {
    let due = Entity::find()
        .filter(Column::DueAt.lte(now))
        .order_by_asc(Column::DueAt)
        .limit(BATCH)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(txn)
        .await?;
    if due.is_empty() {
        return Ok(0);
    }
    let looked = due.len() as u64;
    let (of_appointments, others): (Vec<_>, Vec<_>) =
        due.into_iter().partition(|row| row.appointment_id.is_some());
    let mut told: Vec<_> = others.into_iter().map(|row| row.id).collect();
    let later = appointments(txn, of_appointments, &mut told, now).await?;
    let these = Condition::all().add(Column::Id.is_in(told));
    let is_late = Expr::col(Column::Late).or(Expr::col(Column::DueAt).lt(now - LATE));
    Entity::update_many()
        .col_expr(Column::Late, is_late)
        .col_expr(Column::ToldAt, Expr::val(now))
        .col_expr(Column::DueAt, Expr::val(None::<DateTimeUtc>))
        .filter(these.clone())
        .exec(txn)
        .await?;
    notification::reminded(txn, these, now).await?;
    write(txn, later).await?;
    Ok(looked)
}

/// Adds those of the reminders of appointments to `told` whose occurrence takes place; gives those that go on to the next
/// one, or end.
async fn appointments(
    txn: &impl ConnectionTrait,
    due: Vec<Model>,
    told: &mut Vec<ReminderId>,
    now: DateTimeUtc,
) -> Result<Vec<Model>, Error> {
    let ids: Vec<AppointmentId> = due.iter().filter_map(|row| row.appointment_id).collect();
    let running = appointment::ahead(txn, &ids).await?;
    let mut later = Vec::new();
    for row in due {
        let Some((id, at)) = row.appointment_id.zip(row.at) else { continue };
        let ahead = running.get(&id);
        let takes_place = ahead.is_some_and(|ahead| ahead.has(at));
        if takes_place {
            told.push(row.id);
        }
        let next = ahead.and_then(|ahead| ahead.after(Ord::max(at, now)));
        if next.is_some() || !takes_place {
            let due = Due { subject: Subject::Appointment(id), at: next, user: row.user_id };
            later.push(row.following(due, now));
        }
    }
    Ok(later)
}
