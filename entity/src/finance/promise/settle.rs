//! What comes of promises: all at once, in a constant number of statements.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, LockBehavior, LockType, Query};
use sea_orm::{ActiveEnum, Condition, QueryOrder, QuerySelect, QueryTrait};

use super::{Column, Entity, Model, State, item};
use crate::access::{Actor, organisation};
use crate::automation::event;
use crate::db::sum;
use crate::error::Error;
use crate::finance::allocation;
use crate::finance::invoice::{self, follow};
use crate::id::{InvoiceId, PromiseId};

/// How many promises are looked at in one transaction.
const BATCH: u64 = 500;

fn is_over(today: Date) -> Condition {
    Condition::all().add(Column::State.eq(State::Open)).add(Column::UntilOn.lt(today))
}

/// Settles up to some hundred promises whose time is over; gives how many.
///
/// # Errors
/// The database.
pub async fn settle_due(txn: &impl ConnectionTrait, now: DateTimeUtc) -> Result<u64, Error> {
    // Wherever the organisation is, it is no later day than a day from now.
    let tomorrow = (now + chrono::TimeDelta::days(1)).date_naive();
    if Entity::find().filter(is_over(tomorrow)).one(txn).await?.is_none() {
        return Ok(0);
    }
    let today = organisation::get(txn).await?.today(now);
    settle(txn, is_over(today), today, Actor::System, now).await
}

/// Settles the promises about invoices for which money came in, if it is enough.
///
/// # Errors
/// The database.
pub(in crate::finance) async fn paid(
    txn: &impl ConnectionTrait,
    invoices: &[InvoiceId],
    today: Date,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let about = item::Entity::find()
        .select_only()
        .column(item::Column::PromiseId)
        .filter(item::Column::InvoiceId.is_in(invoices.iter().copied()))
        .into_query();
    let which =
        Condition::all().add(Column::State.eq(State::Open)).add(Column::Id.in_subquery(about));
    settle(txn, which, today, actor, now).await.map(drop)
}

async fn settle(
    txn: &impl ConnectionTrait,
    which: Condition,
    today: Date,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let open: Vec<Model> = Entity::find()
        .filter(which)
        .order_by_asc(Column::Id)
        .limit(BATCH)
        .lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked)
        .all(txn)
        .await?;
    if open.is_empty() {
        return Ok(0);
    }
    let came_in = came_in(txn, open.iter().map(|promise| promise.id).collect()).await?;
    let of = |id: PromiseId| came_in.iter().find(|came| came.0 == id);
    let clear = open.into_iter().filter_map(|promise| {
        let (paid, is_settled) = of(promise.id).map_or((0, false), |came| (came.1, came.2));
        let state = match paid {
            _ if is_settled || paid >= promise.amount => State::Kept,
            _ if promise.until_on >= today => return None,
            1.. => State::PartlyKept,
            _ => State::Broken,
        };
        Some((promise, state, paid))
    });
    let clear = clear.collect::<Vec<_>>();
    for state in [State::Kept, State::PartlyKept, State::Broken] {
        let these = || clear.iter().filter(|(_, came, _)| *came == state);
        if these().next().is_none() {
            continue;
        }
        let mut paid = sea_orm::sea_query::CaseStatement::new();
        for (promise, _, amount) in these() {
            paid = paid.case(Column::Id.eq(promise.id), *amount);
        }
        Entity::update_many()
            .col_expr(Column::State, Expr::val(state.to_value()))
            .col_expr(Column::Paid, paid.finally(Expr::col(Column::Paid)).into())
            .col_expr(Column::SettledOn, Expr::val(today))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .col_expr(Column::UpdatedAt, Expr::val(now))
            .col_expr(Column::UpdatedBy, Expr::val(actor.user()))
            .filter(Column::Id.is_in(these().map(|(promise, ..)| promise.id)))
            .exec(txn)
            .await?;
    }
    let kind = |state| match state {
        State::Kept => event::Kind::PromiseKept,
        _ => event::Kind::PromiseBroken,
    };
    let events = clear.iter().map(|(promise, state, _)| {
        event::new(kind(*state), promise.id.0, Some(promise.customer_id), actor, now)
    });
    let events = events.collect::<Vec<_>>();
    if !events.is_empty() {
        event::Entity::insert_many(events).exec_without_returning(txn).await?;
    }
    let broken = clear.iter().filter(|(_, state, _)| *state == State::Broken);
    let broken = item::invoices(txn, broken.map(|(promise, ..)| promise.id).collect()).await?;
    invoice::Entity::update_many()
        .col_expr(invoice::Column::BrokenAt, Expr::val(now))
        .filter(invoice::Column::Id.is_in(broken))
        .exec(txn)
        .await?;
    let about = item::invoices(txn, clear.iter().map(|(promise, ..)| promise.id).collect()).await?;
    project(txn, &about).await?;
    follow::look_again(txn, &about, now).await?;
    Ok(clear.len() as u64)
}

