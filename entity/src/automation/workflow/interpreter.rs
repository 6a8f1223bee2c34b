//! The interpreter: from where a run is to what comes next. A pure function: it reads no clock, no chance and no
//! database, so that a simulation and the real thing cannot differ.
//!
//! Invariant: it asks for a fact, has something done, or passes time; between two of those it takes at most as many
//! steps as the workflow has.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::definition::{Action, Definition, Wait};

/// Where a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// In which step.
    pub step: usize,
    /// Since when it waits there; it has only just come there otherwise.
    pub waiting: Option<Waiting>,
}

/// What a run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Until when.
    pub until: DateTime<Utc>,
    /// Whether the event that it waits for has come.
    pub met: bool,
}

/// What is known of a run's record. What was not found out yet is absent, and is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether the record has reached what the workflow is for.
    pub goal: Option<bool>,
    /// Whether the record passes the filter of the step that the run is in.
    pub passes: Option<bool>,
    /// When the moment is that the step waits for; `None` in it when there is none.
    pub moment: Option<Option<DateTime<Utc>>>,
    /// Whether the event has happened that the step waits for.
    pub happened: Option<bool>,
    /// What came of what the step does.
    pub done: Option<Done>,
    /// Why one of these cannot be found out any more, since what the version names has changed.
    pub unknowable: Option<String>,
}

/// What came of what a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was done.
    Yes,
    /// There was nothing to do; why.
    Skipped(&'static str),
    /// It goes on, or begins, at an instant, or when somebody lets it look again before.
    Later(Later),
    /// It cannot be done; what has to be put right.
    Failed(String),
}

/// That a step goes on later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// When, at the latest.
    pub until: DateTime<Utc>,
    /// What it waits for.
    pub why: String,
    /// What it has to remember of itself until then.
    pub memory: Json,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Whether the record has reached what the workflow is for has to be found out.
    AskGoal,
    /// Whether the record passes the filter of the step.
    AskFilter,
    /// When the moment is that the step waits for.
    AskMoment,
    /// Whether the event has happened that the step waits for has to be found out.
    AskEvent,
    /// What the step does has to be done.
    Do,
    /// The run goes on in another step; the facts of this one are forgotten.
    Go(usize),
    /// Nothing happens before an instant, unless an event comes that the step waits for.
    Sleep(DateTime<Utc>),
    /// The run has ended.
    End(End),
}

/// How a run has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It came to its end.
    Completed,
    /// Its record has reached what the workflow is for.
    GoalReached,
    /// A step could not be done.
    Failed(String),
}

