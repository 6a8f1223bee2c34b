//! Changing the customer of a workflow's run.
//!
//! Invariant: each customer passes the checks of the mutation that changes it; one that is so already stays as it is,
//! so that workflows that agree come to an end.

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::bulk::{self, BulkChange};
use super::owner::Owners;
use super::{Change, Column, Entity, Model};
use crate::access::Actor;
use crate::automation::event;
use crate::automation::workflow::interpreter::Done;
use crate::automation::workflow::performer::{Effect, Performer, Planned, Turn};
use crate::catalog::Record;
use crate::check::Check;
use crate::collaboration::notification;
use crate::customers::custom::Setter;
use crate::customers::{parse_language, parse_zone};
use crate::error::Error;
use crate::id::CustomerId;

/// A change of a customer that a workflow makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToUpdate {
    /// Which.
    pub customer: CustomerId,
    /// What changes of it, and of others.
    pub change: Arc<BulkChange>,
    /// Whether somebody else looks after it then.
    pub is_handed_over: bool,
    /// Who makes it.
    pub actor: Actor,
    /// What makes it one.
    pub cause: Uuid,
}

/// Changes the customer whom a run concerns.
pub struct UpdateCustomer;

impl Performer for UpdateCustomer {
    fn name(&self) -> &'static str {
        "updateCustomer"
    }

    fn check(&self, record: &Record, with: &Value, check: &mut Check) {
        let concerns = record.table == "customer" || record.field("customer").is_some();
        check.that(concerns, "what", "this kind of record concerns no customer");
        match BulkChange::deserialize(with) {
            Err(error) => check.note(Error::invalid("with", error.to_string())),
            Ok(change) => {
                check.that(!change.is_empty(), "with", "say what changes");
                if let Some(language) = &change.language {
                    check.put(parse_language(language), &mut String::new());
                }
                if let Some(Err(error)) = change.time_zone.as_deref().map(parse_zone) {
                    check.note(error);
                }
            }
        }
    }

    fn plan<'a>(
        &'a self,
        db: &'a DatabaseTransaction,
        _: &'static Record,
        with: &'a Value,
        turns: &'a [Turn<'a>],
    ) -> BoxFuture<'a, Result<Vec<Planned>, Error>> {
        async move {
            let refuse = |why: &str| Ok(turns.iter().map(|_| Planned::failed(why)).collect());
            let Some(turn) = turns.first() else { return Ok(Vec::new()) };
            let Ok(change) = BulkChange::deserialize(with) else {
                return refuse("it cannot be read");
            };
            if let Some(Some(owner)) = change.owner_id
                && let Err(error) = Owners::among(db, [owner]).await?.ensure(owner)
            {
                return refuse(&error.to_string());
            }
            let setter = Setter::load(db, turn.actor(), turn.now).await?;
            let whom = turns.iter().filter_map(|turn| turn.run.customer_id);
            let rows = Entity::find().filter(Column::Id.is_in(whom));
            let rows = rows.filter(Column::DeletedAt.is_null()).all(db).await?;
            let rows: HashMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
            let change = Arc::new(change);
            let planned = turns.iter().map(|turn| {
                let row = turn.run.customer_id.and_then(|customer| rows.get(&customer));
                row.map_or_else(
                    || Planned::skipped("there is no customer"),
                    |row| plan(row, &change, &setter, turn),
                )
            });
            Ok(planned.collect())
        }
        .boxed()
    }
}

fn plan(row: &Model, change: &Arc<BulkChange>, setter: &Setter, turn: &Turn<'_>) -> Planned {
    let (mut before, mut after, mut check) = (row.clone(), row.clone(), Check::default());
    before.index();
    Change::from(BulkChange::clone(change)).apply(&mut after, setter, false, &mut check);
    if let Err(error) = check.end() {
        return Planned::failed(&error.to_string());
    }
    if before == after {
        return Planned::skipped("it is so already");
    }
    let update = ToUpdate {
        customer: row.id,
        change: Arc::clone(change),
        is_handed_over: before.owner_id != after.owner_id,
        actor: turn.actor(),
        cause: turn.key(),
    };
    Planned { done: Done::Yes, effects: vec![Effect::UpdateCustomer(update)] }
}

/// Writes changes: as many statements as there are different ones.
///
/// # Errors
/// The database.
pub(crate) async fn carry_out(
    txn: &impl ConnectionTrait,
    updates: Vec<ToUpdate>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let mut events = Vec::with_capacity(updates.len());
    let mut alike: Vec<(Arc<BulkChange>, Vec<ToUpdate>)> = Vec::new();
    for update in updates {
        let (id, kind) = (update.customer, event::Kind::CustomerUpdated);
        events.push(event::new(kind, id.0, Some(id), update.actor, now));
        match alike.iter_mut().find(|(change, _)| *change == update.change) {
            Some((_, updates)) => updates.push(update),
            None => alike.push((Arc::clone(&update.change), vec![update])),
        }
    }
    for (change, updates) in alike {
        let customers: Vec<_> = updates.iter().map(|update| update.customer).collect();
        bulk::write(txn, Some(&change), &customers, Actor::System, now).await?;
        let news = updates.iter().filter(|update| update.is_handed_over);
        let (news, causes): (Vec<_>, Vec<_>) =
            news.map(|update| (update.customer, update.cause)).unzip();
        if let Some(cause) = causes.first() {
            notification::owned(txn, &news, *cause, Actor::System, now).await?;
        }
    }
    if !events.is_empty() {
        event::Entity::insert_many(events).exec_without_returning(txn).await?;
    }
    Ok(())
}
