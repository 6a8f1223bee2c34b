//! Handing customers to users in turn.
//!
//! Invariant: a customer that somebody looks after stays theirs. Who is away, cannot log in, may not see customers or
//! has enough of them is passed over. Whose turn it is is decided where it is written, so that two workers hand out
//! no turn twice; how much room users have is looked at where it is planned.

mod cursor;
mod order;

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::order::Order;
use super::bulk::BulkChange;
use super::owner::{Owners, owners};
use super::{Column, Entity, ToUpdate, perform};
use crate::access::{Actor, absence, membership};
use crate::automation::workflow::interpreter::Done;
use crate::automation::workflow::performer::{Effect, Performer, Planned, Turn};
use crate::catalog::Record;
use crate::check::Check;
use crate::error::Error;
use crate::id::{CustomerId, TeamId, UserId};

/// How many users take turns at most.
const MOST_USERS: usize = 50;

/// The greatest weight of a user.
const MOST_WEIGHT: u32 = 100;

/// A customer that a workflow hands to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToAssign {
    /// Which.
    pub customer: CustomerId,
    /// Whose turn it would be, were nobody else at work.
    pub likely: UserId,
    turns: Arc<Turns>,
    actor: Actor,
    cause: Uuid,
}

/// What users get in turn in a step.
#[derive(Debug, PartialEq, Eq)]
struct Turns {
    cursor: Uuid,
    order: Order,
}

/// Hands the customer whom a run concerns to one of several users, if nobody looks after it.
pub struct Assign;

/// Among whom, and how many each has at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Among {
    /// Users with their weights.
    #[serde(default)]
    pub users: Vec<(UserId, u32)>,
    /// All of a team, who get as much as each other.
    pub team: Option<TeamId>,
    /// Who looks after as many customers gets no more.
    pub most: Option<u32>,
}

impl Performer for Assign {
    fn name(&self) -> &'static str {
        "assign"
    }

    fn check(&self, record: &Record, with: &Value, check: &mut Check) {
        let concerns = record.table == "customer" || record.field("customer").is_some();
        check.that(concerns, "what", "this kind of record concerns no customer");
        match Among::deserialize(with) {
            Err(error) => check.note(Error::invalid("with", error.to_string())),
            Ok(Among { users, team, .. }) => {
                let one = users.is_empty() != team.is_none();
                check.that(one, "users", "name either users or a team");
                check.that(
                    users.len() <= MOST_USERS,
                    "users",
                    format!("at most {MOST_USERS} users"),
                );
                let fair = users.iter().all(|(_, weight)| (1..=MOST_WEIGHT).contains(weight));
                check.that(fair, "users", format!("a weight is 1 to {MOST_WEIGHT}"));
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
            let Some(first) = turns.first() else { return Ok(Vec::new()) };
            let Ok(among) = Among::deserialize(with) else { return refuse("it cannot be read") };
            let customers = turns.iter().filter_map(|turn| turn.run.customer_id);
            let mut owners = owners(db, customers).await?;
            let users = among.users(db).await?;
            let mut order = Order::new(&users, among.room(db, &users, first.now).await?);
            let cursor = Uuid::new_v5(&first.run.workflow_id.0, first.step.as_bytes());
            let shared = Arc::new(Turns { cursor, order: order.clone() });
            let mut position = cursor::seen(db, cursor).await?;
            let mut planned = Vec::with_capacity(turns.len());
            for turn in turns {
                let owner = turn.run.customer_id.and_then(|id| Some((id, owners.get_mut(&id)?)));
                planned.push(match owner {
                    None => Planned::skipped("there is no customer"),
                    Some((_, Some(_))) => Planned::skipped("somebody looks after the customer"),
                    Some((customer, owner)) => match order.pick(position) {
                        None => Planned::skipped("nobody has room for another customer"),
                        Some(likely) => {
                            position += 1;
                            *owner = Some(likely);
                            let turns = Arc::clone(&shared);
                            let (actor, cause) = (turn.actor(), turn.key());
                            let one = ToAssign { customer, likely, turns, actor, cause };
                            Planned { done: Done::Yes, effects: vec![Effect::Assign(one)] }
                        }
                    },
                });
            }
            Ok(planned)
        }
        .boxed()
    }
}

