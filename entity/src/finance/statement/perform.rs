//! Sending customers statements of the last week, month or quarter, as schedules do.

use std::collections::{BTreeMap, HashMap};

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::issue::{Question, Since, drawn, is_first};
use super::{Kind, Model, Period};
use crate::access::organisation;
use crate::automation::workflow::interpreter::Done;
use crate::automation::workflow::performer::{Effect, Performer, Planned, Turn};
use crate::catalog::Record;
use crate::check::Check;
use crate::error::Error;
use crate::id::CustomerId;
use crate::money::{Currency, Money};

/// How many currencies a step knows least amounts of.
const MOST_AMOUNTS: usize = 20;

/// Sends a customer a statement in each of its currencies.
pub struct SendStatement;

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sending {
    /// What it lists.
    pub kind: Kind,
    /// Of which stretch of the calendar: the last one that is over by the organisation's calendar.
    pub period: Period,
    /// Which are left out.
    #[serde(flatten)]
    pub rules: Rules,
}

/// Which statements are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rules {
    /// In which currency they are made; in all when absent.
    pub currency: Option<Currency>,
    /// Those by which nothing is owed and nothing has moved.
    pub skip_when_zero: bool,
    /// Those by which less is owed, currency by currency.
    pub minimum: Vec<Money>,
    /// Those by which nothing is overdue.
    pub only_when_overdue: bool,
}

impl Rules {
    /// Notes what is wrong with them.
    pub fn check(&self, check: &mut Check) {
        let mut currencies: Vec<_> =
            self.minimum.iter().map(|least| least.currency.code()).collect();
        currencies.sort_unstable();
        currencies.dedup();
        let is_clear = currencies.len() == self.minimum.len() && currencies.len() <= MOST_AMOUNTS;
        check.that(is_clear, "minimum", "give one amount for each currency, of at most 20");
        let are_positive = self.minimum.iter().all(|least| least.minor > 0);
        check.that(are_positive, "minimum", "give amounts of more than zero");
    }

    /// Whether a statement is made by them.
    #[must_use]
    pub fn pass(&self, statement: &Model) -> bool {
        let least = self.minimum.iter().find(|least| least.currency == statement.currency);
        !(self.skip_when_zero && statement.is_empty())
            && least.is_none_or(|least| statement.closing >= least.minor)
            && (!self.only_when_overdue || statement.overdue > 0)
    }
}

impl Performer for SendStatement {
    fn name(&self) -> &'static str {
        "sendStatement"
    }

    fn is_for_customers(&self) -> bool {
        true
    }

    fn check(&self, record: &Record, with: &Value, check: &mut Check) {
        let message = "statements are sent to customers; let the workflow be about them";
        check.that(record.table == "customer", "sendStatement", message);
        match Sending::deserialize(with) {
            Ok(sending) => sending.rules.check(check),
            Err(error) => check.note(Error::invalid("with", error.to_string())),
        }
    }

    fn plan<'a>(
        &'a self,
        db: &'a DatabaseTransaction,
        _: &'static Record,
        with: &'a Value,
        turns: &'a [Turn<'a>],
    ) -> BoxFuture<'a, Result<Vec<Planned>, Error>> {
        async move {
            let Ok(sending) = Sending::deserialize(with) else {
                return Ok(turns.iter().map(|_| Planned::failed("it cannot be read")).collect());
            };
            let ours = organisation::get(db).await?;
            let period = |turn: &Turn<'_>| sending.period.before(ours.today(turn.now));
            let mut periods = BTreeMap::<(Date, Date), Vec<&Turn<'_>>>::new();
            for turn in turns {
                periods.entry(period(turn)).or_default().push(turn);
            }
            let mut found = HashMap::new();
            for (days, turns) in periods {
                for (customer, statements) in sending.statements(db, days, &turns).await? {
                    found.insert((customer, days), statements);
                }
            }
            let planned = turns.iter().map(|turn| {
                let customer = CustomerId(turn.run.record_id);
                // Who is there twice gets them once.
                let statements = found.remove(&(customer, period(turn))).unwrap_or_default();
                let is_first = statements.iter().any(is_first);
                let due = statements
                    .into_iter()
                    .filter(|statement| self::is_first(statement) && sending.rules.pass(statement));
                let own = |statement| Model { run_id: Some(turn.run.id), ..statement };
                let effects: Vec<_> = due.map(own).map(Box::new).map(Effect::Statement).collect();
                match effects.is_empty() {
                    false => Planned { done: Done::Yes, effects },
                    true if is_first => Planned::skipped("there is nothing that has to be told"),
                    true => Planned::skipped("it was made already, or nothing was ever posted"),
                }
            });
            Ok(planned.collect())
        }
        .boxed()
    }
}

impl Sending {
    /// The statements of the customers of `turns`, which all come in the same days.
    async fn statements(
        &self,
        db: &DatabaseTransaction,
        (from, until): (Date, Date),
        turns: &[&Turn<'_>],
    ) -> Result<HashMap<CustomerId, Vec<Model>>, Error> {
        let Some(turn) = turns.first() else { return Ok(HashMap::new()) };
        let question = Question {
            kind: self.kind,
            since: Since::Last(from),
            until,
            currency: self.rules.currency,
            wanted: true,
            run: None,
        };
        let customers: Vec<_> = turns.iter().map(|turn| CustomerId(turn.run.record_id)).collect();
        let mut by_customer = HashMap::<_, Vec<_>>::new();
        for statement in drawn(db, &customers, question, turn.actor(), turn.now).await? {
            by_customer.entry(statement.customer_id).or_default().push(statement);
        }
        Ok(by_customer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_step_is_read_as_it_is_written() {
        let with = json!({
            "kind": "BALANCE_FORWARD", "period": "MONTH", "skipWhenZero": true,
            "minimum": [{ "minor": 100, "currency": "EUR" }],
        });
        let sending = Sending::deserialize(&with).unwrap();
        assert!(sending.rules.skip_when_zero && !sending.rules.only_when_overdue);
        assert_eq!(sending.rules.minimum, [Money::new(100, Currency::EUR)]);
        assert_eq!(Sending::deserialize(json!(sending)).unwrap(), sending);
    }
}
