//! What becomes of an appointment: it takes place or does not, it is called off; and who says that they come.
//!
//! Invariant: what has taken place or was called off does not change any more.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ActiveEnum, QuerySelect};

use super::arrange::{announce, fit};
use super::attendee::{self, Response};
use super::part::{self, Part};
use super::{Column, Entity, Model, State};
use crate::access::Actor;
use crate::automation::event;
use crate::collaboration::{CollaborationError, reminder};
use crate::edit;
use crate::error::Error;
use crate::id::AppointmentId;

/// What becomes of an appointment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It has taken place, and this came of it.
    Hold(Option<String>),
    /// It has not taken place, as somebody did not come.
    Miss(Option<String>),
    /// It does not take place.
    Cancel,
}

impl Model {
    /// Makes sure that it is still to take place.
    pub(super) fn ensure_planned(&self) -> Result<(), Error> {
        match self.state {
            State::Planned => Ok(()),
            _ => Err(CollaborationError::AppointmentNotPlanned.into()),
        }
    }
}

/// Says what has become of an appointment, or of part of a series. What is so already stays as it is.
///
/// # Errors
/// `Invalid`, that there is none, [`CollaborationError`], [`Error::StaleVersion`].
pub async fn turn(
    txn: &impl ConnectionTrait,
    id: AppointmentId,
    part: Part,
    turn: Turn,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = edit::lock_present::<Entity>(txn, id, expected_version).await?;
    let is_series = row.rule.is_some();
    let mut row = match (part, &turn) {
        (Part::Following(at), Turn::Cancel) if is_series => {
            row.ensure_planned()?;
            if let Some(shorter) = part::end_before(txn, &row, at, actor, now).await? {
                return Ok(shorter);
            }
            row
        }
        (Part::This(_), _) => {
            if is_series {
                row.ensure_planned()?;
            }
            part::of(txn, row, part, actor, now).await?
        }
        (_, Turn::Cancel) => row,
        _ if is_series => return Err(CollaborationError::WhichOccurrence.into()),
        _ => row,
    };
    let (state, kind, note) = match turn {
        Turn::Hold(note) => (State::Held, event::Kind::AppointmentHeld, note),
        Turn::Miss(note) => (State::Missed, event::Kind::AppointmentMissed, note),
        Turn::Cancel => (State::Cancelled, event::Kind::AppointmentCancelled, None),
    };
    if row.state == state {
        return Ok(row);
    }
    row.ensure_planned()?;
    row.state = state;
    row.note = super::parse_lines("note", note, super::TEXT)?.or(row.note.take());
    row.sequence += 1;
    if state == State::Cancelled && row.rule.is_some() {
        cancel_exceptions(txn, &row, actor, now).await?;
    }
    edit::note(txn, kind, &row, actor, now).await?;
    let row = edit::save::<Entity>(txn, row, actor, now).await?;
    if state == State::Cancelled {
        announce(txn, &row, actor, now).await?;
    }
    Ok(row)
}

/// Calls off what is still to take place of the exceptions of a series.
async fn cancel_exceptions(
    txn: &impl ConnectionTrait,
    series: &Model,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let planned: Vec<AppointmentId> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::SeriesId.eq(series.id))
        .filter(Column::State.eq(State::Planned))
        .lock_exclusive()
        .into_tuple()
        .all(txn)
        .await?;
    if planned.is_empty() {
        return Ok(());
    }
    Entity::update_many()
        .col_expr(Column::State, Expr::val(State::Cancelled.to_value()))
        .col_expr(Column::Sequence, Expr::col(Column::Sequence).add(1))
        .col_expr(Column::UpdatedAt, Expr::val(now))
        .col_expr(Column::UpdatedBy, Expr::val(actor.user().map(|user| user.0)))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.is_in(planned.iter().copied()))
        .exec(txn)
        .await?;
    reminder::end_appointments(txn, &planned).await?;
    let kind = event::Kind::AppointmentCancelled;
    let event = |id: &AppointmentId| event::new(kind, id.0, series.customer_id, actor, now);
    event::Entity::insert_many(planned.iter().map(event)).exec_without_returning(txn).await?;
    Ok(())
}

/// Says whether `actor` comes to an appointment, or to part of a series.
///
/// # Errors
/// That there is none, [`CollaborationError::NotInvited`], [`CollaborationError::NoSuchOccurrence`].
pub async fn respond(
    txn: &impl ConnectionTrait,
    id: AppointmentId,
    part: Part,
    response: Response,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = edit::lock_present::<Entity>(txn, id, None).await?;
    let user = actor.user().ok_or(CollaborationError::NotInvited)?;
    let there = attendee::of(txn, id).await?;
    if !there.iter().any(|row| row.user_id == Some(user)) {
        return Err(CollaborationError::NotInvited.into());
    }
    row.ensure_planned()?;
    let row = part::of(txn, row, part, actor, now).await?;
    attendee::respond(txn, row.id, user, response, now).await?;
    fit(txn, &row, now).await?;
    let kind = event::Kind::AppointmentAnswered;
    event::emit(txn, kind, row.id.0, row.customer_id, actor, now).await?;
    Ok(row)
}