impl Among {
    /// Who takes turns, with their weights.
    async fn users(&self, db: &impl ConnectionTrait) -> Result<Vec<(UserId, u32)>, DbErr> {
        let Some(team) = self.team else { return Ok(self.users.clone()) };
        let members = membership::Entity::find()
            .select_only()
            .column(membership::Column::UserId)
            .filter(membership::Column::TeamId.eq(team))
            .order_by_asc(membership::Column::UserId);
        let members: Vec<UserId> = members.into_tuple().all(db).await?;
        Ok(members.into_iter().map(|user| (user, 1)).collect())
    }

    /// How many customers those can get who are there.
    async fn room(
        &self,
        db: &impl ConnectionTrait,
        users: &[(UserId, u32)],
        now: DateTimeUtc,
    ) -> Result<HashMap<UserId, u64>, DbErr> {
        let ids = || users.iter().map(|(user, _)| *user);
        let able = Owners::among(db, ids()).await?;
        let away = absence::Entity::find()
            .select_only()
            .column(absence::Column::UserId)
            .filter(absence::Column::UserId.is_in(ids()))
            .filter(absence::Column::StartsAt.lte(now))
            .filter(absence::Column::EndsAt.gt(now));
        let away: Vec<UserId> = away.into_tuple().all(db).await?;
        let mut has = HashMap::new();
        if self.most.is_some() {
            let owned = Entity::find()
                .select_only()
                .column(Column::OwnerId)
                .column_as(Column::Id.count(), "number")
                .filter(Column::OwnerId.is_in(ids()))
                .filter(Column::DeletedAt.is_null())
                .group_by(Column::OwnerId);
            let owned: Vec<(UserId, i64)> = owned.into_tuple().all(db).await?;
            has.extend(owned);
        }
        let there = ids().filter(|user| able.ensure(*user).is_ok() && !away.contains(user));
        let room = there.map(|user| {
            let has = has.get(&user).copied().unwrap_or_default().unsigned_abs();
            (user, self.most.map_or(u64::MAX, |most| u64::from(most).saturating_sub(has)))
        });
        Ok(room.collect())
    }
}

/// Hands customers to whose turn it is.
///
/// # Errors
/// The database.
pub(crate) async fn assign(
    txn: &impl ConnectionTrait,
    all: Vec<ToAssign>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let mut alike: Vec<(Arc<Turns>, Vec<ToAssign>)> = Vec::new();
    for one in all {
        match alike.iter_mut().find(|(turns, _)| turns.cursor == one.turns.cursor) {
            Some((_, them)) => them.push(one),
            None => alike.push((Arc::clone(&one.turns), vec![one])),
        }
    }
    // Two workers that hand out turns of several steps do not wait for one another in a circle.
    alike.sort_by_key(|(turns, _)| turns.cursor);
    let mut updates = Vec::new();
    let mut changes = HashMap::<UserId, Arc<BulkChange>>::new();
    for (turns, them) in alike {
        let number = i64::try_from(them.len()).unwrap_or(i64::MAX);
        let mut order = turns.order.clone();
        let mut position = cursor::take(txn, turns.cursor, number).await?;
        for ToAssign { customer, actor, cause, .. } in them {
            let Some(user) = order.pick(position) else { continue };
            position += 1;
            let change = changes.entry(user).or_insert_with(|| {
                Arc::new(BulkChange { owner_id: Some(Some(user)), ..BulkChange::default() })
            });
            let change = Arc::clone(change);
            updates.push(ToUpdate { customer, change, is_handed_over: true, actor, cause });
        }
    }
    perform::carry_out(txn, updates, now).await
}
