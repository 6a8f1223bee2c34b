//! Telling users what a workflow has to tell them.

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, Query, ValueTuple};
use serde::Deserialize;
use serde_json::Value;

use super::Kind;
use super::audience::{To, audience};
use super::tell::{Again, GIVEN, tell};
use crate::automation::workflow::interpreter::Done;
use crate::automation::workflow::performer::{Effect, Performer, Planned, Turn};
use crate::catalog::Record;
use crate::check::Check;
use crate::customers::parse_required;
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
    /// Whom; a user.
    user: Option<String>,
    /// Whom, of those who have to do with the record, when no user is named; who looks after the customer when absent.
    to: Option<To>,
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
            Ok(With { user, to, text }) => {
                check.put(parse_required("text", &text, LONGEST), &mut String::new());
                let named = user.as_deref().is_none_or(|user| UserId::parse(user).is_some());
                check.that(named, "user", "there is no such user");
                let one = user.is_none() || to.is_none();
                check.that(one, "to", "name a user, or say to whom, not both");
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
            let Ok(With { user, to, text }) = With::deserialize(with) else {
                return Ok(turns.iter().map(|_| Planned::failed("it cannot be read")).collect());
            };
            let to = to.unwrap_or_default();
            let users = match user.as_deref().and_then(UserId::parse) {
                Some(named) => vec![vec![named]; turns.len()],
                None => audience(db, record, to, turns).await?,
            };
            let planned = turns.iter().zip(users).map(|(turn, users)| {
                if users.is_empty() {
                    return Planned::skipped(to.nobody());
                }
                let tell = |user| {
                    Effect::Tell(Told {
                        user,
                        cause: turn.key(),
                        kind: record.prefix,
                        subject: turn.run.record_id,
                        text: text.clone(),
                    })
                };
                Planned { done: Done::Yes, effects: users.into_iter().map(tell).collect() }
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
