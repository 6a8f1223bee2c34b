//! What would come of a workflow: the same code over the real records, on a clock that is turned by hand.
//!
//! Invariant: nothing is written. What is to be written for a run is a value, which only [`super::advance::due`]
//! writes; here it is counted. Records stay as they are meanwhile, and nothing happens that a step waits for.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use sea_orm::prelude::*;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ActiveEnum, Condition, DatabaseTransaction, Iterable, QuerySelect, QueryTrait};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::advance::{BATCH, Engine, plan};
use super::calendar::{come, on};
use super::day::day;
use super::definition::{Reentry, SegmentTurn, Trigger, Zone};
use super::performer::{Effect, Shown};
use super::post::{Foreseen, Letter, Post};
use super::rate::{self, Left};
use super::start::{Active, customer_of, population};
use super::step::Outcome;
use super::version::Version;
use super::{Definition, Entity, check, performer, read, run, schedule, version};
use crate::automation::message::Reason;
use crate::catalog::by_name;
use crate::customers::customer;
use crate::error::Error;
use crate::id::{CustomerId, Id, UserId, WorkflowId, WorkflowRunId, WorkflowVersionId};
use crate::marketing::segment::member;

/// How many runs are simulated at most.
pub const MOST_RUNS: usize = 100_000;

/// How long a simulation looks ahead at most.
pub const LONGEST: TimeDelta = TimeDelta::days(366);

/// How many effects are shown as they would be.
const SAMPLE: usize = 100;

/// What is to be found out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Question {
    /// From when on.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// For these records alone, as if somebody had started it for them at the beginning. Where there are none, a workflow
    /// that days start is started by them, one that a segment starts at the beginning for who belongs to it, and another one
    /// at the beginning for all records that pass its condition.
    pub records: Option<Vec<Uuid>>,
}

impl Question {
    /// Whether it can be answered.
    ///
    /// # Errors
    /// `Invalid` for a time that is none, or too long.
    pub fn check(&self) -> Result<(), Error> {
        if self.until <= self.from || self.until - self.from > LONGEST {
            let message = format!("it is looked ahead for up to {} days", LONGEST.num_days());
            return Err(Error::invalid("until", message));
        }
        Ok(())
    }
}

/// What a workflow does, of which one asks what would come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Its draft.
    Draft,
    /// What it was published as, by its number.
    Version(i32),
}

/// What would come of a workflow.
#[derive(Clone, Debug, Default)]
pub struct Forecast {
    /// How many runs would begin.
    pub runs: u64,
    /// Whether there would be more than [`MOST_RUNS`], which were left out.
    pub more: bool,
    /// How many of them would be where in the end.
    pub states: HashMap<run::State, u64>,
    /// How often which would come of each step, by its key, in their order.
    pub steps: Vec<(String, Outcome, u64)>,
    /// How much would be done.
    pub effects: u64,
    /// How much would go to customers.
    pub sent: u64,
    /// How much would not go to customers, and why.
    pub held: HashMap<Reason, u64>,
    /// How often something for customers would be put off, and why.
    pub deferred: HashMap<Reason, u64>,
    /// How much would be done in each hour in which something would.
    pub hours: BTreeMap<DateTime<Utc>, u64>,
    /// How much would be each user's business: what they would be told, or get.
    pub users: HashMap<UserId, u64>,
    /// How much would go to each customer.
    pub customers: HashMap<CustomerId, u64>,
    /// The first of what would be done, and when.
    pub sample: Vec<(DateTime<Utc>, Shown)>,
    /// The first messages to customers that would go, and the first that would not.
    pub messages: Vec<Foreseen>,
}

impl Forecast {
    /// Its figures, as they are kept.
    #[must_use]
    pub fn figures(&self) -> Json {
        let reasons = |times: &HashMap<Reason, u64>| {
            times.iter().map(|(reason, times)| (reason.to_value(), *times)).collect()
        };
        let suppressed: BTreeMap<_, _> = reasons(&self.held);
        let deferred: BTreeMap<_, _> = reasons(&self.deferred);
        let states = self.states.iter().map(|(state, runs)| (state.to_value(), *runs));
        let steps = self.steps.iter().map(|(step, outcome, times)| {
            json!({ "step": step, "outcome": outcome.to_value(), "times": times })
        });
        let hours = self.hours.iter().map(|(at, effects)| json!({ "at": at, "effects": effects }));
        json!({
            "runs": self.runs,
            "more": self.more,
            "states": states.collect::<BTreeMap<_, _>>(),
            "steps": steps.collect::<Vec<_>>(),
            "effects": self.effects,
            "sent": self.sent,
            "customers": self.customers.len(),
            "suppressed": suppressed,
            "deferred": deferred,
            "hours": hours.collect::<Vec<_>>(),
        })
    }
}