/// What comes next for a run that is at `place`; its ways are drawn from `chance`.
#[must_use]
pub fn next(
    definition: &Definition,
    chance: Uuid,
    place: &Place,
    facts: &Facts,
    now: DateTime<Utc>,
) -> Next {
    let Some(step) = definition.steps.get(place.step) else { return Next::End(End::Completed) };
    if let Some(why) = &facts.unknowable {
        return Next::End(End::Failed(why.clone()));
    }
    if !definition.goal.is_null() {
        match facts.goal {
            None => return Next::AskGoal,
            Some(true) => return Next::End(End::GoalReached),
            Some(false) => {}
        }
    }
    let go = |next: Option<usize>| next.map_or(Next::End(End::Completed), Next::Go);
    let named = |key: &Option<String>| go(key.as_deref().and_then(|key| definition.step(key)));
    let on = || go(definition.following(place.step));
    match &step.action {
        Action::Wait(Wait::For(seconds)) => match place.waiting {
            None => Next::Sleep(now + TimeDelta::seconds(*seconds)),
            Some(waiting) if waiting.until > now => Next::Sleep(waiting.until),
            Some(_) => on(),
        },
        Action::Wait(Wait::Until { .. } | Wait::Business { .. }) => {
            match (place.waiting, facts.moment) {
                (Some(waiting), _) if waiting.until <= now => on(),
                (Some(waiting), _) => Next::Sleep(waiting.until),
                (None, None) => Next::AskMoment,
                (None, Some(Some(moment))) if moment > now => Next::Sleep(moment),
                (None, Some(_)) => on(),
            }
        }
        // The day may have been moved meanwhile.
        Action::Wait(Wait::Date { .. }) => match facts.moment {
            None => Next::AskMoment,
            Some(Some(moment)) if moment > now => Next::Sleep(moment),
            Some(_) => on(),
        },
        Action::WaitForEvent { within_s, otherwise, .. } => match place.waiting {
            None => Next::Sleep(now + TimeDelta::seconds(*within_s)),
            Some(Waiting { met: true, .. }) => on(),
            // It may have happened while it was not written down yet that this run waits for it.
            Some(waiting) => match facts.happened {
                None => Next::AskEvent,
                Some(true) => on(),
                Some(false) if waiting.until > now => Next::Sleep(waiting.until),
                Some(false) => named(otherwise),
            },
        },
        Action::Branch { otherwise, .. } => match facts.passes {
            None => Next::AskFilter,
            Some(true) => on(),
            Some(false) => named(otherwise),
        },
        Action::Split { ways } => {
            let sum = ways.values().map(|weight| u64::from(*weight)).sum::<u64>().max(1);
            let mut drawn = draw(chance, &step.key) % sum;
            let way = ways.iter().find(|(_, weight)| {
                let weight = u64::from(**weight);
                let here = drawn < weight;
                drawn = drawn.saturating_sub(weight);
                here
            });
            go(way.and_then(|(key, _)| definition.step(key)))
        }
        Action::Do { .. } => match &facts.done {
            None => Next::Do,
            Some(Done::Yes | Done::Skipped(_)) => on(),
            Some(Done::Later(later)) => Next::Sleep(later.until),
            Some(Done::Failed(why)) => Next::End(End::Failed(why.clone())),
        },
        Action::End => Next::End(End::Completed),
    }
}

