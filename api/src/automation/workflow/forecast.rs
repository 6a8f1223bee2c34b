//! What would come of a workflow.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{ID, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use entity::access::user;
use entity::automation::message;
use entity::automation::workflow::post::Foreseen;
use entity::automation::workflow::simulate::{Forecast, Question};
use entity::automation::workflow::{Definition, run};
use entity::catalog::{by_name, global, named};
use entity::customers::customer;
use entity::id::{CustomerId, Id, ReceiptId, UserId};
use sea_orm::{ActiveEnum, Iterable};
use worker::letter::Shown;

use super::{WorkflowRunState, WorkflowStepOutcome};
use crate::automation::MessageReason;
use crate::customers::Channel;
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
    /// one; otherwise it is started at the beginning for all records that pass its condition, of those that belong to the
    /// segment when entering one is its trigger.
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

/// What would come of a workflow. Nothing was done.
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
    /// How many customers would get something.
    pub customers: i32,
    /// The ten customers who would get most, and how much.
    pub busiest: Vec<ForecastCustomer>,
    /// The first 20 messages that would go to customers, and the first 20 that would not, as they would be written.
    pub messages: Vec<ForecastMessage>,
    /// Who would get how much.
    #[graphql(skip)]
    pub reached: HashMap<CustomerId, u64>,
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
#[derive(Clone, SimpleObject)]
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

/// How much would go to a customer.
#[derive(SimpleObject)]
pub struct ForecastCustomer {
    /// Who; null when you may not see them.
    pub customer: Among<customer::Entity>,
    /// How much.
    pub sent: i32,
}