/// A definition and the records that it would be carried out for.
struct Simulation<'a> {
    engine: &'a Engine<'a>,
    db: &'a DatabaseTransaction,
    active: Active,
    versions: Vec<(WorkflowVersionId, Arc<Version>)>,
    until: DateTime<Utc>,
    /// Who goes on when.
    ahead: BTreeMap<DateTime<Utc>, Vec<run::Model>>,
    /// When a schedule comes that begins runs for whom none is under way.
    times: BTreeSet<DateTime<Utc>>,
    /// For whom that is, once it was looked.
    population: Option<Vec<(Uuid, Option<CustomerId>)>>,
    /// What customers would be sent.
    post: Post,
    /// How often which has come of a step.
    came: HashMap<(String, Outcome), u64>,
    /// How much of the workflow's limit was used in each hour.
    used: HashMap<DateTime<Utc>, i64>,
    forecast: Forecast,
}

/// What a workflow does by its draft or by one of its versions.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn definition(
    db: &impl ConnectionTrait,
    id: WorkflowId,
    which: Which,
) -> Result<Definition, Error> {
    let stored = match which {
        Which::Draft => Entity::find_by_id(id).one(db).await?.map(|row| row.draft),
        Which::Version(number) => {
            let of = version::Entity::find()
                .filter(version::Column::WorkflowId.eq(id))
                .filter(version::Column::Number.eq(number));
            of.one(db).await?.map(|row| row.definition)
        }
    };
    match (stored, which) {
        (Some(stored), _) => read(&stored),
        (None, Which::Draft) => Err(Error::no_such::<Entity>().at(&["id"])),
        (None, Which::Version(_)) => Err(Error::no_such::<version::Entity>().at(&["version"])),
    }
}

/// What would come of what a workflow does, as it is seen in `engine.scope`.
///
/// # Errors
/// `Invalid` for what cannot be carried out or a time that is too long.
pub async fn simulate(
    engine: &Engine<'_>,
    db: &DatabaseTransaction,
    (id, definition): (WorkflowId, &Definition),
    question: &Question,
) -> Result<Forecast, Error> {
    check::check(db, definition, &performer::performers(), engine.scope.viewer).await?;
    question.check()?;
    let mut simulation = Simulation::new(engine, db, id, definition.clone(), question.until)?;
    simulation.begin(question.from, question.records.as_deref()).await?;
    simulation.go().await?;
    Ok(simulation.end())
}

impl<'a> Simulation<'a> {
    fn new(
        engine: &'a Engine<'a>,
        db: &'a DatabaseTransaction,
        workflow: WorkflowId,
        definition: Definition,
        until: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let record = by_name(&definition.record)
            .ok_or_else(|| Error::invalid("record", "there is no such kind of record"))?;
        let version = WorkflowVersionId(Uuid::nil());
        let what = Arc::new(Version { definition, record, forecast: None });
        Ok(Self {
            engine,
            db,
            active: Active { workflow, version, what: Arc::clone(&what), still: false },
            versions: vec![(version, what)],
            until,
            ahead: BTreeMap::new(),
            times: BTreeSet::new(),
            population: None,
            post: Post::default(),
            came: HashMap::new(),
            used: HashMap::new(),
            forecast: Forecast::default(),
        })
    }

