//! The step `dun` of workflows: it takes an invoice from level to level until it is settled.

use std::collections::HashMap;

use chrono_tz::Tz;
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ladder::{self, Ladder, Level};
use super::next::{Item, Next, next};
use super::own;
use super::plan::Reached;
use crate::access::organisation;
use crate::automation::workflow::definition::Zone;
use crate::automation::workflow::interpreter::{Done, Later};
use crate::automation::workflow::performer::{Effect, Performer, Planned, Turn};
use crate::catalog::Record;
use crate::check::Check;
use crate::collaboration::call;
use crate::customers::customer;
use crate::error::Error;
use crate::finance::invoice;
use crate::id::{CustomerId, InvoiceId, WorkflowId};

/// What the step is called.
pub(super) const NAME: &str = "dun";

/// Asks a customer for an invoice, level by level.
pub struct Dun;

/// What the step remembers of an invoice: in a forecast nothing else does.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Memory {
    /// The highest level that was reached.
    level: i32,
    /// When.
    at: Option<DateTimeUtc>,
}

impl Performer for Dun {
    fn name(&self) -> &'static str {
        NAME
    }

    fn is_for_customers(&self) -> bool {
        true
    }

    fn check(&self, record: &Record, with: &Value, check: &mut Check) {
        check.that(record.table == "invoice", "dun", "only invoices are asked for");
        let ladder = match ladder::parse(with) {
            Ok(ladder) => ladder,
            Err(error) => return check.note(error),
        };
        ladder.check(check);
        let calls = ladder.levels.iter().filter_map(|level| level.call.as_ref());
        for call in calls {
            call::CreateCall.check(record, &json!(call), check);
        }
    }

    fn plan<'a>(
        &'a self,
        db: &'a DatabaseTransaction,
        record: &'static Record,
        with: &'a Value,
        turns: &'a [Turn<'a>],
    ) -> BoxFuture<'a, Result<Vec<Planned>, Error>> {
        async move {
            let Ok(ladder) = ladder::parse(with) else {
                return Ok(turns.iter().map(|_| Planned::failed("it cannot be read")).collect());
            };
            let known = Known::load(db, turns).await?;
            let mut planned = Vec::with_capacity(turns.len());
            let mut calls = Vec::new();
            for turn in turns {
                let id = InvoiceId(turn.run.record_id);
                let Some((invoice, item)) = known.item(id, &ladder, turn) else {
                    planned.push(Planned::skipped("the invoice is gone"));
                    continue;
                };
                if invoice.kind != invoice::Kind::Invoice {
                    planned.push(Planned::skipped("a charge is asked for with what it is for"));
                    continue;
                }
                let step = match next(&ladder, &item, turn.now) {
                    Next::Reach(level) => {
                        if let Some(call) = ladder.level(level).and_then(|one| one.call.as_ref()) {
                            calls.push((level, json!(call), *turn, planned.len()));
                        }
                        reach(&ladder, level, invoice, item, turn)
                    }
                    Next::Later(until, why) => {
                        let memory = Memory { level: item.had, at: item.had_at };
                        Planned::later(later(until, why, memory), Vec::new())
                    }
                    Next::Over => Planned { done: Done::Yes, effects: Vec::new() },
                };
                planned.push(step);
            }
            for (call, turns) in alike(calls) {
                let (turns, places): (Vec<_>, Vec<_>) = turns.into_iter().unzip();
                let made = call::CreateCall.plan(db, record, &call, &turns).await?;
                for (place, made) in places.into_iter().zip(made) {
                    planned[place].effects.extend(made.effects);
                }
            }
            Ok(planned)
        }
        .boxed()
    }
}

/// That an invoice reaches a level, and when it goes on.
fn reach(
    ladder: &Ladder,
    level: i32,
    invoice: &invoice::Model,
    item: Item,
    turn: &Turn<'_>,
) -> Planned {
    let days_late = (turn.now.with_timezone(&item.zone).date_naive() - invoice.due_on).num_days();
    let channels = ladder.level(level).into_iter().flat_map(Level::channels);
    let effects = channels.map(|channel| {
        Effect::Dun(Box::new(Reached {
            run: turn.run.id,
            workflow: turn.run.workflow_id,
            version: turn.run.version_id,
            step: turn.step.to_owned(),
            depth: turn.run.depth,
            scope: ladder.scope,
            customer: invoice.customer_id,
            invoice: invoice.id,
            currency: invoice.currency,
            channel,
            level,
            approval: ladder.level(level).is_some_and(|level| level.approval),
            days_late: i32::try_from(days_late).unwrap_or(i32::MAX),
            open: item.collectable.minor,
        }))
    });
    let effects = effects.collect();
    let memory = Memory { level, at: Some(turn.now) };
    let after = Item { had: level, had_at: Some(turn.now), ..item };
    let (until, why) = match next(ladder, &after, turn.now) {
        Next::Later(until, why) => (until, format!("level {level} was reached; {why}")),
        // The days between two levels keep the next one from coming now.
        Next::Reach(_) | Next::Over => (turn.now, format!("level {level} was reached")),
    };
    Planned::later(later(until, why, memory), effects)
}

