//! Part of a series: one occurrence, or that and those after it.
//!
//! Invariant: what is asked for as a part becomes an appointment of its own, with who takes part and the reminders of
//! the series, and the series keeps the rest.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{Condition, IntoActiveModel, QuerySelect};

use super::arrange::{announce, fit};
use super::{ActiveModel, Column, Entity, Model, State, attendee};
use crate::access::Actor;
use crate::collaboration::CollaborationError;
use crate::edit;
use crate::error::Error;
use crate::id::AppointmentId;

/// Which part of a series is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it; also an appointment that does not come again.
    All,
    /// The occurrence that begins then, as long as it has not been changed: an exception stays found by the start that
    /// it stands for.
    This(DateTimeUtc),
    /// That occurrence, and all after it.
    Following(DateTimeUtc),
}

/// The part of an appointment as one of its own, which it becomes if it is none yet.
///
/// # Errors
/// [`CollaborationError::NoSuchOccurrence`].
pub(super) async fn of(
    txn: &impl ConnectionTrait,
    row: Model,
    part: Part,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    match part {
        Part::All => Ok(row),
        Part::This(at) => this(txn, row, at, actor, now).await,
        Part::Following(at) => following(txn, row, at, actor, now).await,
    }
}

async fn this(
    txn: &impl ConnectionTrait,
    row: Model,
    at: DateTimeUtc,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let start = row.starting(at).ok_or(CollaborationError::NoSuchOccurrence)?;
    if row.rule.is_none() {
        return Ok(row);
    }
    let there = Entity::find()
        .filter(Column::SeriesId.eq(row.id))
        .filter(Column::OriginalLocal.eq(start))
        .lock_exclusive();
    match there.one(txn).await? {
        Some(there) if there.deleted_at.is_some() => {
            Err(CollaborationError::NoSuchOccurrence.into())
        }
        Some(there) => Ok(there),
        None => {
            let id = row.id;
            let one = ActiveModel {
                start_local: Set(start),
                rule: Set(None),
                series_id: Set(Some(id)),
                original_local: Set(Some(start)),
                original_at: Set(Some(at)),
                ..row.into_active_model().reset_all()
            };
            apart(txn, id, one, actor, now).await
        }
    }
}

async fn following(
    txn: &impl ConnectionTrait,
    row: Model,
    at: DateTimeUtc,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let start = row.starting(at).ok_or(CollaborationError::NoSuchOccurrence)?;
    let Some(series) = row.recurrence() else { return Ok(row) };
    let Some(before) = series.until_before(start) else { return Ok(row) };
    let after = series.from(start).ok_or(CollaborationError::NoSuchOccurrence)?;
    let (id, sequence) = (row.id, row.sequence);
    let rest = ActiveModel {
        start_local: Set(start),
        rule: Set(Some(after.rule())),
        ..row.into_active_model().reset_all()
    };
    let rest = apart(txn, id, rest, actor, now).await?;
    Entity::update_many()
        .col_expr(Column::SeriesId, Expr::val(rest.id.0))
        .filter(Column::SeriesId.eq(id))
        .filter(Column::OriginalLocal.gte(start))
        .exec(txn)
        .await?;
    shorten(txn, (id, sequence), &before.rule(), actor, now).await?;
    Ok(rest)
}

/// Lets a series that was changed so often end earlier.
async fn shorten(
    txn: &impl ConnectionTrait,
    (id, sequence): (AppointmentId, i32),
    rule: &str,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let change = ActiveModel {
        rule: Set(Some(rule.to_owned())),
        sequence: Set(sequence + 1),
        ..Default::default()
    };
    let row = edit::update::<Entity>(txn, id, change, None, actor, now).await?;
    announce(txn, &row, actor, now).await?;
    Ok(row)
}

/// Lets a series end before an occurrence; nothing when that is its first one.
///
/// # Errors
/// [`CollaborationError::NoSuchOccurrence`].
pub(super) async fn end_before(
    txn: &impl ConnectionTrait,
    row: &Model,
    at: DateTimeUtc,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Option<Model>, Error> {
    let start = row.starting(at).ok_or(CollaborationError::NoSuchOccurrence)?;
    let before = row.recurrence().and_then(|series| series.until_before(start));
    let Some(before) = before else { return Ok(None) };
    let row = shorten(txn, (row.id, row.sequence), &before.rule(), actor, now).await?;
    refit(txn, &row, false).await?;
    Ok(Some(row))
}

/// Adds what was part of another appointment.
async fn apart(
    txn: &impl ConnectionTrait,
    from: AppointmentId,
    row: ActiveModel,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = edit::create::<Entity>(txn, row, actor, now).await?;
    attendee::copy(txn, from, row.id, now).await?;
    fit(txn, &row, now).await?;
    Ok(row)
}

/// Lets those exceptions of a series go that stand for a start which it does not have (any more); with `all` every one
/// of them. What has taken place stays as an appointment of its own.
pub(super) async fn refit(txn: &impl ConnectionTrait, row: &Model, all: bool) -> Result<(), Error> {
    let exceptions = Entity::find().filter(Column::SeriesId.eq(row.id)).all(txn).await?;
    let series = row.recurrence();
    let gone = exceptions.into_iter().filter(|exception| {
        let stands = exception
            .original_local
            .is_some_and(|start| series.as_ref().is_some_and(|series| series.contains(start)));
        all || !stands
    });
    let gone: Vec<_> = gone.map(|exception| exception.id).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let over = Column::State.is_in([State::Held, State::Missed]);
    let these = Condition::all().add(Column::Id.is_in(gone));
    Entity::update_many()
        .col_expr(Column::SeriesId, Expr::val(None::<Uuid>))
        .col_expr(Column::OriginalLocal, Expr::val(None::<DateTime>))
        .col_expr(Column::OriginalAt, Expr::val(None::<DateTimeUtc>))
        .filter(these.clone())
        .filter(over.clone())
        .exec(txn)
        .await?;
    Entity::delete_many().filter(these).filter(over.not()).exec(txn).await?;
    Ok(())
}