    /// The runs that would begin.
    async fn begin(&mut self, from: DateTime<Utc>, records: Option<&[Uuid]>) -> Result<(), Error> {
        let trigger = self.active.what.definition.trigger.clone();
        match (records, trigger) {
            (Some(records), _) => {
                let these = self.active.what.record.column("id").is_in(records.iter().copied());
                self.begin_at(from, Condition::all().add(these)).await
            }
            (None, Trigger::Date { field, days, at, zone }) => {
                self.begin_on(from, (&field, days), at, zone).await
            }
            (None, Trigger::Schedule { cron, zone }) => {
                let cron = schedule::parse(&cron).map_err(|why| Error::invalid("trigger", why))?;
                let zone = schedule::zone(zone.as_deref(), self.engine.zone);
                for instant in schedule::between(&cron, zone, from, self.until) {
                    match self.active.what.definition.reentry {
                        // Who ends before the next time begins again then.
                        Reentry::AfterEnd => drop(self.times.insert(instant)),
                        Reentry::Always => self.begin_at(instant, Condition::all()).await?,
                        // Whoever began is left out from then on.
                        Reentry::Once => {
                            self.begin_at(instant, Condition::all()).await?;
                            break;
                        }
                    }
                    if self.forecast.more {
                        break;
                    }
                }
                Ok(())
            }
            (None, Trigger::Segment { segment, turn: SegmentTurn::Entered, .. }) => {
                let members = member::Entity::find()
                    .select_only()
                    .column(member::Column::CustomerId)
                    .filter(member::Column::SegmentId.eq(segment))
                    .into_query();
                let these = self.active.what.record.column("id").in_subquery(members);
                self.begin_at(from, Condition::all().add(these)).await
            }
            (None, _) => self.begin_at(from, Condition::all()).await,
        }
    }

    async fn begin_on(
        &mut self,
        from: DateTime<Utc>,
        (field, days): (&str, i32),
        at: NaiveTime,
        whose: Zone,
    ) -> Result<(), Error> {
        let (zone, record) = (self.engine.zone, self.active.what.record);
        let dated = day(record, field, self.engine.scope)?;
        let known = match whose {
            Zone::Organisation => vec![zone],
            Zone::Customer => self.zones().await?,
        };
        for ((instant, today), zones) in come(from, self.until, at, &known) {
            if let Some(meant) = today.checked_sub_signed(TimeDelta::days(days.into())) {
                let on = on(record, &dated, meant, &zones, (whose, zone));
                self.begin_at(instant, on).await?;
            }
        }
        Ok(())
    }

    /// The zones in which customers live, and the organisation's.
    async fn zones(&self) -> Result<Vec<Tz>, Error> {
        let zones: Vec<String> = customer::Entity::find()
            .select_only()
            .distinct()
            .column(customer::Column::TimeZone)
            .into_tuple()
            .all(self.db)
            .await?;
        let mut known: Vec<Tz> = zones.iter().filter_map(|zone| zone.parse().ok()).collect();
        if !known.contains(&self.engine.zone) {
            known.push(self.engine.zone);
        }
        Ok(known)
    }

    /// The runs that a schedule begins for whom none is under way.
    async fn begin_again(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        if self.population.is_none() {
            self.population = Some(self.records(Condition::all(), MOST_RUNS).await?);
        }
        let all = self.population.as_ref().map_or(0, Vec::len);
        if self.ahead.values().map(Vec::len).sum::<usize>() >= all {
            return Ok(());
        }
        let under_way = self.ahead.values().flatten().map(|run| run.record_id);
        let under_way = under_way.collect::<HashSet<_>>();
        let idle = self.population.iter().flatten();
        let idle = idle.filter(|(record, _)| !under_way.contains(record)).copied();
        self.add(idle.collect(), now);
        Ok(())
    }

    async fn begin_at(&mut self, at: DateTime<Utc>, which: Condition) -> Result<(), Error> {
        let left = MOST_RUNS - usize::try_from(self.forecast.runs).unwrap_or(MOST_RUNS);
        let records = self.records(which, left).await?;
        self.add(records, at);
        Ok(())
    }

    /// Up to `most` records that meet a condition, and one more if there are more.
    async fn records(
        &self,
        which: Condition,
        most: usize,
    ) -> Result<Vec<(Uuid, Option<CustomerId>)>, Error> {
        let record = self.active.what.record;
        let mut begun = population(&self.active, self.engine.scope)?;
        begun
            .expr(record.column("id"))
            .expr(customer_of(record))
            .cond_where(which)
            .limit(most as u64 + 1);
        let rows = self.db.query_all(&begun).await?;
        let of = |row: sea_orm::QueryResult| {
            let customer: Option<Uuid> = row.try_get_by_index(1)?;
            Ok((row.try_get_by_index(0)?, customer.map(CustomerId)))
        };
        rows.into_iter().map(of).collect()
    }

    /// Begins runs for records, as many as are simulated at most.
    fn add(&mut self, records: Vec<(Uuid, Option<CustomerId>)>, at: DateTime<Utc>) {
        let left = MOST_RUNS - usize::try_from(self.forecast.runs).unwrap_or(MOST_RUNS);
        self.forecast.more |= records.len() > left;
        for (record, customer) in records.into_iter().take(left) {
            let run = self.run(record, customer, at);
            self.forecast.runs += 1;
            self.ahead.entry(at).or_default().push(run);
        }
    }

