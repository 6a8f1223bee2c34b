//! Planning calls in runs of workflows.
//!
//! Invariant: a workflow plans no call outside the times at which there are calls, and none to somebody who said that
//! they do not want to be called.

use std::collections::HashMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cadence::USUAL;
use super::{
    ActiveModel, BRIEF, Column, Direction, Entity, LONGEST_MIN, Outcome, Priority, Purpose,
};
use crate::access::Actor;
use crate::automation::workflow::interpreter::Done;
use crate::automation::workflow::performer::{Effect, Performer, Planned, Turn};
use crate::catalog::Record;
use crate::check::Check;
use crate::collaboration::later::{self, Around, Later};
use crate::collaboration::{parse_lines, reminder};
use crate::customers::parse_required;
use crate::edit;
use crate::error::Error;
use crate::id::{CallId, ContactId, CustomerId, UserId};

/// A call that a step plans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// What it is about.
    pub subject: String,
    /// What it is for.
    pub purpose: Purpose,
    /// When it is to be made; the next time from then on at which there are calls.
    pub planned: Later,
    /// How many minutes it is thought to take.
    pub planned_min: i32,
    /// Who has to make it; who looks after the customer when absent.
    pub assignee: Option<String>,
    /// How much it matters.
    pub priority: Priority,
    /// What they need.
    pub needs: Option<String>,
    /// What to say.
    pub say: Option<String>,
    /// What not to say.
    pub avoid: Option<String>,
    /// What of value to offer.
    pub offer: Option<String>,
    /// How many seconds before it who has to make it is reminded.
    pub remind_s: Vec<i32>,
}

/// A call that a workflow plans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToCreate {
    /// The call.
    pub wanted: Wanted,
    /// The customer that is called.
    pub customer: CustomerId,
    /// The person there who is called; the customer itself when absent.
    pub contact: Option<ContactId>,
    /// Who has to make it.
    pub assignee: Option<UserId>,
    /// When it is to be made.
    pub planned_at: DateTimeUtc,
    /// The prefix of the id of the run's record.
    pub kind: &'static str,
    /// That record.
    pub record: Uuid,
    /// Who plans it.
    pub actor: Actor,
}

/// Plans a call to the customer whom a run concerns, or to the person whom the call was with that the run is for.
pub struct CreateCall;

impl Performer for CreateCall {
    fn name(&self) -> &'static str {
        "createCall"
    }

    fn check(&self, record: &Record, with: &Value, check: &mut Check) {
        let wanted = match Wanted::deserialize(with) {
            Ok(wanted) => wanted,
            Err(error) => return check.note(Error::invalid("with", error.to_string())),
        };
        later::check_whose(record, wanted.assignee.as_deref(), "assigneeId", check);
        wanted.planned.check(check);
        check.put(parse_required("subject", &wanted.subject, 200), &mut String::new());
        let Wanted { needs, say, avoid, offer, remind_s, .. } = wanted;
        for (part, field) in [(needs, "needs"), (say, "say"), (avoid, "avoid"), (offer, "offer")] {
            check.put(parse_lines(field, part, BRIEF), &mut None);
        }
        let message = format!("a call is planned to take 1 to {LONGEST_MIN} minutes");
        check.that((1..=LONGEST_MIN).contains(&wanted.planned_min), "plannedMin", message);
        check.put(reminder::clean(remind_s), &mut Vec::new());
    }

    fn plan<'a>(
        &'a self,
        db: &'a DatabaseTransaction,
        record: &'static Record,
        with: &'a Value,
        turns: &'a [Turn<'a>],
    ) -> BoxFuture<'a, Result<Vec<Planned>, Error>> {
        async move {
            let refuse = |why: &str| Ok(turns.iter().map(|_| Planned::failed(why)).collect());
            let Ok(mut wanted) = Wanted::deserialize(with) else {
                return refuse("it cannot be read");
            };
            wanted.remind_s = reminder::clean(wanted.remind_s)?;
            let Some(around) = Around::load(db, wanted.assignee.as_deref(), turns).await? else {
                return refuse(later::NO_SUCH_USER);
            };
            let refused = refused(db, turns).await?;
            let people = people(db, record, turns).await?;
            let planned = turns.iter().map(|turn| {
                let Some(customer) = turn.run.customer_id else {
                    return Planned::skipped("it concerns no customer");
                };
                let assignee = match around.user(customer) {
                    Ok(assignee) => assignee,
                    Err(why) => return Planned::skipped(why),
                };
                let contact = people.get(&turn.run.record_id).copied().flatten();
                let refusals = refused.get(&customer).map_or(&[][..], Vec::as_slice);
                if refusals.iter().any(|whose| whose.is_none() || *whose == contact) {
                    return Planned::skipped("they do not want to be called");
                }
                let (at, _) = around.planned(wanted.planned, customer, turn.now);
                let Some(planned_at) = USUAL.window.first(at, around.zone(customer)) else {
                    return Planned::skipped("there are no calls then");
                };
                let call = ToCreate {
                    wanted: wanted.clone(),
                    customer,
                    contact,
                    assignee,
                    planned_at,
                    kind: record.prefix,
                    record: turn.run.record_id,
                    actor: turn.actor(),
                };
                Planned { done: Done::Yes, effects: vec![Effect::CreateCall(Box::new(call))] }
            });
            Ok(planned.collect())
        }
        .boxed()
    }
}

