//! From planned to the wire.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, ExprTrait, LockBehavior, LockType};
use sea_orm::{Condition, PaginatorTrait, QueryOrder, QuerySelect, QueryTrait};

use super::gated::passed;
use super::{Column, Entity, Kind, Model, Reason, State};
use crate::access::password_reset;
use crate::automation::lease::{Fence, Leased, is_free, next_fence, not_enqueued};
use crate::automation::sending;
use crate::error::Error;
use crate::id::{MessageId, PasswordResetId};

/// The states in which a message waits to be sent, or may be taken over from a dead worker.
const WAITING: [State; 3] = [State::Planned, State::Deferred, State::Claimed];

fn is_due(now: DateTimeUtc) -> Condition {
    Condition::all()
        .add(Column::SettledAt.is_null())
        .add(Column::State.is_in(WAITING))
        .add(Column::DueAt.lte(now))
        .add(is_free(Column::LeaseUntil, now))
        .add(Expr::exists(sending::held()).not())
}

/// That nothing is written of a message yet, as a condition: what it is about may still change.
pub(crate) fn is_unwritten() -> Condition {
    Condition::all()
        .add(Column::SettledAt.is_null())
        .add(Column::State.is_in(WAITING))
        .add(Column::Body.is_null())
}

/// Whether a message is due that the conveyor was not given since `since`, as a condition.
#[must_use]
pub fn any_due(since: DateTimeUtc, now: DateTimeUtc) -> Expr {
    let due = Entity::find().filter(is_due(now)).filter(not_enqueued(Column::EnqueuedAt, since));
    Expr::exists(due.into_query())
}

/// Up to `limit` messages that are due and that the conveyor was not given since `since`, oldest
/// first; others skip them meanwhile.
///
/// # Errors
/// The database.
pub async fn due(
    txn: &impl ConnectionTrait,
    limit: u64,
    since: DateTimeUtc,
    now: DateTimeUtc,
) -> Result<Vec<MessageId>, Error> {
    let ids = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(is_due(now))
        .filter(not_enqueued(Column::EnqueuedAt, since))
        .order_by_asc(Column::DueAt)
        .order_by_asc(Column::Id)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(txn)
        .await?;
    Ok(ids)
}

/// How many messages the conveyor was given since `since` that nobody has leased yet.
///
/// # Errors
/// The database.
pub async fn enqueued(txn: &impl ConnectionTrait, since: DateTimeUtc) -> Result<u64, Error> {
    let enqueued = Entity::find()
        .filter(Column::SettledAt.is_null())
        .filter(Column::State.is_in([State::Planned, State::Deferred]))
        .filter(Column::EnqueuedAt.gte(since));
    Ok(enqueued.count(txn).await?)
}

/// Notes that the conveyor was given messages (`Some`), or that it was not after all (`None`).
///
/// # Errors
/// The database.
pub async fn mark_enqueued(
    txn: &impl ConnectionTrait,
    ids: &[MessageId],
    at: Option<DateTimeUtc>,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::EnqueuedAt, Expr::val(at))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Lets whoever sends look at a message again at once that was put off.
///
/// # Errors
/// The database.
pub(crate) async fn look_again(
    txn: &impl ConnectionTrait,
    kind: Kind,
    subject: Uuid,
    now: DateTimeUtc,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::DueAt, Expr::val(now))
        .col_expr(Column::EnqueuedAt, Expr::val(None::<DateTimeUtc>))
        .filter(Column::Kind.eq(kind))
        .filter(Column::SubjectId.eq(subject))
        .filter(Column::State.eq(State::Deferred))
        .exec(txn)
        .await?;
    Ok(())
}

/// Leases those of `ids` that are due and that nobody else has.
///
/// # Errors
/// The database.
pub async fn lease(
    txn: &impl ConnectionTrait,
    ids: &[MessageId],
    length: TimeDelta,
    now: DateTimeUtc,
) -> Result<Vec<Model>, Error> {
    let leased = Entity::update_many()
        .col_expr(Column::State, Expr::val(State::Claimed.to_value()))
        .col_expr(Column::LeaseUntil, Expr::val(now + length))
        .col_expr(Column::Fence, next_fence())
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(is_due(now))
        .exec_with_returning(txn)
        .await?;
    Ok(leased)
}

/// A message that is written and can leave.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Which, by which lease.
    pub leased: Leased<MessageId>,
    /// Where to.
    pub recipient: String,
    /// Where copies go to.
    pub copies: Vec<String>,
    /// Its subject line, if it has one.
    pub subject: Option<String>,
    /// What it was written from.
    pub facts: Json,
    /// Its bytes.
    pub body: Vec<u8>,
    /// Their hash.
    pub body_sha256: String,
    /// The hash of the token that the bytes hold, for whoever comes with it. Such bytes are not stored.
    pub token: Option<(PasswordResetId, String)>,
}

/// The condition that a row is still in `state` under the caller's lease.
pub(super) fn held(leased: &[Leased<MessageId>], state: &[State]) -> Condition {
    let mut any = Condition::any();
    for row in leased {
        any = any.add(Condition::all().add(Column::Id.eq(row.id)).add(Column::Fence.eq(row.fence)));
    }
    Condition::all().add(Column::State.is_in(state.iter().copied())).add(any)
}

