//! Why something reached a customer, or did not.

use async_graphql::{Context, ID, InputObject, Object, OneofObject, SimpleObject};
use chrono::{DateTime, Utc};
use entity::access::Permission;
use entity::automation::gate::explain::{self, Explanation};
use entity::automation::gate::{self, Looked, Sending, Verdict};
use entity::automation::message;
use entity::catalog::Cataloged;
use entity::customers::customer;
use entity::id::{CustomerId, MessageId};
use entity::marketing::consent::parse_topic;

use crate::automation::{MessageClass, MessageReason};
use crate::choice::choice;
use crate::context::{Ask, Can};
use crate::customers::Channel;
use crate::error::{Fault, UserError, refused};
use crate::id::parse;
use crate::read::Fetched;

choice! {
    /// What is looked at before something reaches a customer.
    GateRule mirrors "entity::automation::gate::Rule" {
        /// Whether anything may go to the address or number.
        Suppression,
        /// Whether they want it.
        Consent,
        /// Whether it is a time at which it may reach them.
        Hours,
        /// Whether people work that day.
        Holiday,
        /// Whether they have not got too much already.
        Cap,
        /// Whether what it asks for is still owed.
        Debt,
    }
}

choice! {
    /// What came of looking at a rule.
    GateFinding mirrors "entity::automation::gate::Finding" {
        /// It lets it go.
        Passed,
        /// It would hold it back, and only warns.
        Warned,
        /// It puts it off.
        Deferred,
        /// It does not let it go.
        Suppressed,
    }
}

/// What is to be explained.
#[derive(Clone, Debug, OneofObject)]
pub enum ExplainMessageInput {
    /// Why a message reached its customer, or did not; for one that has not left, whether it would now.
    Message(ID),
    /// Whether something would reach a customer now.
    Customer(ExplainCustomerInput),
}

/// Something that might reach a customer.
#[derive(Clone, Debug, InputObject)]
pub struct ExplainCustomerInput {
    /// The customer's id.
    pub id: ID,
    /// The way it would go.
    #[graphql(default_with = "Channel::Email")]
    pub channel: Channel,
    /// What it would be about.
    #[graphql(default_with = "MessageClass::Marketing")]
    pub class: MessageClass,
    /// What it would be about in the customer's eyes, such as `newsletter`.
    pub topic: Option<String>,
}

/// Why something reached a customer, or did not.
#[derive(SimpleObject)]
pub struct MessageExplanation {
    /// The message; null when the question was about none.
    pub message: Fetched<message::Entity>,
    /// Whether this was found out now, since nothing has left; otherwise it is what was written down then.
    pub foreseen: bool,
    /// `PASSED`: it went, or may go now. `DEFERRED`: it may go later. `SUPPRESSED`: it does not go.
    pub verdict: GateFinding,
    /// Why it does not go, or not yet; null when it does.
    pub reason: Option<MessageReason>,
    /// When it may go, if it is put off.
    pub until: Option<DateTime<Utc>>,
    /// The number of the policy that it was looked at by; null for a message that no policy concerns.
    pub policy: Option<i32>,
    /// Everything that was looked at, and what came of it.
    pub checks: Vec<GateCheck>,
}

/// What was looked at, and what came of it.
#[derive(SimpleObject)]
pub struct GateCheck {
    /// What.
    pub rule: GateRule,
    /// What came of it.
    pub finding: GateFinding,
    /// The reason that it gives; null when it passed.
    pub reason: Option<MessageReason>,
    /// When it would let it go, if it holds it back for a while.
    pub until: Option<DateTime<Utc>>,
    /// What it was compared with.
    pub detail: String,
    /// Whose rule it is: the key and version of a law; null for the organisation's own.
    pub pack: Option<String>,
}

/// What came of asking why.
#[derive(SimpleObject)]
pub struct ExplainMessagePayload {
    /// The explanation; null when there is nothing to explain.
    pub explanation: Option<MessageExplanation>,
    /// Why there is none; empty otherwise.
    pub user_errors: Vec<UserError>,
}

/// Why something reached a customer, or did not.
#[derive(Default)]
pub struct ExplainQuery;

/// Why something reached a customer, or did not.
#[Object]
impl ExplainQuery {
    /// Why a customer got something, or did not get it, or would not get it now: what was looked at, and what came of it.
    #[graphql(guard = "Can(Permission::ReadCustomers)")]
    async fn explain_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be explained.")] about: ExplainMessageInput,
    ) -> Result<ExplainMessagePayload, Fault> {
        let (db, viewer) = (ctx.reader(), ctx.viewer()?);
        let now = ctx.shared().clock.now();
        let refuse = |user_errors| Ok(ExplainMessagePayload { explanation: None, user_errors });
        let explained = match about {
            ExplainMessageInput::Message(id) => {
                match parse::<MessageId>(&id, &["about", "message"]) {
                    Ok(id) => {
                        let record = message::Entity::record();
                        match record.ensure(db, &viewer, Permission::ReadFinance, id.into()).await {
                            Ok(()) => explain::message(db, id, now).await,
                            Err(error) => Err(error),
                        }
                    }
                    Err(errors) => return refuse(errors),
                }
            }
            ExplainMessageInput::Customer(input) => {
                let path = &["about", "customer", "id"];
                let id = match parse::<CustomerId>(&input.id, path) {
                    Ok(id) => id,
                    Err(errors) => return refuse(errors),
                };
                let record = customer::Entity::record();
                match record.ensure(db, &viewer, Permission::ReadCustomers, id.into()).await {
                    Ok(()) => input.explain(db, id, now).await,
                    Err(error) => Err(error),
                }
            }
        };
        match explained {
            Ok(explanation) => Ok(ExplainMessagePayload {
                explanation: Some(explanation.into()),
                user_errors: Vec::new(),
            }),
            Err(error) => refuse(refused(error)?),
        }
    }
}

impl ExplainCustomerInput {
    async fn explain(
        self,
        db: &sea_orm::DatabaseConnection,
        id: CustomerId,
        now: DateTime<Utc>,
    ) -> Result<Explanation, entity::Error> {
        let topic = parse_topic(self.topic)?;
        let (class, channel) = (self.class.into(), self.channel.into());
        explain::customer(db, id, Sending { class, channel, topic: topic.as_deref() }, now).await
    }
}

impl From<Explanation> for MessageExplanation {
    fn from(explanation: Explanation) -> Self {
        let Explanation { message, foreseen, verdict, policy, trace } = explanation;
        let (verdict, reason, until) = match verdict {
            Verdict::Send => (gate::Finding::Passed, None, None),
            Verdict::Defer { until, reason } => {
                (gate::Finding::Deferred, Some(reason), Some(until))
            }
            Verdict::Suppress { reason } => (gate::Finding::Suppressed, Some(reason), None),
        };
        let message = message.map_or_else(Fetched::nothing, |message| Fetched::of(message.id));
        let checks = trace.into_iter().map(|looked: Looked| GateCheck {
            rule: looked.rule.into(),
            finding: looked.finding.into(),
            reason: looked.reason.map(|code| code.0.into()),
            until: looked.until,
            detail: looked.detail,
            pack: looked.pack,
        });
        Self {
            message,
            foreseen,
            verdict: verdict.into(),
            reason: reason.map(Into::into),
            until,
            policy,
            checks: checks.collect(),
        }
    }
}