/// Whom at the customers of runs nobody is to call: everybody where there is nobody in it.
async fn refused(
    db: &impl ConnectionTrait,
    turns: &[Turn<'_>],
) -> Result<HashMap<CustomerId, Vec<Option<ContactId>>>, DbErr> {
    let rows: Vec<(CustomerId, Option<ContactId>)> = Entity::find()
        .select_only()
        .columns([Column::CustomerId, Column::ContactId])
        .filter(Column::CustomerId.is_in(turns.iter().filter_map(|turn| turn.run.customer_id)))
        .filter(Column::Outcome.eq(Outcome::DoNotCall))
        .filter(Column::DeletedAt.is_null())
        .into_tuple()
        .all(db)
        .await?;
    let mut refused = HashMap::<_, Vec<_>>::new();
    for (customer, contact) in rows {
        refused.entry(customer).or_default().push(contact);
    }
    Ok(refused)
}

/// Whom the calls are with that the runs are for, if they are for calls.
async fn people(
    db: &impl ConnectionTrait,
    record: &Record,
    turns: &[Turn<'_>],
) -> Result<HashMap<Uuid, Option<ContactId>>, DbErr> {
    if record.table != "call" {
        return Ok(HashMap::new());
    }
    let calls = Entity::find()
        .select_only()
        .columns([Column::Id, Column::ContactId])
        .filter(Column::Id.is_in(turns.iter().map(|turn| CallId(turn.run.record_id))));
    let calls: Vec<(Uuid, Option<ContactId>)> = calls.into_tuple().all(db).await?;
    Ok(calls.into_iter().collect())
}

/// Adds calls, with their reminders, in a constant number of statements.
///
/// # Errors
/// The database.
pub(crate) async fn carry_out(
    txn: &impl ConnectionTrait,
    calls: Vec<ToCreate>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let before = calls.iter().map(|call| call.wanted.remind_s.clone()).collect::<Vec<_>>();
    let added = edit::create_all::<Entity>(txn, calls.into_iter().map(row), now).await?;
    let due = added.iter().zip(before).map(|(call, before)| (call.due(now), before));
    reminder::add(txn, due, now).await
}

fn row(call: ToCreate) -> (ActiveModel, Actor) {
    let ToCreate { wanted, .. } = call;
    let row = ActiveModel {
        customer_id: Set(call.customer),
        contact_id: Set(call.contact),
        assignee_id: Set(call.assignee),
        direction: Set(Direction::Outbound),
        purpose: Set(wanted.purpose),
        subject: Set(wanted.subject),
        priority: Set(wanted.priority),
        planned_at: Set(call.planned_at),
        planned_min: Set(wanted.planned_min),
        needs: Set(wanted.needs),
        say: Set(wanted.say),
        avoid: Set(wanted.avoid),
        offer: Set(wanted.offer),
        ..Default::default()
    };
    (row.first(), call.actor)
}
