//! Leaving of messages what nobody is known by.

use sea_orm::ActiveEnum;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, ExprTrait};

use super::{Column, Entity, Reason, State};
use crate::automation::lease::next_fence;
use crate::error::Error;
use crate::id::CustomerId;

/// The states of messages that their customers may have got.
pub(crate) const SENT: [State; 3] = [State::Accepted, State::Unknown, State::Transmitting];

/// The states of those that have not left.
const WAITING: [State; 3] = [State::Planned, State::Claimed, State::Deferred];

/// Removes from the messages to `customers` to whom they went and what they were written from; calls off those
/// that have not left, and takes the others from who has them. The bytes of what was sent stay.
///
/// # Errors
/// The database.
pub(crate) async fn fade(
    txn: &impl ConnectionTrait,
    customers: &[CustomerId],
    now: DateTimeUtc,
) -> Result<(), Error> {
    let case = || CaseStatement::new();
    let state = case()
        .case(Column::State.is_in(WAITING), Expr::val(State::Cancelled.to_value()))
        .case(Column::State.eq(State::Transmitting), Expr::val(State::Unknown.to_value()))
        .finally(Expr::col(Column::State));
    let reason = case()
        .case(Column::State.is_in(WAITING), Expr::val(None::<String>))
        .case(Column::State.eq(State::Transmitting), Expr::val(Reason::UnknownOutcome.to_value()))
        .finally(Expr::col(Column::Reason));
    let if_sent = |column| case().case(Column::State.is_in(SENT), Expr::col(column));
    let settled = Expr::col(Column::SettledAt).if_null(now);
    Entity::update_many()
        .col_expr(Column::State, state.into())
        .col_expr(Column::Reason, reason.into())
        .col_expr(Column::Detail, Expr::val(None::<String>))
        .col_expr(Column::Facts, Expr::val(None::<Json>))
        .col_expr(Column::Recipient, Expr::val(None::<String>))
        .col_expr(Column::Subject, Expr::val(None::<String>))
        .col_expr(Column::Body, if_sent(Column::Body).into())
        .col_expr(Column::BodySha256, if_sent(Column::BodySha256).into())
        .col_expr(Column::LeaseUntil, Expr::val(None::<DateTimeUtc>))
        .col_expr(Column::EnqueuedAt, Expr::val(None::<DateTimeUtc>))
        .col_expr(Column::Fence, next_fence())
        .col_expr(Column::SettledAt, settled)
        .filter(Column::CustomerId.is_in(customers.iter().copied()))
        .exec(txn)
        .await?;
    Ok(())
}
