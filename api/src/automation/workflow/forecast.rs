//! What would come of a workflow.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{ID, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use entity::access::user;
use entity::automation::message;
use entity::automation::workflow::run;
use entity::automation::workflow::simulate::{Forecast, Question};
use entity::catalog::{global, named};
use entity::id::UserId;
use sea_orm::{ActiveEnum, Iterable};

use super::{WorkflowRunState, WorkflowStepOutcome};
use crate::automation::MessageReason;
use crate::error::UserError;
use crate::read::{Among, Together};

/// For when a workflow is simulated, and for whom.
#[derive(Clone, Debug, InputObject)]
pub struct SimulateWorkflowInput {
    /// From when on, as if it were published then.
    pub from: DateTime<Utc>,
    /// Until when, at most 366 days later.
    pub until: DateTime<Utc>,
    /// The ids of records, as if somebody started it for them at the beginning. When absent, days start it if its trigger is
    /// one; otherwise it is started at the beginning for all records that pass its condition.
    #[graphql(validator(max_items = 1000))]
    pub record_ids: Option<Vec<ID>>,
}

impl SimulateWorkflowInput {
    /// The question that is meant.
    pub fn parse(&self) -> Question {
        let ids = self.record_ids.as_ref().map(|ids| {
            let named = ids.iter().filter_map(|id| named(id));
            named.map(|(_, id)| id).collect()
        });
        Question { from: self.from, until: self.until, records: ids }
    }
}

/// What would come of a workflow's draft. Nothing was done.
#[derive(SimpleObject)]
pub struct WorkflowForecast {
    /// How many runs would begin, at most 100,000.
    pub runs: i32,
    /// Whether there would be more, which were left out.
    pub more: bool,
    /// How many of them would be where in the end.
    pub states: Vec<ForecastState>,
    /// What would happen in its steps, how often, in their order.
    pub steps: Vec<ForecastStep>,
    /// How much would be done.
    pub effects: i32,
    /// How much would go to customers.
    pub sent: i32,
    /// How much would not go to customers, and why.
    pub suppressed: Vec<ForecastReason>,
    /// How often something for customers would be put off, and why.
    pub deferred: Vec<ForecastReason>,
    /// The load: how much would be done in each hour in which something would.
    pub hours: Vec<ForecastHour>,
    /// How much would be each user's business, what they would be told or get, most first.
    pub users: Vec<ForecastUser>,
    /// The first of what would be done, at most 100.
    pub sample: Vec<ForecastEffect>,
}

/// How many runs would be there in the end.
#[derive(SimpleObject)]
pub struct ForecastState {
    /// Where.
    pub state: WorkflowRunState,
    /// How many.
    pub runs: i32,
}

/// How often something would come of a step.
#[derive(SimpleObject)]
pub struct ForecastStep {
    /// The step, by its key.
    pub step: String,
    /// What would come of it.
    pub outcome: WorkflowStepOutcome,
    /// How often.
    pub times: i32,
}

/// How often something would not go to customers, or not yet, for a reason.
#[derive(SimpleObject)]
pub struct ForecastReason {
    /// Why.
    pub reason: MessageReason,
    /// How often.
    pub times: i32,
}

/// How much would be done in an hour.
#[derive(SimpleObject)]
pub struct ForecastHour {
    /// When the hour begins.
    pub at: DateTime<Utc>,
    /// How much would be done.
    pub effects: i32,
}

/// How much would be a user's business.
#[derive(SimpleObject)]
pub struct ForecastUser {
    /// Who; null when you may not see them.
    pub user: Among<user::Entity>,
    /// How much.
    pub effects: i32,
}

/// Something that would be done.
#[derive(SimpleObject)]
pub struct ForecastEffect {
    /// When.
    pub at: DateTime<Utc>,
    /// What would be done, as a step's action is called: `notify`, `createTask`.
    pub action: String,
    /// Who would be told, or get something; null when nobody would, or when you may not see them.
    pub user: Among<user::Entity>,
    /// The id of the record that it is about, for `node`.
    pub record_id: ID,
    /// What would be told, the title of what would be added, or the names of fields that would be changed.
    pub text: String,
}

/// What came of simulating a workflow.
#[derive(SimpleObject)]
pub struct SimulateWorkflowPayload {
    /// What would come of it; null when it was refused.
    pub forecast: Option<WorkflowForecast>,
    /// Why it was not simulated; empty on success.
    pub user_errors: Vec<UserError>,
}

fn number(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

impl From<Forecast> for WorkflowForecast {
    fn from(forecast: Forecast) -> Self {
        let Forecast { runs, more, states, steps, effects, hours, users, sample, .. } = forecast;
        let reasons = |times: HashMap<message::Reason, u64>| {
            let mut times = times.into_iter().collect::<Vec<_>>();
            times.sort_by_key(|(reason, times)| (std::cmp::Reverse(*times), reason.to_value()));
            let shown = times.into_iter();
            let shown = shown.map(|(reason, times)| (reason.into(), number(times)));
            shown.map(|(reason, times)| ForecastReason { reason, times }).collect()
        };
        let shown = sample.iter().filter_map(|(_, shown)| Some(shown.user?.0));
        let together =
            Arc::new(Together::of(users.keys().map(|user| user.0).chain(shown).collect()));
        let who = |user: Option<UserId>| Among::of(&together, user.map(|user| user.0));
        let states = run::State::iter().filter_map(|state| Some((state, *states.get(&state)?)));
        let mut users = users.into_iter().collect::<Vec<_>>();
        users.sort_by_key(|(user, effects)| (std::cmp::Reverse(*effects), *user));
        Self {
            runs: number(runs),
            more,
            states: states
                .map(|(state, runs)| ForecastState { state: state.into(), runs: number(runs) })
                .collect(),
            steps: steps
                .into_iter()
                .map(|(step, outcome, times)| ForecastStep {
                    step,
                    outcome: outcome.into(),
                    times: number(times),
                })
                .collect(),
            effects: number(effects),
            sent: number(forecast.sent),
            suppressed: reasons(forecast.held),
            deferred: reasons(forecast.deferred),
            hours: hours
                .into_iter()
                .map(|(at, effects)| ForecastHour { at, effects: number(effects) })
                .collect(),
            users: users
                .into_iter()
                .map(|(user, effects)| ForecastUser {
                    user: who(Some(user)),
                    effects: number(effects),
                })
                .collect(),
            sample: sample
                .into_iter()
                .map(|(at, shown)| ForecastEffect {
                    at,
                    action: shown.what.to_owned(),
                    user: who(shown.user),
                    record_id: global(shown.kind, shown.subject).into(),
                    text: shown.text,
                })
                .collect(),
        }
    }
}