/// A number for a step: as good as chance, and always the same.
fn draw(chance: Uuid, step: &str) -> u64 {
    let digest =
        Sha256::new().chain_update(chance.as_bytes()).chain_update(step.as_bytes()).finalize();
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::automation::event;
    use crate::automation::workflow::check::circle;
    use crate::automation::workflow::definition::{Reentry, Step, Trigger};

    fn definition(goal: bool, actions: Vec<(Action, Option<String>)>) -> Definition {
        let steps = actions.into_iter().enumerate();
        let steps =
            steps.map(|(index, (action, then))| Step { key: format!("s{index}"), action, then });
        Definition {
            record: "Customer".to_owned(),
            trigger: Trigger::Manual,
            condition: Value::Null,
            goal: if goal { json!({}) } else { Value::Null },
            reentry: Reentry::Once,
            most_per_hour: None,
            steps: steps.collect(),
        }
    }

    /// Any definition of up to six steps that goes anywhere.
    fn definitions() -> impl Strategy<Value = Definition> {
        let key = || prop::option::of((0_usize..6).prop_map(|step| format!("s{step}")));
        let kinds = || vec![event::Kind::NoteCreated];
        let action = prop_oneof![
            (0_i64..100).prop_map(|seconds| Action::Wait(Wait::For(seconds))),
            (1_i64..100, key()).prop_map(move |(within_s, otherwise)| Action::WaitForEvent {
                kinds: kinds(),
                within_s,
                otherwise
            }),
            key().prop_map(|otherwise| Action::Branch { filter: json!({}), otherwise }),
            (0_usize..6, 0_usize..6, 1_u32..9).prop_map(|(one, other, weight)| Action::Split {
                ways: BTreeMap::from([(format!("s{one}"), 1), (format!("s{other}"), weight)]),
            }),
            Just(Action::Do { what: "notify".to_owned(), with: json!({}) }),
            Just(Action::End),
        ];
        (any::<bool>(), prop::collection::vec((action, key()), 1..6))
            .prop_map(|(goal, actions)| definition(goal, actions))
    }

    proptest! {
        /// However it branches, a workflow that may be published ends, or waits, within as many steps as it has.
        #[test]
        fn a_run_never_goes_on_without_time_passing(
            definition in definitions(),
            answers in prop::collection::vec(any::<bool>(), 64),
            id in any::<u128>(),
        ) {
            prop_assume!(circle(&definition).is_none());
            let now = DateTime::UNIX_EPOCH;
            let mut place = Place { step: 0, waiting: None };
            let (mut facts, mut steps, mut answers) = (Facts::default(), 0, answers.into_iter().cycle());
            loop {
                match next(&definition, Uuid::from_u128(id), &place, &facts, now) {
                    Next::AskGoal => facts.goal = answers.next(),
                    Next::AskFilter => facts.passes = answers.next(),
                    Next::AskMoment => facts.moment = Some(Some(now)),
                    Next::AskEvent => facts.happened = answers.next(),
                    Next::Do => facts.done = Some(Done::Yes),
                    Next::Go(to) => {
                        steps += 1;
                        (place, facts) = (Place { step: to, waiting: None }, Facts::default());
                    }
                    Next::Sleep(until) => {
                        prop_assert!(until >= now);
                        if until > now {
                            break;
                        }
                        place.waiting = Some(Waiting { until, met: false });
                    }
                    Next::End(_) => break,
                }
                prop_assert!(steps <= definition.steps.len(), "{definition:#?}");
            }
        }

        /// Chance is not asked again: who went a way once goes it each time it is looked at.
        #[test]
        fn a_run_always_goes_the_same_way(id in any::<u128>(), weights in prop::collection::vec(1_u32..50, 2..5)) {
            let ways = weights.iter().enumerate().map(|(index, weight)| (format!("s{}", index + 1), *weight));
            let mut actions = vec![(Action::Split { ways: ways.collect() }, None)];
            actions.extend(weights.iter().map(|_| (Action::End, None)));
            let definition = definition(false, actions);
            let go = || {
                let place = Place { step: 0, waiting: None };
                next(&definition, Uuid::from_u128(id), &place, &Facts::default(), DateTime::UNIX_EPOCH)
            };
            prop_assert_eq!(go(), go());
            prop_assert!(matches!(go(), Next::Go(to) if to >= 1));
        }
    }

    /// As many go each way as its weight says.
    #[test]
    fn a_split_is_as_fair_as_its_weights() {
        let ways = BTreeMap::from([("s1".to_owned(), 1), ("s2".to_owned(), 3)]);
        let actions =
            vec![(Action::Split { ways }, None), (Action::End, None), (Action::End, None)];
        let definition = definition(false, actions);
        let place = Place { step: 0, waiting: None };
        let first = (0..10_000_u128).filter(|number| {
            let id = Uuid::from_u128(number << 64 | 7);
            next(&definition, id, &place, &Facts::default(), DateTime::UNIX_EPOCH) == Next::Go(1)
        });
        let first = first.count();
        assert!((2_300..2_700).contains(&first), "{first} of 10,000 went the way of one quarter");
    }

    /// A day that was moved while a run waits for it is waited for anew.
    #[test]
    fn a_wait_for_a_day_follows_the_day() {
        let wait = Wait::Date {
            field: "dueOn".to_owned(),
            days: 0,
            at: chrono::NaiveTime::MIN,
            zone: crate::automation::workflow::definition::Zone::Customer,
        };
        let definition = definition(false, vec![(Action::Wait(wait), None)]);
        let now = DateTime::UNIX_EPOCH;
        let place = Place { step: 0, waiting: Some(Waiting { until: now, met: false }) };
        let at = |moment| {
            let facts = Facts { moment: Some(moment), ..Facts::default() };
            next(&definition, Uuid::nil(), &place, &facts, now)
        };
        let later = now + TimeDelta::days(2);
        assert_eq!(at(Some(later)), Next::Sleep(later));
        assert_eq!(at(Some(now)), Next::End(End::Completed));
        assert_eq!(at(None), Next::End(End::Completed));
    }
}
