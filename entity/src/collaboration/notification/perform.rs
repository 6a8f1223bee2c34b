//! Telling users what a workflow has to tell them.

use std::collections::HashMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, Query, ValueTuple};
use serde::Deserialize;
use serde_json::Value;

use super::Kind;
use super::tell::{Again, GIVEN, tell};
use crate::automation::workflow::interpreter::Done;
use crate::automation::workflow::performer::{Effect, Performer, Planned, Turn};
use crate::catalog::Record;
use crate::check::Check;
use crate::customers::{customer, parse_required};
use crate::error::Error;
use crate::id::{Id, UserId};

/// How long what is told is at most.
const LONGEST: usize = 500;

/// What a user is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whom.
    pub user: UserId,
    /// What makes it one.
    pub cause: Uuid,
    /// The prefix of the id of the record that it is about.
    pub kind: &'static str,
    /// That record.
    pub subject: Uuid,
    /// What.
    pub text: String,
}

/// Tells somebody something about a run's record.
pub struct Notify;

/// With what it is done.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct With {
    /// Whom; who looks after the customer when absent.
    user: Option<String>,
    /// What.
    text: String,
}

impl Performer for Notify {
    fn name(&self) -> &'static str {
        "notify"
    }

    fn check(&self, _: &Record, with: &Value, check: &mut Check) {
        match With::deserialize(with) {
            Err(error) => check.note(Error::invalid("with", error.to_string())),
            Ok(With { user, text }) => {
                check.put(parse_required("text", &text, LONGEST), &mut String::new());
                let named = user.as_deref().is_none_or(|user| UserId::parse(user).is_some());
                check.that(named, "user", "there is no such user");
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
            let Ok(With { user, text }) = With::deserialize(with) else {
                return Ok(turns.iter().map(|_| Planned::failed("it cannot be read")).collect());
            };
            let named = user.as_deref().and_then(UserId::parse);
            let owners = match named {
                Some(_) => HashMap::new(),
                None => {
                    customer::owners(db, turns.iter().filter_map(|turn| turn.run.customer_id))
                        .await?
                }
            };
            let planned = turns.iter().map(|turn| {
                let owner = || *owners.get(&turn.run.customer_id?)?;
                let Some(user) = named.or_else(owner) else {
                    return Planned::skipped("nobody looks after the customer");
                };
                let told = Told {
                    user,
                    cause: turn.key(),
                    kind: record.prefix,
                    subject: turn.run.record_id,
                    text: text.clone(),
                };
                Planned { done: Done::Yes, effects: vec![Effect::Tell(told)] }
            });
            Ok(planned.collect())
        }
        .boxed()
    }
}

/// Tells users what workflows have to tell them.
///
/// # Errors
/// The database.
pub(crate) async fn told(
    txn: &impl ConnectionTrait,
    told: Vec<Told>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    if told.is_empty() {
        return Ok(());
    }
    let rows = told.into_iter().map(|told| {
        ValueTuple::Many(vec![
            told.user.0.into(),
            told.cause.into(),
            told.kind.into(),
            told.subject.into(),
            None::<Uuid>.into(),
            told.text.into(),
            1_i32.into(),
        ])
    });
    let mut source = Query::select();
    for (index, name) in GIVEN.into_iter().enumerate() {
        source.expr_as(Expr::col(format!("column{}", index + 1)), name);
    }
    source.from_values(rows, "given");
    tell(txn, Kind::Workflow, source, Again::Once, now).await.map(drop)
}
