//! What runs have to know: one statement for all that are in the same step of the same version.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{DatabaseTransaction, QuerySelect};

use super::advance::{Ask, Batch, Question};
use super::day::day;
use super::definition::{Action, Wait, Zone};
use super::interpreter::{Done, Facts};
use super::performer::{Effect, Planned, Turn};
use super::{moment, run, start};
use crate::automation::event;
use crate::automation::gate::{free_days, holiday};
use crate::catalog::{Key, Record, among, condition, read_key};
use crate::customers::customer;
use crate::error::Error;
use crate::id::CustomerId;

/// On which days nobody works.
enum Free {
    /// The same for all.
    Everywhere(Vec<NaiveDate>),
    /// Where each customer is.
    There(HashMap<CustomerId, Vec<NaiveDate>>),
}

impl Free {
    fn of(&self, customer: Option<CustomerId>) -> &[NaiveDate] {
        match self {
            Self::Everywhere(days) => days,
            Self::There(days) => customer.and_then(|one| days.get(&one)).map_or(&[], Vec::as_slice),
        }
    }
}

impl Batch<'_> {
    /// Calls off the runs whose records are gone.
    pub(super) async fn leave_gone(&mut self) -> Result<(), Error> {
        let mut there = HashSet::new();
        let mut kinds = BTreeMap::<&str, (&'static Record, Vec<Uuid>)>::new();
        for walk in &self.walks {
            let record = self.versions[walk.version].1.record;
            kinds.entry(record.table).or_insert((record, Vec::new())).1.push(walk.run.record_id);
        }
        for (record, ids) in kinds.into_values() {
            let mut query = Query::select();
            query
                .expr(record.column("id"))
                .from(record.table)
                .and_where(among(self.engine.scope.backend, record.column("id"), &ids))
                .cond_where(record.listed(&Json::Null));
            there.extend(ids_of(self.db, &query).await?);
        }
        for walk in std::mem::take(&mut self.walks) {
            match there.contains(&walk.run.record_id) {
                true => self.walks.push(walk),
                false => self.end(walk.run, run::State::Cancelled, Some("the record is gone")),
            }
        }
        Ok(())
    }

    /// Answers a question for those of the runs that ask it.
    pub(super) async fn answer(
        &mut self,
        question: Question,
        walks: &[usize],
    ) -> Result<(), Error> {
        let (version, step, ask) = question;
        let version = Arc::clone(&self.versions[version].1);
        let Some(step) = version.definition.steps.get(step) else { return Ok(()) };
        let ids = walks.iter().map(|walk| self.walks[*walk].run.record_id).collect::<Vec<_>>();
        match (ask, &step.action) {
            (Ask::Goal, _) => {
                let reached = self.passing(version.record, &version.definition.goal, &ids).await?;
                self.learn(walks, |facts, run| facts.goal = Some(reached.contains(&run.record_id)));
            }
            (Ask::Filter, Action::Branch { filter, .. }) => {
                let passing = self.passing(version.record, filter, &ids).await?;
                self.learn(walks, |facts, run| {
                    facts.passes = Some(passing.contains(&run.record_id));
                });
            }
            (Ask::Moment, Action::Wait(wait)) => {
                let moments = self.moments(version.record, wait, &ids).await?;
                self.learn(walks, |facts, run| {
                    facts.moment = Some(moments.get(&run.record_id).copied().flatten());
                });
            }
            (Ask::Event, Action::WaitForEvent { kinds, .. }) => {
                let happened = self.happened(version.record, kinds, walks, &ids).await?;
                self.learn(walks, |facts, run| {
                    let last = happened.get(&run.record_id);
                    facts.happened = Some(last.is_some_and(|last| Some(*last) >= run.since_at));
                });
            }
            (Ask::Do, Action::Do { what, with }) => {
                let walks = &self.within_rate(walks)[..];
                let planned = self.perform(version.record, (what, with), &step.key, walks).await?;
                let mut planned = planned.into_iter();
                for walk in walks {
                    let planned = planned.next();
                    let planned = planned.unwrap_or_else(|| Planned::failed("it gave no answer"));
                    if planned.effects.is_empty() && matches!(planned.done, Done::Later(_)) {
                        self.give_back(*walk);
                    }
                    self.walks[*walk].changes = planned.effects.iter().any(Effect::changes_records);
                    self.done.effects.extend(planned.effects);
                    self.walks[*walk].facts.done = Some(planned.done);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Those of the runs whose workflow may do something in this hour; the others are late.
    fn within_rate(&mut self, walks: &[usize]) -> Vec<usize> {
        let mut within = Vec::with_capacity(walks.len());
        for walk in walks {
            let workflow = self.walks[*walk].run.workflow_id;
            match self.left.get_mut(&workflow) {
                None => within.push(*walk),
                Some(0) => self.walks[*walk].late = true,
                Some(left) => {
                    *left -= 1;
                    *self.done.taken.entry(workflow).or_default() += 1;
                    within.push(*walk);
                }
            }
        }
        within
    }

    /// Lets others do what a run has not done yet.
    fn give_back(&mut self, walk: usize) {
        let workflow = self.walks[walk].run.workflow_id;
        if let Some(left) = self.left.get_mut(&workflow) {
            *left += 1;
            *self.done.taken.entry(workflow).or_default() -= 1;
        }
    }

    pub(super) fn learn(&mut self, walks: &[usize], mut fact: impl FnMut(&mut Facts, &run::Model)) {
        for walk in walks {
            let walk = &mut self.walks[*walk];
            fact(&mut walk.facts, &walk.run);
        }
    }

    /// Which of the records pass a filter.
    async fn passing(
        &self,
        record: &Record,
        filter: &Json,
        ids: &[Uuid],
    ) -> Result<HashSet<Uuid>, Error> {
        let scope = self.engine.scope;
        let mut query = Query::select();
        query
            .expr(record.column("id"))
            .from(record.table)
            .and_where(among(scope.backend, record.column("id"), ids))
            .cond_where(condition(record, filter, scope, "filter")?);
        Ok(ids_of(self.db, &query).await?)
    }

    /// When one of the events last happened to each of the records, or, for a customer, to what is theirs, since the
    /// first of the runs has waited.
    async fn happened(
        &self,
        record: &Record,
        kinds: &[event::Kind],
        walks: &[usize],
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, DateTime<Utc>>, Error> {
        let Some(since) = walks.iter().filter_map(|walk| self.walks[*walk].run.since_at).min()
        else {
            return Ok(HashMap::new());
        };
        let whose = start::whose(record);
        let last = event::Entity::find()
            .select_only()
            .column(whose)
            .column_as(event::Column::OccurredAt.max(), "last")
            .filter(whose.is_in(ids.iter().copied()))
            .filter(event::Column::Kind.is_in(kinds.iter().copied()))
            .filter(event::Column::OccurredAt.gte(since))
            .group_by(whose);
        let last: Vec<(Uuid, DateTime<Utc>)> = last.into_tuple().all(self.db).await?;
        Ok(last.into_iter().collect())
    }

    /// For each record, when what a step waits for is.
    async fn moments(
        &self,
        record: &Record,
        wait: &Wait,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Option<DateTime<Utc>>>, Error> {
        let (field, days, at, zone) = match wait {
            Wait::For(_) => return Ok(HashMap::new()),
            Wait::Until { at, zone } | Wait::Business { at, zone, .. } => (None, 0, *at, *zone),
            Wait::Date { field, days, at, zone } => (Some(field), *days, *at, *zone),
        };
        let mut query = Query::select();
        query
            .expr(record.column("id"))
            .expr(Expr::col((customer::Entity, customer::Column::TimeZone)))
            .expr(start::customer_of(record))
            .from(record.table)
            .and_where(among(self.engine.scope.backend, record.column("id"), ids));
        if record.table != "customer" {
            let whose = Expr::col((customer::Entity, customer::Column::Id));
            query.left_join(customer::Entity, whose.eq(start::customer_of(record)));
        }
        let dated = field.map(|field| day(record, field, self.engine.scope)).transpose()?;
        if let Some((column, _)) = &dated {
            query.expr(column.clone());
        }
        let mut moments = HashMap::with_capacity(ids.len());
        let rows = self.db.query_all(&query).await?;
        let customers = rows.iter().map(|row| row.try_get_by_index::<Option<CustomerId>>(2));
        let customers = customers.collect::<Result<Vec<_>, _>>()?;
        let free = self.free(wait, &customers).await?;
        for (row, customer) in rows.iter().zip(customers) {
            let own = row.try_get_by_index::<Option<String>>(1)?;
            let zone = match zone {
                Zone::Customer => own.and_then(|zone| zone.parse().ok()),
                Zone::Organisation => None,
            };
            let zone = zone.unwrap_or(self.engine.zone);
            let moment = match (&dated, wait) {
                (None, Wait::Business { days, .. }) => {
                    moment::business(self.now, *days, at, zone, free.of(customer))
                }
                (None, _) => Some(moment::next(self.now, at, zone)),
                (Some((_, scalar)), _) => read_key(row, 3, scalar)?.and_then(|key| {
                    let day = match key {
                        Key::Day(day) => day,
                        Key::Instant(instant) => instant.with_timezone(&zone).date_naive(),
                        _ => return None,
                    };
                    let day = day.checked_add_signed(TimeDelta::days(days.into()))?;
                    Some(moment::instant(day, at, zone))
                }),
            };
            moments.insert(row.try_get_by_index(0)?, moment);
        }
        Ok(moments)
    }

    /// On which days nobody works, of those that a wait counts, where the customers are.
    async fn free(&self, wait: &Wait, customers: &[Option<CustomerId>]) -> Result<Free, Error> {
        // A clock elsewhere may still be on the day before.
        let since = (self.now - TimeDelta::days(2)).date_naive();
        Ok(match wait {
            Wait::Business { country: Some(country), .. } => {
                let mut days =
                    holiday::of(self.db, HashSet::from([country.as_str()]), since).await?;
                Free::Everywhere(days.remove(country).unwrap_or_default())
            }
            Wait::Business { country: None, .. } => {
                let customers = customers.iter().copied().flatten().collect::<Vec<_>>();
                Free::There(free_days(self.db, &customers, since).await?)
            }
            Wait::For(_) | Wait::Until { .. } | Wait::Date { .. } => Free::Everywhere(Vec::new()),
        })
    }

    async fn perform(
        &self,
        record: &'static Record,
        (what, with): (&str, &Json),
        step: &str,
        walks: &[usize],
    ) -> Result<Vec<Planned>, Error> {
        let performer = self.engine.performers.iter().find(|performer| performer.name() == what);
        let Some(performer) = performer else {
            return Ok(walks
                .iter()
                .map(|_| Planned::failed("nothing of this name can be done"))
                .collect());
        };
        let turn = |walk: &usize| Turn { run: &self.walks[*walk].run, step, now: self.now };
        let turns = walks.iter().map(turn).collect::<Vec<_>>();
        performer.plan(self.db, record, with, &turns).await
    }
}

async fn ids_of(db: &DatabaseTransaction, query: &SelectStatement) -> Result<HashSet<Uuid>, DbErr> {
    let rows = db.query_all(query).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}