/// What came in for each promise since it was made, and whether nothing is open any more of what it is about.
async fn came_in(
    txn: &impl ConnectionTrait,
    promises: Vec<PromiseId>,
) -> Result<Vec<(PromiseId, i64, bool)>, DbErr> {
    let mut paid = Query::select();
    paid.expr(sum((allocation::Entity, allocation::Column::Amount)))
        .from(allocation::Entity)
        .inner_join(
            item::Entity,
            Expr::col((item::Entity, item::Column::InvoiceId))
                .equals((allocation::Entity, allocation::Column::InvoiceId)),
        )
        .and_where(Expr::col((item::Entity, item::Column::PromiseId)).equals((Entity, Column::Id)))
        .and_where(
            Expr::col((allocation::Entity, allocation::Column::CreatedAt))
                .gte(Expr::col((Entity, Column::CreatedAt))),
        );
    let mut open = Query::select();
    open.expr(Expr::col((invoice::Entity, invoice::Column::Id)).count())
        .from(invoice::Entity)
        .inner_join(
            item::Entity,
            Expr::col((item::Entity, item::Column::InvoiceId))
                .equals((invoice::Entity, invoice::Column::Id)),
        )
        .and_where(Expr::col((item::Entity, item::Column::PromiseId)).equals((Entity, Column::Id)))
        .and_where(
            Expr::col((invoice::Entity, invoice::Column::State))
                .eq(invoice::State::Open.to_value()),
        );
    let rows: Vec<(PromiseId, Option<i64>, i64)> = Entity::find()
        .select_only()
        .column(Column::Id)
        .expr_as(Expr::SubQuery(None, Box::new(paid.into())), "paid")
        .expr_as(Expr::SubQuery(None, Box::new(open.into())), "open")
        .filter(Column::Id.is_in(promises))
        .into_tuple()
        .all(txn)
        .await?;
    Ok(rows.into_iter().map(|(id, paid, open)| (id, paid.unwrap_or_default(), open == 0)).collect())
}

/// Notes with invoices until when they are promised.
///
/// # Errors
/// The database.
pub(super) async fn project(
    txn: &impl ConnectionTrait,
    invoices: &[InvoiceId],
) -> Result<(), Error> {
    let until = Entity::find()
        .select_only()
        .column_as(Column::UntilOn.max(), "until")
        .filter(Column::State.eq(State::Open))
        .filter(Expr::exists(
            item::Entity::find()
                .filter(
                    Expr::col((item::Entity, item::Column::PromiseId)).equals((Entity, Column::Id)),
                )
                .filter(
                    Expr::col((item::Entity, item::Column::InvoiceId))
                        .equals((invoice::Entity, invoice::Column::Id)),
                )
                .into_query(),
        ))
        .into_query();
    let until = Expr::SubQuery(None, Box::new(until.into()));
    invoice::Entity::update_many()
        .col_expr(invoice::Column::PromisedUntil, until)
        .filter(invoice::Column::Id.is_in(invoices.iter().copied()))
        .exec(txn)
        .await?;
    Ok(())
}