/// `CASE id WHEN … THEN value END` over `rows`.
pub(super) fn by_id<T>(
    rows: &[T],
    id: impl Fn(&T) -> MessageId,
    value: impl Fn(&T) -> Expr,
) -> Expr {
    let mut case = CaseStatement::new();
    for row in rows {
        case = case.case(Column::Id.eq(id(row)), value(row));
    }
    case.into()
}

/// Lets the gate look at the `messages` that are `ready`; stores the bytes of those that it lets go, unless they hold a
/// token, and marks them as transmitting, in one statement. Gives those that are the caller's to send; a message whose
/// lease went to somebody else is not.
///
/// # Errors
/// The database. Nothing may be sent then.
pub async fn ready_to_transmit(
    txn: &impl ConnectionTrait,
    messages: &[Model],
    ready: &[Ready],
    length: TimeDelta,
    now: DateTimeUtc,
) -> Result<Vec<MessageId>, Error> {
    let passed = passed(txn, messages, ready, now).await?;
    let ready = ready.iter().filter(|row| passed.contains_key(&row.leased.id));
    let ready = ready.collect::<Vec<_>>();
    if ready.is_empty() {
        return Ok(Vec::new());
    }
    let leased: Vec<_> = ready.iter().map(|row| row.leased).collect();
    let id = |row: &&Ready| row.leased.id;
    let trace = |row: &&Ready| passed.get(&row.leased.id).cloned().flatten();
    let ready = ready.as_slice();
    let rows = Entity::update_many()
        .col_expr(Column::State, Expr::val(State::Transmitting.to_value()))
        .col_expr(Column::Recipient, by_id(ready, id, |row| Expr::val(row.recipient.clone())))
        .col_expr(Column::Subject, by_id(ready, id, |row| Expr::val(row.subject.clone())))
        .col_expr(Column::Facts, by_id(ready, id, |row| Expr::val(row.facts.clone())))
        .col_expr(
            Column::Body,
            by_id(ready, id, |row| Expr::val(row.token.is_none().then(|| row.body.clone()))),
        )
        .col_expr(Column::BodySha256, by_id(ready, id, |row| Expr::val(row.body_sha256.clone())))
        .col_expr(
            Column::Policy,
            by_id(ready, id, |row| Expr::val(trace(row).map(|trace| trace.0))),
        )
        .col_expr(Column::Trace, by_id(ready, id, |row| Expr::val(trace(row).map(|trace| trace.1))))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .col_expr(Column::TransmittedAt, Expr::val(now))
        .col_expr(Column::LeaseUntil, Expr::val(now + length))
        .filter(held(&leased, &[State::Claimed]))
        .exec_with_returning(txn)
        .await?;
    let ours: Vec<_> = rows.into_iter().map(|row| row.id).collect();
    let armed = ready.iter().filter(|row| ours.contains(&row.leased.id));
    let tokens: Vec<_> = armed.filter_map(|row| row.token.clone()).collect();
    password_reset::arm(txn, &tokens).await?;
    Ok(ours)
}

/// Decides that a leased message is not sent, and why.
///
/// # Errors
/// The database.
pub async fn suppress(
    txn: &impl ConnectionTrait,
    id: MessageId,
    fence: Fence,
    reason: Reason,
    detail: Option<String>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::State, Expr::val(State::Suppressed.to_value()))
        .col_expr(Column::Reason, Expr::val(reason.to_value()))
        .col_expr(Column::Detail, Expr::val(detail))
        .col_expr(Column::SettledAt, Expr::val(now))
        .col_expr(Column::LeaseUntil, Expr::val(None::<DateTimeUtc>))
        .filter(held(&[Leased { id, fence }], &[State::Claimed]))
        .exec(txn)
        .await?;
    Ok(())
}

/// Calls off what was planned before `before` and has not left; gives how many messages that were.
pub(in crate::automation) async fn call_off_planned(
    txn: &impl ConnectionTrait,
    before: DateTimeUtc,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let called_off = Entity::update_many()
        .col_expr(Column::State, Expr::val(State::Expired.to_value()))
        .col_expr(Column::Reason, Expr::val(Reason::ExpiredLate.to_value()))
        .col_expr(Column::Detail, Expr::val("it was planned before sending was on hold"))
        .col_expr(Column::SettledAt, Expr::val(now))
        .col_expr(Column::LeaseUntil, Expr::val(None::<DateTimeUtc>))
        .filter(Column::SettledAt.is_null())
        .filter(Column::State.is_in(WAITING))
        .filter(Column::CreatedAt.lt(before))
        .exec(txn)
        .await?;
    Ok(called_off.rows_affected)
}

/// Keeps messages that are on the wire the caller's for another `length`.
///
/// # Errors
/// The database.
pub async fn renew(
    txn: &impl ConnectionTrait,
    leased: &[Leased<MessageId>],
    length: TimeDelta,
    now: DateTimeUtc,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::val(now + length))
        .filter(held(leased, &[State::Transmitting]))
        .exec(txn)
        .await?;
    Ok(())
}