    fn run(&self, record: Uuid, customer: Option<CustomerId>, at: DateTime<Utc>) -> run::Model {
        run::Model {
            id: WorkflowRunId::new(at),
            workflow_id: self.active.workflow,
            version_id: self.active.version,
            run_key: String::new(),
            record_id: record,
            customer_id: customer,
            event_id: None,
            state: run::State::Running,
            step: None,
            since_at: None,
            until_at: None,
            listens: None,
            met: false,
            due_at: Some(at),
            detail: None,
            started_at: at,
            ended_at: None,
            depth: 0,
            memory: None,
        }
    }

    /// When something happens next.
    fn next(&self) -> Option<DateTime<Utc>> {
        let run = self.ahead.keys().next().copied();
        let time = self.times.first().copied();
        run.into_iter().chain(self.post.next()).chain(time).min()
    }

    /// Counts what would go to customers at `now`.
    fn count_sent(&mut self, gone: u64, now: DateTime<Utc>) {
        if gone > 0 {
            let hour = rate::hour(now);
            *self.forecast.hours.entry(hour).or_default() += gone;
            self.forecast.sent += gone;
        }
    }

    /// Turns the clock from one instant at which something is due to the next.
    async fn go(&mut self) -> Result<(), Error> {
        while let Some(now) = self.next().filter(|now| *now <= self.until) {
            let gone = self.post.due(now);
            self.count_sent(gone, now);
            if self.times.remove(&now) {
                self.begin_again(now).await?;
            }
            let mut runs = self.ahead.remove(&now).unwrap_or_default();
            while !runs.is_empty() {
                let rest = runs.split_off(runs.len().min(usize::try_from(BATCH).unwrap_or(500)));
                let batch = std::mem::replace(&mut runs, rest);
                self.advance(batch, now).await?;
            }
        }
        let waiting = self.ahead.values().map(Vec::len).sum::<usize>();
        if waiting > 0 {
            self.forecast.states.insert(run::State::Waiting, waiting as u64);
        }
        Ok(())
    }

    /// What would have come of it.
    fn end(mut self) -> Forecast {
        for step in &self.active.what.definition.steps {
            for outcome in Outcome::iter() {
                if let Some(times) = self.came.remove(&(step.key.clone(), outcome)) {
                    self.forecast.steps.push((step.key.clone(), outcome, times));
                }
            }
        }
        self.forecast.held = self.post.held;
        self.forecast.deferred = self.post.deferred;
        self.forecast.customers = self.post.reached;
        self.forecast.messages = self.post.sample;
        self.forecast
    }

    async fn advance(&mut self, runs: Vec<run::Model>, now: DateTime<Utc>) -> Result<(), Error> {
        let hour = rate::hour(now);
        let mut left = Left::new();
        if let Some(most) = self.active.what.definition.most_per_hour {
            let used = self.used.get(&hour).copied().unwrap_or_default();
            left.insert(self.active.workflow, (i64::from(most) - used).clamp(0, i64::MAX));
        }
        let advanced = plan(self.engine, self.db, &self.versions, runs, left, now).await?;
        let forecast = &mut self.forecast;
        for run in advanced.runs {
            match run.due_at {
                Some(due) => self.ahead.entry(due).or_default().push(run),
                None => *forecast.states.entry(run.state).or_default() += 1,
            }
        }
        for step in advanced.steps.into_iter().filter(|step| step.outcome != Outcome::Waiting) {
            *self.came.entry((step.step, step.outcome)).or_default() += 1;
        }
        *self.used.entry(hour).or_default() += advanced.taken.values().sum::<i64>();
        forecast.effects += advanced.effects.len() as u64;
        let (letters, others): (Vec<_>, Vec<_>) =
            advanced.effects.into_iter().partition(Effect::is_for_a_customer);
        for shown in others.into_iter().filter_map(Effect::shown) {
            *forecast.hours.entry(hour).or_default() += 1;
            if let Some(user) = shown.user {
                *forecast.users.entry(user).or_default() += 1;
            }
            if forecast.sample.len() < SAMPLE {
                forecast.sample.push((now, shown));
            }
        }
        let letters = letters.into_iter().filter_map(|effect| Letter::of(effect, now)).collect();
        let gone = self.post.take(self.db, letters, now).await?;
        self.count_sent(gone, now);
        Ok(())
    }
}
