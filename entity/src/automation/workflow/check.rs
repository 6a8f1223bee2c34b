//! Whether a workflow can do what it is to do.

use std::collections::HashSet;

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, EntityTrait, Iterable};
use serde_json::{Value as Json, json};

use super::day::day;
use super::definition::{Action, Definition, LONGEST, Trigger, Wait};
use super::performer::Performer;
use super::{changed, schedule};
use crate::access::Viewer;
use crate::automation::event;
use crate::catalog::{Record, Scope, by_name, condition};
use crate::check::Check;
use crate::customers::address::parse_country;
use crate::customers::custom::CustomFields;
use crate::customers::parse_zone;
use crate::error::Error;
use crate::marketing::segment;

/// How many steps a workflow has at most.
const MOST_STEPS: usize = 100;

/// How many business days a step waits at most.
const MOST_BUSINESS_DAYS: u32 = 1_000;

/// How far from a day it may start, or wait.
const FARTHEST_DAYS: i32 = 3_660;

/// Whether `definition` can be carried out, and whether `viewer` may see all that it compares.
///
/// # Errors
/// `Invalid` with everything that is wrong.
pub(super) async fn check(
    db: &impl ConnectionTrait,
    definition: &Definition,
    performers: &[&dyn Performer],
    viewer: &Viewer,
) -> Result<(), Error> {
    let custom = CustomFields::loaded(db).await?;
    let scope = Scope::of(db, viewer, &custom);
    let mut check = Check::default();
    match by_name(&definition.record).filter(|record| !record.many.is_empty()) {
        None => check.note(Error::invalid("record", "there is no such kind of record")),
        Some(record) => {
            let subject = Subject { record, scope };
            subject.filter(&definition.condition, "condition", &mut check);
            subject.filter(&definition.goal, "goal", &mut check);
            subject.trigger(&definition.trigger, &mut check);
            if let Trigger::Segment { segment, .. } = &definition.trigger {
                let known = segment::Entity::find_by_id(*segment).one(db).await?;
                check.that(known.is_some(), "trigger", "there is no such segment");
            }
            subject.steps(definition, performers, &mut check);
            let some = definition.most_per_hour != Some(0);
            check.that(
                some,
                "mostPerHour",
                "at least one step an hour; pause the workflow instead",
            );
        }
    }
    check.end()
}

/// What a definition is about.
#[derive(Clone, Copy)]
struct Subject<'a> {
    record: &'static Record,
    scope: Scope<'a>,
}

