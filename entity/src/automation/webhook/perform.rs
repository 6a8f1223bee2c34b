//! Telling another system something in a run of a workflow.

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, IntoActiveModel};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{delivery, endpoint, payload};
use crate::automation::workflow::interpreter::Done;
use crate::automation::workflow::performer::{Effect, Performer, Planned, Turn};
use crate::catalog::{Record, global};
use crate::check::Check;
use crate::error::Error;
use crate::id::{Id, WebhookEndpointId};

/// The kind of what is sent in a step of a workflow.
const STEP: &str = "workflow.step";

/// Something that a workflow tells another system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToPost {
    /// Where to, as people know it.
    pub url: String,
    /// The prefix of the id of the run's record.
    pub kind: &'static str,
    /// What is sent.
    pub delivery: delivery::Model,
}

/// Posts a run's record to one of the organisation's endpoints, whichever events are sent there.
pub struct Post;

/// Where to.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct With {
    endpoint: String,
}

impl Performer for Post {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn check(&self, _: &Record, with: &Value, check: &mut Check) {
        match With::deserialize(with) {
            Err(error) => check.note(Error::invalid("with", error.to_string())),
            Ok(With { endpoint }) => {
                let named = WebhookEndpointId::parse(&endpoint).is_some();
                check.that(named, "endpointId", "there is no such endpoint");
            }
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
            let refuse = |why: &str| Ok(turns.iter().map(|_| Planned::failed(why)).collect());
            let id = With::deserialize(with).ok();
            let Some(id) = id.and_then(|with| WebhookEndpointId::parse(&with.endpoint)) else {
                return refuse("it cannot be read");
            };
            let found = endpoint::Entity::find_by_id(id).one(db).await?;
            let Some(endpoint) = found.filter(|endpoint| endpoint.active) else {
                return refuse("the endpoint is switched off, or there is none any more");
            };
            let ids = turns.iter().map(|turn| turn.run.record_id).collect();
            let known = payload::snapshots(db, record, ids).await?;
            let planned = turns.iter().map(|turn| {
                let body = json!({
                    "type": STEP,
                    "timestamp": turn.now.to_rfc3339(),
                    "data": {
                        "workflowId": turn.run.workflow_id.global(),
                        "runId": turn.run.id.global(),
                        "step": turn.step,
                        "customerId": turn.run.customer_id.map(Id::global),
                        "recordId": global(record.prefix, turn.run.record_id),
                        "record": known.get(&turn.run.record_id),
                    },
                });
                let row = delivery::planned(
                    endpoint.id,
                    STEP,
                    turn.run.record_id,
                    body.to_string(),
                    turn.now,
                );
                let post = ToPost {
                    url: endpoint.url.clone(),
                    kind: record.prefix,
                    delivery: delivery::Model { customer_id: turn.run.customer_id, ..row },
                };
                Planned { done: Done::Yes, effects: vec![Effect::Post(Box::new(post))] }
            });
            Ok(planned.collect())
        }
        .boxed()
    }
}

/// Plans what workflows send.
///
/// # Errors
/// The database.
pub(crate) async fn post(txn: &impl ConnectionTrait, all: Vec<ToPost>) -> Result<(), Error> {
    if all.is_empty() {
        return Ok(());
    }
    let rows = all.into_iter().map(|post| post.delivery.into_active_model().reset_all());
    delivery::Entity::insert_many(rows).exec_without_returning(txn).await?;
    Ok(())
}
