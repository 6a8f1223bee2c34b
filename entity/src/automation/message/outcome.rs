//! From the wire to the outcome.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{JoinType, QuerySelect};

use super::work::{by_id, held};
use super::{Column, Entity, Reason, State};
use crate::access::Actor;
use crate::automation::event::{self, Kind};
use crate::automation::lease::{Leased, next_fence};
use crate::automation::workflow::run;
use crate::customers::customer::Channel;
use crate::error::Error;
use crate::id::{CustomerId, MessageId, WorkflowId};

/// What came of an attempt.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which message, by which lease.
    pub leased: Leased<MessageId>,
    /// Where that leaves it: `ACCEPTED`, `REFUSED`, `DEFERRED`, `EXPIRED` or `UNKNOWN`.
    pub state: State,
    /// Why, unless it was accepted.
    pub reason: Option<Reason>,
    /// What the other side said.
    pub detail: Option<String>,
    /// When to try again; ignored unless it is deferred.
    pub due_at: DateTimeUtc,
}

/// Writes outcomes down, in one statement, and which messages to customers were refused, in two more. Whoever sent a message
/// may say what came of it even after it was given up as unknown: nobody else has sent it meanwhile.
///
/// # Errors
/// The database.
pub async fn settle(
    txn: &impl ConnectionTrait,
    outcomes: &[Outcome],
    now: DateTimeUtc,
) -> Result<(), Error> {
    if outcomes.is_empty() {
        return Ok(());
    }
    say_refused(txn, outcomes, now).await?;
    let leased: Vec<_> = outcomes.iter().map(|outcome| outcome.leased).collect();
    let id = |outcome: &Outcome| outcome.leased.id;
    let settled = |outcome: &Outcome| (outcome.state != State::Deferred).then_some(now);
    Entity::update_many()
        .col_expr(Column::State, by_id(outcomes, id, |row| Expr::val(row.state.to_value())))
        .col_expr(
            Column::Reason,
            by_id(outcomes, id, |row| Expr::val(row.reason.map(|reason| reason.to_value()))),
        )
        .col_expr(Column::Detail, by_id(outcomes, id, |row| Expr::val(row.detail.clone())))
        .col_expr(Column::DueAt, by_id(outcomes, id, |row| Expr::val(row.due_at)))
        .col_expr(Column::SettledAt, by_id(outcomes, id, |row| Expr::val(settled(row))))
        .col_expr(Column::LeaseUntil, Expr::val(None::<DateTimeUtc>))
        .col_expr(Column::EnqueuedAt, Expr::val(None::<DateTimeUtc>))
        .filter(held(&leased, &[State::Transmitting, State::Unknown]))
        .exec(txn)
        .await?;
    Ok(())
}

/// Says which messages to customers are refused now, each with the run that has sent it as its cause.
async fn say_refused(
    txn: &impl ConnectionTrait,
    outcomes: &[Outcome],
    now: DateTimeUtc,
) -> Result<(), Error> {
    let refused = outcomes.iter().filter(|outcome| outcome.state == State::Refused);
    let refused: Vec<_> = refused.map(|outcome| outcome.leased).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let rows: Vec<(MessageId, CustomerId, Option<WorkflowId>, Option<i32>)> = Entity::find()
        .select_only()
        .columns([Column::Id, Column::CustomerId])
        .columns([run::Column::WorkflowId, run::Column::Depth])
        .join(
            JoinType::LeftJoin,
            Entity::belongs_to(run::Entity).from(Column::RunId).to(run::Column::Id).into(),
        )
        .filter(held(&refused, &[State::Transmitting, State::Unknown]))
        .filter(Column::CustomerId.is_not_null())
        .into_tuple()
        .all(txn)
        .await?;
    let event = |(id, customer, workflow, depth): (MessageId, CustomerId, _, Option<i32>)| {
        event::ActiveModel {
            workflow_id: Set(workflow),
            depth: Set(depth.map_or(0, |depth| depth + 1)),
            ..event::new(Kind::MessageRefused, id.0, Some(customer), Actor::System, now)
        }
    };
    if !rows.is_empty() {
        let events = rows.into_iter().map(event);
        event::Entity::insert_many(events).exec_without_returning(txn).await?;
    }
    Ok(())
}

/// Gives up what a dead worker left on the wire, and what is past its time. Gives how many of each. A letter by post is sent
/// again: it leaves by being stored under its own name, so that twice is once.
///
/// # Errors
/// The database.
pub async fn expire_leases(
    txn: &impl ConnectionTrait,
    now: DateTimeUtc,
) -> Result<(u64, u64), Error> {
    Entity::update_many()
        .col_expr(Column::State, Expr::val(State::Deferred.to_value()))
        .col_expr(Column::Reason, Expr::val(Reason::ProviderTemp.to_value()))
        .col_expr(Column::Detail, Expr::val("the worker ended before it had stored the letter"))
        .col_expr(Column::DueAt, Expr::val(now))
        .col_expr(Column::LeaseUntil, Expr::val(None::<DateTimeUtc>))
        .col_expr(Column::EnqueuedAt, Expr::val(None::<DateTimeUtc>))
        .col_expr(Column::Fence, next_fence())
        .filter(Column::Channel.eq(Channel::Letter))
        .filter(Column::State.eq(State::Transmitting))
        .filter(Column::LeaseUntil.lt(now))
        .exec(txn)
        .await?;
    let unknown = Entity::update_many()
        .col_expr(Column::State, Expr::val(State::Unknown.to_value()))
        .col_expr(Column::Reason, Expr::val(Reason::UnknownOutcome.to_value()))
        .col_expr(Column::Detail, Expr::val("the worker ended before the server had answered"))
        .col_expr(Column::SettledAt, Expr::val(now))
        .col_expr(Column::LeaseUntil, Expr::val(None::<DateTimeUtc>))
        .filter(Column::State.eq(State::Transmitting))
        .filter(Column::LeaseUntil.lt(now))
        .exec(txn)
        .await?;
    let late = Entity::update_many()
        .col_expr(Column::State, Expr::val(State::Expired.to_value()))
        .col_expr(Column::Reason, Expr::val(Reason::ExpiredLate.to_value()))
        .col_expr(Column::SettledAt, Expr::val(now))
        .filter(Column::State.is_in([State::Planned, State::Deferred]))
        .filter(Column::SettledAt.is_null())
        .filter(Column::LeaseUntil.is_null())
        .filter(Column::ExpiresAt.lt(now))
        .exec(txn)
        .await?;
    Ok((unknown.rows_affected, late.rows_affected))
}