/// A message that would go to a customer, or would not.
#[derive(SimpleObject)]
pub struct ForecastMessage {
    /// When that would be decided.
    pub at: DateTime<Utc>,
    /// Whom it would be for; null when you may not see them.
    pub customer: Among<customer::Entity>,
    /// The id of the record that it would be about, for `node`.
    pub record_id: ID,
    /// The step that says what is in it, by its key; null for a receipt.
    pub step: Option<String>,
    /// Why it would not go; null when it would.
    pub suppressed: Option<MessageReason>,
    /// The way it would go.
    pub channel: Channel,
    /// The address or number that it would go to; null when there is none.
    pub recipient: Option<String>,
    /// The language that it would be written in; null when it could not be written.
    pub language: Option<String>,
    /// Its subject line; null when it could not be written, and for a text message.
    pub subject: Option<String>,
    /// What it would say as plain text; null when it could not be written.
    pub text: Option<String>,
    /// The same as HTML, for a frame without scripts; null when it could not be written, or is no mail.
    pub html: Option<String>,
    /// In how many segments networks would carry it, each of which they count; null for what is no text message.
    pub segments: Option<i32>,
    /// What is wrong with its wording for this customer; null when nothing is.
    pub problem: Option<String>,
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

/// What would come of a workflow by one version and by another.
#[derive(SimpleObject)]
pub struct CompareSimulationsPayload {
    /// What would come of the one; null when it was refused.
    pub before: Option<WorkflowForecast>,
    /// What would come of the other; null when it was refused.
    pub after: Option<WorkflowForecast>,
    /// What would be different; null when it was refused.
    pub difference: Option<ForecastDifference>,
    /// Why they were not compared; empty on success.
    pub user_errors: Vec<UserError>,
}

/// What would be different: the figures of the other version less those of the one.
#[derive(SimpleObject)]
pub struct ForecastDifference {
    /// How many more runs would begin; fewer when it is negative, as with all of these.
    pub runs: i32,
    /// How much more would be done.
    pub effects: i32,
    /// How much more would go to customers.
    pub sent: i32,
    /// How many customers would get something only by the one version.
    pub customers_lost: i32,
    /// How many customers would get something only by the other version.
    pub customers_gained: i32,
    /// What would happen more or less often in a step, in the order of the steps; what would not change is left out.
    pub steps: Vec<ForecastStep>,
}

impl ForecastDifference {
    /// What is different.
    pub fn between(before: &WorkflowForecast, after: &WorkflowForecast) -> Self {
        let only = |one: &WorkflowForecast, other: &WorkflowForecast| {
            let only = one.reached.keys().filter(|id| !other.reached.contains_key(*id));
            number(only.count() as u64)
        };
        let mut steps = Vec::<ForecastStep>::new();
        let signed = [(after, 1), (before, -1)].into_iter();
        for (step, sign) in
            signed.flat_map(|(forecast, sign)| forecast.steps.iter().map(move |step| (step, sign)))
        {
            let same = |known: &&mut ForecastStep| {
                known.step == step.step && known.outcome == step.outcome
            };
            match steps.iter_mut().find(same) {
                Some(known) => known.times += sign * step.times,
                None => steps.push(ForecastStep { times: sign * step.times, ..step.clone() }),
            }
        }
        steps.retain(|step| step.times != 0);
        Self {
            runs: after.runs - before.runs,
            effects: after.effects - before.effects,
            sent: after.sent - before.sent,
            customers_lost: only(before, after),
            customers_gained: only(after, before),
            steps,
        }
    }
}

/// A message as it would be written.
pub struct Written {
    /// Where it would go.
    pub recipient: Option<String>,
    /// What it would say, or what is wrong with its wording.
    pub shown: Result<Shown, String>,
}

/// How many of the customers who would get most are named.
const BUSIEST: usize = 10;

fn number(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The messages of a forecast, as far as they were written.
fn messages(
    foreseen: Vec<Foreseen>,
    definition: &Definition,
    written: Vec<Option<Written>>,
) -> Vec<ForecastMessage> {
    let customers = foreseen.iter().filter_map(|foreseen| foreseen.message.customer_id);
    let together = Arc::new(Together::of(customers.map(|customer| customer.0).collect()));
    let written = written.into_iter().chain(std::iter::repeat_with(|| None));
    let kind = by_name(&definition.record).map(|record| record.prefix);
    let message = |(foreseen, written): (Foreseen, Option<Written>)| {
        let Foreseen { at, message, held } = foreseen;
        let prefix = match message.kind {
            message::Kind::Workflow => kind.unwrap_or_default(),
            _ => ReceiptId::PREFIX,
        };
        let (recipient, shown) =
            written.map_or((None, None), |written| (written.recipient, Some(written.shown)));
        let (shown, problem) = match shown {
            Some(Ok(shown)) => (Some(shown), None),
            Some(Err(problem)) => (None, Some(problem)),
            None => (None, None),
        };
        let segments = shown.as_ref().and_then(|shown| i32::try_from(shown.segments?).ok());
        let said = |part: fn(Shown) -> Option<String>| shown.clone().and_then(part);
        ForecastMessage {
            at,
            customer: Among::of(&together, message.customer_id.map(|customer| customer.0)),
            record_id: global(prefix, message.subject_id).into(),
            step: message.step,
            suppressed: held.map(Into::into),
            recipient,
            channel: message.channel.into(),
            language: said(|shown| Some(shown.language)),
            subject: said(|shown| shown.subject),
            text: said(|shown| Some(shown.text)),
            html: said(|shown| shown.html),
            segments,
            problem,
        }
    };
    foreseen.into_iter().zip(written).map(message).collect()
}

impl WorkflowForecast {
    /// As it is shown, with its messages as far as they were written.
    pub fn new(forecast: Forecast, definition: &Definition, written: Vec<Option<Written>>) -> Self {
        let Forecast { runs, more, states, steps, effects, hours, users, sample, .. } = forecast;
        let mut busiest =
            forecast.customers.iter().map(|(id, sent)| (*id, *sent)).collect::<Vec<_>>();
        busiest.sort_by_key(|(customer, sent)| (std::cmp::Reverse(*sent), *customer));
        busiest.truncate(BUSIEST);
        let named = busiest.iter().map(|(customer, _)| customer.0).collect();
        let named = Arc::new(Together::of(named));
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
            customers: number(forecast.customers.len() as u64),
            busiest: busiest
                .into_iter()
                .map(|(customer, sent)| ForecastCustomer {
                    customer: Among::of(&named, Some(customer.0)),
                    sent: number(sent),
                })
                .collect(),
            messages: messages(forecast.messages, definition, written),
            reached: forecast.customers,
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
