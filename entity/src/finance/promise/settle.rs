//! What comes of promises: all at once, in a constant number of statements.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, ExprTrait, LockBehavior, LockType, Query};
use sea_orm::{ActiveEnum, Condition, QueryOrder, QuerySelect, QueryTrait};

use super::{Column, Entity, Kind, Model, State, instalment, item, with_grace};
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
    let plans = open.iter().filter(|promise| promise.kind == Kind::Plan);
    let plans = instalment::of(txn, plans.map(|promise| promise.id).collect()).await?;
    let looked = open.into_iter().filter_map(|promise| {
        let came = came_in.iter().find(|came| came.0 == promise.id);
        let (paid, is_settled) = came.map_or((0, false), |came| (came.1, came.2));
        let plan = plans.get(&promise.id);
        Looked::new(promise, plan, (paid, is_settled), today)
    });
    let looked = looked.collect::<Vec<_>>();
    write(txn, &looked, today, actor, now).await?;
    let clear = || looked.iter().filter(|one| one.state != State::Open);
    let events = clear().map(|one| {
        let kind = match one.state {
            State::Kept => event::Kind::PromiseKept,
            _ => event::Kind::PromiseBroken,
        };
        event::new(kind, one.promise.id.0, Some(one.promise.customer_id), actor, now)
    });
    let events = events.collect::<Vec<_>>();
    if !events.is_empty() {
        event::Entity::insert_many(events).exec_without_returning(txn).await?;
    }
    let broken = clear().filter(|one| one.is_broken()).map(|one| one.promise.id);
    let broken = item::invoices(txn, broken.collect()).await?;
    invoice::Entity::update_many()
        .col_expr(invoice::Column::BrokenAt, Expr::val(now))
        .filter(invoice::Column::Id.is_in(broken))
        .exec(txn)
        .await?;
    let about = item::invoices(txn, looked.iter().map(|one| one.promise.id).collect()).await?;
    project(txn, &about).await?;
    follow::look_again(txn, &about, now).await?;
    Ok(looked.len() as u64)
}

/// What has become of a promise.
struct Looked {
    promise: Model,
    state: State,
    paid: i64,
    promised_on: Date,
}

impl Looked {
    /// What has become of `promise`, of which so much came in, or of which nothing is open any more; `None` if nothing has.
    fn new(
        promise: Model,
        plan: Option<&Vec<instalment::Model>>,
        (paid, is_settled): (i64, bool),
        today: Date,
    ) -> Option<Self> {
        let next = plan.and_then(|plan| instalment::next_due(plan, paid));
        let promised_on = next.unwrap_or(promise.promised_on);
        let state = match paid {
            _ if is_settled || paid >= promise.amount => State::Kept,
            _ if with_grace(promised_on, promise.grace_days) >= today => State::Open,
            1.. => State::PartlyKept,
            _ => State::Broken,
        };
        let goes_on = state == State::Open;
        let same = plan.is_none() || paid == promise.paid;
        (!goes_on || !same).then_some(Self { promise, state, paid, promised_on })
    }

    /// Whether its invoices are asked for at the next level at once: a plan has to be kept as a whole.
    fn is_broken(&self) -> bool {
        let partly = self.state == State::PartlyKept && self.promise.kind == Kind::Plan;
        self.state == State::Broken || partly
    }
}

/// Writes down what has become of promises, in one statement.
async fn write(
    txn: &impl ConnectionTrait,
    looked: &[Looked],
    today: Date,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), DbErr> {
    if looked.is_empty() {
        return Ok(());
    }
    let by = |value: fn(&Looked, Date) -> Expr| -> Expr {
        let mut case = CaseStatement::new();
        for one in looked {
            case = case.case(Column::Id.eq(one.promise.id), value(one, today));
        }
        case.into()
    };
    Entity::update_many()
        .col_expr(Column::State, by(|one, _| Expr::val(one.state.to_value())))
        .col_expr(Column::Paid, by(|one, _| Expr::val(one.paid)))
        .col_expr(Column::PromisedOn, by(|one, _| Expr::val(one.promised_on)))
        .col_expr(
            Column::UntilOn,
            by(|one, _| Expr::val(with_grace(one.promised_on, one.promise.grace_days))),
        )
        .col_expr(
            Column::SettledOn,
            by(|one, today| Expr::val((one.state != State::Open).then_some(today))),
        )
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::UpdatedAt, Expr::val(now))
        .col_expr(Column::UpdatedBy, Expr::val(actor.user()))
        .filter(Column::Id.is_in(looked.iter().map(|one| one.promise.id)))
        .exec(txn)
        .await?;
    Ok(())
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
        // What was written off was not paid.
        .and_where(
            Expr::col((invoice::Entity, invoice::Column::State)).is_in(
                [invoice::State::Open, invoice::State::WrittenOff]
                    .map(|state| Expr::val(state.to_value())),
            ),
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