impl Subject<'_> {
    fn filter(self, filter: &Json, at: &'static str, check: &mut Check) {
        if !filter.is_null()
            && let Err(error) = condition(self.record, filter, self.scope, at)
        {
            check.note(Error::invalid(at, error.to_string()));
        }
    }

    fn trigger(self, trigger: &Trigger, check: &mut Check) {
        match trigger {
            Trigger::Manual => {}
            Trigger::Segment { .. } => {
                let is_customer = self.record.table == "customer";
                check.that(is_customer, "trigger", "customers enter segments, and leave them");
            }
            Trigger::Event { kinds, .. } => self.events(kinds, "trigger", check),
            Trigger::Date { field, days, .. } => self.day(field, *days, "trigger", check),
            Trigger::Change { field, .. } => {
                let message = format!("{} has no field {field} that changes", self.record.name);
                let is_noted = event::Kind::iter().any(|kind| {
                    kind.is_public()
                        && kind.record().is_some_and(|of| of.table == self.record.table)
                });
                let place = changed::place(self.record, field);
                check.that(is_noted && place.is_some(), "trigger", message);
            }
            Trigger::Webhook { field, at } => {
                let named = json!({ field: { "in": [] } });
                let message =
                    format!("{} has no field {field} that is filtered by", self.record.name);
                let is_named = condition(self.record, &named, self.scope, "trigger").is_ok();
                check.that(is_named, "trigger", message);
                let is_place = at.starts_with('/') && at.len() <= 200;
                check.that(
                    is_place,
                    "trigger",
                    "a place in a body is a JSON pointer, such as /data/customer",
                );
            }
            Trigger::Schedule { cron, zone } => {
                if let Some(Err(error)) = zone.as_deref().map(parse_zone) {
                    check.note(error);
                }
                if let Err(why) = schedule::parse(cron) {
                    check.note(Error::invalid("trigger", format!("{cron} is no schedule: {why}")));
                }
            }
        }
    }

    /// Events that happen to the record, or, for a customer, to what is theirs.
    fn events(self, kinds: &[event::Kind], at: &'static str, check: &mut Check) {
        check.that(!kinds.is_empty(), at, "name at least one kind of event");
        for kind in kinds {
            let about = kind.record().is_some_and(|about| {
                about.table == self.record.table
                    || (self.record.table == "customer" && about.field("customer").is_some())
            });
            let message = format!("{} does not happen to this kind of record", kind.name());
            check.that(about && kind.is_public(), at, message);
        }
    }

    fn day(self, field: &str, days: i32, at: &'static str, check: &mut Check) {
        if let Err(why) = day(self.record, field, self.scope) {
            check.note(Error::invalid(at, why.to_string()));
        }
        let near = (-FARTHEST_DAYS..=FARTHEST_DAYS).contains(&days);
        check.that(near, at, format!("at most {FARTHEST_DAYS} days before or after"));
    }

    fn steps(self, definition: &Definition, performers: &[&dyn Performer], check: &mut Check) {
        let steps = &definition.steps;
        let number = (1..=MOST_STEPS).contains(&steps.len());
        check.that(number, "steps", format!("a workflow has 1 to {MOST_STEPS} steps"));
        let mut keys = HashSet::new();
        for (index, step) in steps.iter().enumerate() {
            check.within("steps", index, |check| {
                let is_key = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                let named = (1..=64).contains(&step.key.len()) && step.key.chars().all(is_key);
                check.that(named, "key", "1 to 64 letters, digits, hyphens and underscores");
                check.that(keys.insert(&step.key), "key", "another step has this key");
                let there = |key: &String| definition.step(key).is_some();
                let missing = "there is no such step";
                check.that(step.then.as_ref().is_none_or(there), "then", missing);
                match &step.action {
                    Action::Branch { otherwise, .. } | Action::WaitForEvent { otherwise, .. } => {
                        check.that(otherwise.as_ref().is_none_or(there), "otherwise", missing);
                    }
                    Action::Split { ways } => {
                        check.that(ways.keys().all(there), "ways", missing);
                        let some = ways.values().any(|weight| *weight > 0);
                        check.that(some, "ways", "one of the ways has a weight above 0");
                    }
                    Action::Wait(_) | Action::Do { .. } | Action::End => {}
                }
                self.action(&step.action, performers, check);
            });
        }
        if let Some(step) = circle(definition) {
            check.within("steps", step, |check| {
                let message = "the steps go in a circle without a wait for a while in it";
                check.note(Error::invalid("then", message));
            });
        }
    }

    fn action(self, action: &Action, performers: &[&dyn Performer], check: &mut Check) {
        let for_a_while = |seconds: &i64| {
            TimeDelta::try_seconds(*seconds)
                .is_some_and(|time| time > TimeDelta::zero() && time <= LONGEST)
        };
        let message = format!("a second to {} days", LONGEST.num_days());
        match action {
            Action::Wait(Wait::For(seconds)) => check.that(for_a_while(seconds), "wait", message),
            Action::Wait(Wait::Date { field, days, .. }) => self.day(field, *days, "wait", check),
            Action::Wait(Wait::Business { days, country, .. }) => {
                let message = format!("0 to {MOST_BUSINESS_DAYS} days");
                check.that(*days <= MOST_BUSINESS_DAYS, "days", message);
                check.put(parse_country(country.clone()), &mut None);
            }
            Action::WaitForEvent { kinds, within_s, .. } => {
                self.events(kinds, "kinds", check);
                check.that(for_a_while(within_s), "within", message);
            }
            Action::Branch { filter, .. } => self.filter(filter, "filter", check),
            Action::Do { what, with } => {
                match performers.iter().find(|performer| performer.name() == what) {
                    Some(performer) => performer.check(self.record, with, check),
                    None => check.note(Error::invalid("what", "nothing of this name can be done")),
                }
            }
            Action::Wait(Wait::Until { .. }) | Action::Split { .. } | Action::End => {}
        }
    }
}

/// A step from which one comes back to it without time passing.
pub(super) fn circle(definition: &Definition) -> Option<usize> {
    (0..definition.steps.len()).find(|start| {
        let mut seen = HashSet::new();
        let mut ahead = vec![*start];
        while let Some(step) = ahead.pop() {
            if definition.steps[step].action.takes_time() {
                continue;
            }
            for next in definition.successors(step) {
                if next == *start {
                    return true;
                }
                if seen.insert(next) {
                    ahead.push(next);
                }
            }
        }
        false
    })
}