fn later(until: DateTimeUtc, why: String, memory: Memory) -> Later {
    Later { until, why, memory: json!(memory) }
}

/// A call that a level plans: the level, what is wanted, for whom, and where it is planned.
type ToCall<'a> = (i32, Value, Turn<'a>, usize);

/// The same calls together.
fn alike(calls: Vec<ToCall<'_>>) -> Vec<(Value, Vec<(Turn<'_>, usize)>)> {
    let mut alike = HashMap::<i32, (Value, Vec<_>)>::new();
    for (level, call, turn, place) in calls {
        alike.entry(level).or_insert((call, Vec::new())).1.push((turn, place));
    }
    alike.into_values().collect()
}

/// What is known of a customer.
#[derive(Clone, Copy)]
struct Customer {
    zone: Option<Tz>,
    excluded: bool,
    paused_until: Option<Date>,
    /// The ladder of its own, if that is at work.
    own: Option<WorkflowId>,
}

/// The same as it is read.
type Row = (CustomerId, String, bool, Option<Date>, Option<WorkflowId>);

/// What is known of the invoices of some runs.
struct Known {
    zone: Tz,
    invoices: HashMap<InvoiceId, invoice::Model>,
    customers: HashMap<CustomerId, Customer>,
}

impl Known {
    async fn load(db: &impl ConnectionTrait, turns: &[Turn<'_>]) -> Result<Self, Error> {
        use customer::Column;
        let ids = turns.iter().map(|turn| turn.run.record_id);
        let invoices =
            invoice::Entity::find().filter(invoice::Column::Id.is_in(ids)).all(db).await?;
        let customers: Vec<Row> = customer::Entity::find()
            .select_only()
            .columns([Column::Id, Column::TimeZone])
            .columns([Column::DunningExcluded, Column::DunningPausedUntil])
            .column(Column::DunningLadderId)
            .filter(Column::Id.is_in(invoices.iter().map(|invoice| invoice.customer_id)))
            .into_tuple()
            .all(db)
            .await?;
        let given = customers.iter().filter_map(|(_, _, _, _, own)| *own);
        let at_work = own::at_work(db, given).await?;
        let customer = |(id, zone, excluded, paused_until, own): Row| {
            let own = own.filter(|own| at_work.contains(own));
            (id, Customer { zone: zone.parse().ok(), excluded, paused_until, own })
        };
        let customers = customers.into_iter().map(customer);
        Ok(Self {
            zone: organisation::get(db).await?.zone(),
            customers: customers.collect(),
            invoices: invoices.into_iter().map(|invoice| (invoice.id, invoice)).collect(),
        })
    }

    fn item(
        &self,
        id: InvoiceId,
        ladder: &Ladder,
        turn: &Turn<'_>,
    ) -> Option<(&invoice::Model, Item)> {
        let invoice = self.invoices.get(&id)?;
        let customer = *self.customers.get(&invoice.customer_id)?;
        let zone = customer.zone.filter(|_| ladder.zone == Zone::Customer).unwrap_or(self.zone);
        let memory = turn.run.memory.as_ref();
        let memory = memory.and_then(|memory| Memory::deserialize(memory).ok()).unwrap_or_default();
        let item = Item {
            open: invoice.state == invoice::State::Open,
            collectable: invoice.collectable(),
            due_on: invoice.due_on,
            had: memory.level.max(invoice.dunning_level),
            had_at: memory.at.max(invoice.dunned_at),
            promised_until: invoice.promised_until,
            broken_at: invoice.broken_at,
            undisputed_at: invoice.undisputed_at,
            handed_over: invoice.handed_over_on.is_some(),
            excluded: customer.excluded,
            asks: ladder.asks(turn.run.workflow_id, customer.own),
            paused_until: customer.paused_until,
            zone,
        };
        Some((invoice, item))
    }
}
