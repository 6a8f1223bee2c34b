//! What follows on the outcome of a call: another call, a task, or the end of others.
//!
//! Invariant: it is written with the outcome, so that neither is without the other.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveEnum, Condition, QueryOrder, QuerySelect};

use super::cadence::{Attempt, Next, USUAL};
use super::{ActiveModel, Column, Direction, Entity, Model, Outcome, State};
use crate::access::{Actor, organisation};
use crate::automation::event;
use crate::collaboration::reminder;
use crate::collaboration::task::{self, Priority};
use crate::customers::customer;
use crate::edit;
use crate::error::Error;
use crate::id::{CallId, TaskId};

/// Writes down what follows on the outcome of `row`; they asked to be called at `asked`, if they did.
///
/// # Errors
/// The database.
pub(super) async fn follow(
    txn: &impl ConnectionTrait,
    row: &mut Model,
    asked: Option<DateTimeUtc>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let Some(outcome) = row.outcome else { return Ok(()) };
    let zone = customer::get(txn, row.customer_id).await?.zone();
    let mut attempts = earlier(txn, row).await?;
    attempts.push(Attempt { outcome, at: now });
    match USUAL.next(&attempts, asked, zone) {
        Next::Call(at) => row.next_id = Some(plan(txn, row, at, actor, now).await?),
        Next::FindNumber => drop(find_number(txn, row, actor, now).await?),
        Next::Nothing => {}
    }
    match outcome {
        Outcome::NotInterested => {
            let for_it = Condition::all().add(Column::Purpose.eq(row.purpose));
            call_off(txn, row, for_it, actor, now).await
        }
        Outcome::DoNotCall => call_off(txn, row, Condition::all(), actor, now).await,
        _ => Ok(()),
    }
}

/// The calls that were made before this one to reach somebody, in their order.
async fn earlier(txn: &impl ConnectionTrait, row: &Model) -> Result<Vec<Attempt>, Error> {
    let Some(first) = row.first_id else { return Ok(Vec::new()) };
    let earlier = Entity::find()
        .select_only()
        .columns([Column::Outcome, Column::CompletedAt])
        .filter(Column::Id.eq(first).or(Column::FirstId.eq(first)))
        .filter(Column::Outcome.is_not_null())
        .filter(Column::CompletedAt.is_not_null())
        .order_by_asc(Column::Attempt);
    let earlier: Vec<(Outcome, DateTimeUtc)> = earlier.into_tuple().all(txn).await?;
    Ok(earlier.into_iter().map(|(outcome, at)| Attempt { outcome, at }).collect())
}

/// Plans the call that follows; gives its id.
async fn plan(
    txn: &impl ConnectionTrait,
    row: &Model,
    at: DateTimeUtc,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<CallId, Error> {
    let next = ActiveModel {
        customer_id: Set(row.customer_id),
        contact_id: Set(row.contact_id),
        assignee_id: Set(edit::active(txn, row.assignee_id).await?),
        direction: Set(Direction::Outbound),
        purpose: Set(row.purpose),
        subject: Set(row.subject.clone()),
        priority: Set(row.priority),
        planned_at: Set(at),
        planned_min: Set(row.planned_min),
        needs: Set(row.needs.clone()),
        say: Set(row.say.clone()),
        avoid: Set(row.avoid.clone()),
        offer: Set(row.offer.clone()),
        attempt: Set(row.attempt + 1),
        first_id: Set(Some(row.first_id.unwrap_or(row.id))),
        ..Default::default()
    };
    Ok(edit::create::<Entity>(txn, next, actor, now).await?.id)
}

/// Gives somebody the task to find the right number; gives its id.
async fn find_number(
    txn: &impl ConnectionTrait,
    row: &Model,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<TaskId, Error> {
    let title = match organisation::get(txn).await?.locale.as_str() {
        "vi" => "Tìm số điện thoại đúng",
        _ => "Find the right telephone number",
    };
    let task = task::ActiveModel {
        title: Set(title.to_owned()),
        description: Set(Some(row.subject.clone())),
        customer_id: Set(Some(row.customer_id)),
        assignee_id: Set(edit::active(txn, row.assignee_id).await?),
        project: Set(None),
        priority: Set(Priority::Normal),
        due_at: Set(None),
        estimate_min: Set(None),
        spent_min: Set(None),
        ..Default::default()
    };
    Ok(edit::create::<task::Entity>(txn, task, actor, now).await?.id)
}

/// Calls off what else is planned to the same person, as far as it is among `these`.
async fn call_off(
    txn: &impl ConnectionTrait,
    row: &Model,
    these: Condition,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let person = row.contact_id.map(|contact| Column::ContactId.eq(contact));
    let planned: Vec<CallId> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::CustomerId.eq(row.customer_id))
        .filter(Column::Id.ne(row.id))
        .filter(Column::State.eq(State::Planned))
        .filter(Column::DeletedAt.is_null())
        .filter(these.add_option(person))
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(txn)
        .await?;
    if planned.is_empty() {
        return Ok(());
    }
    Entity::update_many()
        .col_expr(Column::State, Expr::val(State::Cancelled.to_value()))
        .col_expr(Column::DialledUntil, Expr::val(None::<DateTimeUtc>))
        .col_expr(Column::LookAt, Expr::val(None::<DateTimeUtc>))
        .col_expr(Column::UpdatedAt, Expr::val(now))
        .col_expr(Column::UpdatedBy, Expr::val(actor.user().map(|user| user.0)))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.is_in(planned.iter().copied()))
        .exec(txn)
        .await?;
    reminder::end(txn, &planned).await?;
    let customer = Some(row.customer_id);
    let event = |id: &CallId| event::new(event::Kind::CallUpdated, id.0, customer, actor, now);
    event::Entity::insert_many(planned.iter().map(event)).exec_without_returning(txn).await?;
    Ok(())
}
