//! How much credit customers have. How they stand to it is in `creditProfile`.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::NaiveDate;
use entity::access::Permission;
use entity::finance::credit_limit::{self, Override, Standing, Terms};
use entity::id::{CreditLimitId, CustomerId};
use entity::money::Money as Amount;
use futures::FutureExt;

use super::parse_amount;
use crate::choice::choice;
use crate::context::{Can, Once, write};
use crate::error::{Fault, UserError};
use crate::id::parse;
use crate::payload::{DeletedPayload, payload};
use crate::read::Fetched;
use crate::scalar::{Date, Money, MoneyInput};

choice! {
    /// What happens to what would break a credit limit.
    CreditAction mirrors "entity::finance::credit_limit::Action" {
        /// It is let through; the event `credit_limit.exceeded` says so.
        Warn,
        /// It is refused with `CREDIT_LIMIT_EXCEEDED` or `CREDIT_HOLD`.
        Block,
    }
}

/// Why a customer gets no more credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::finance::credit_limit::Hold")]
pub enum CreditHold {
    /// It owes more than it may.
    OverLimit,
    /// One of its open invoices has reached `holdLevel`.
    Level,
    /// One of its open invoices is overdue for more than `holdDays`.
    Overdue,
}

/// How a customer stands to its credit limit.
#[derive(SimpleObject)]
pub struct CreditStanding {
    /// The limit.
    pub limit: Fetched<credit_limit::Entity>,
    /// What the customer owes: open receivables less money that settles nothing yet, and what it has ordered that is not
    /// invoiced.
    pub exposure: Money,
    /// What it may still come to owe; negative when it owes too much, and null when it was let over the limit for anything.
    pub available: Option<Money>,
    /// Why it gets no more credit; empty when it does. A payment is enough to end that.
    pub holds: Vec<CreditHold>,
}

impl CreditStanding {
    /// How it stands on a day.
    pub fn new(standing: &Standing, today: NaiveDate) -> Self {
        let money = |minor| Amount::new(minor, standing.limit.currency).into();
        Self {
            limit: Fetched::of(standing.limit.id),
            exposure: money(standing.exposure),
            available: standing.available(today).map(money),
            holds: standing.holds(0, today).into_iter().map(Into::into).collect(),
        }
    }
}

/// How much credit a customer is to have in a currency.
#[derive(Clone, Debug, InputObject)]
pub struct SetCreditLimitInput {
    /// Whose.
    pub customer_id: ID,
    /// What it may owe: nothing, or more.
    pub limit: MoneyInput,
    /// What happens to an invoice or an order that would break it.
    #[graphql(default_with = "CreditAction::Block")]
    pub action: CreditAction,
    /// The dunning level from which on it gets no more credit, 1 to 9; levels do not matter when absent.
    pub hold_level: Option<i32>,
    /// After how many days that the oldest invoice is overdue it gets no more credit, 0 to 3660; that does not matter when
    /// absent.
    pub hold_days: Option<i32>,
}

/// That a customer is let over its limit.
#[derive(Clone, Debug, InputObject)]
pub struct OverrideCreditLimitInput {
    /// The last day, within a year from today.
    pub until: Date,
    /// What it may owe until then, more than the limit; anything when absent.
    pub limit: Option<MoneyInput>,
    /// Why, up to 500 characters.
    pub reason: String,
}

payload! {
    /// What came of changing a credit limit.
    CreditLimitPayload {
        /// The limit as it is now; null when it was refused.
        credit_limit: credit_limit::Entity
    }
}

impl SetCreditLimitInput {
    fn parse(self) -> Result<(CustomerId, Terms), Vec<UserError>> {
        let terms = Terms {
            limit: parse_amount(self.limit)?,
            action: self.action.into(),
            hold_level: self.hold_level,
            hold_days: self.hold_days,
        };
        Ok((parse(&self.customer_id, &["input", "customerId"])?, terms))
    }
}

/// Lets a customer over its limit, or no longer.
async fn override_until(
    ctx: &Context<'_>,
    once: Once<'_>,
    id: &ID,
    to: Result<Option<Override>, Vec<UserError>>,
    expected_version: Option<i32>,
) -> Result<CreditLimitPayload, Fault> {
    let once = once.about(id).within(Permission::ManageCredit, id, &["id"]);
    let parsed = to.and_then(|to| Ok((parse::<CreditLimitId>(id, &["id"])?, to)));
    let outcome = match parsed {
        Ok((id, to)) => {
            write(ctx, once, move |txn, actor, now| {
                let to = to.clone();
                async move {
                    let version = expected_version;
                    let row = credit_limit::override_until(txn, id, to, version, actor, now);
                    Ok(row.await?.id.into())
                }
                .boxed()
            })
            .await?
        }
        Err(errors) => Err(errors),
    };
    Ok(outcome.into())
}

/// Changing how much credit customers have.
#[derive(Default)]
pub struct CreditLimitMutation;

/// Changing how much credit customers have.
#[Object]
impl CreditLimitMutation {
    /// Sets how much credit a customer has in a currency, in place of what it had. Invoices that are there already stay; what
    /// comes next is measured by it.
    #[graphql(guard = "Can(Permission::ManageCredit)")]
    async fn set_credit_limit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How much.")] input: SetCreditLimitInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<CreditLimitPayload, Fault> {
        let once = Once::new(None, "setCreditLimit", &input);
        let path = &["input", "customerId"];
        let once = once.within(Permission::ManageCredit, &input.customer_id, path);
        let outcome = match input.parse() {
            Ok((customer, terms)) => {
                write(ctx, once, move |txn, actor, now| {
                    async move {
                        let version = expected_version;
                        let row = credit_limit::set(txn, customer, terms, version, actor, now);
                        Ok(row.await?.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(outcome.into())
    }

    /// Takes a credit limit away: the customer may owe anything in its currency.
    #[graphql(guard = "Can(Permission::ManageCredit)")]
    async fn remove_credit_limit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The limit's id.")] id: ID,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<DeletedPayload, Fault> {
        let once = Once::new(None, "removeCreditLimit", &String::new()).about(&id);
        let once = once.within(Permission::ManageCredit, &id, &["id"]);
        let limit = match parse::<CreditLimitId>(&id, &["id"]) {
            Ok(limit) => limit,
            Err(errors) => return Ok(DeletedPayload::refused(errors)),
        };
        let outcome = write(ctx, once, move |txn, _, _| {
            async move {
                credit_limit::remove(txn, limit, expected_version).await.map(|()| limit.into())
            }
            .boxed()
        });
        Ok(DeletedPayload::new(id, outcome.await?))
    }

    /// Lets a customer over its credit limit, and off the hold, until a day. Who did so and why stays in its history.
    #[graphql(guard = "Can(Permission::ManageCredit)")]
    async fn override_credit_limit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The limit's id.")] id: ID,
        #[graphql(desc = "Until when, how far, why.")] input: OverrideCreditLimitInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<CreditLimitPayload, Fault> {
        let once = Once::new(None, "overrideCreditLimit", &input);
        let OverrideCreditLimitInput { until, limit, reason } = input;
        let limit = limit.map(parse_amount).transpose();
        let to = limit.map(|limit| Some(Override { until: until.0, limit, reason }));
        override_until(ctx, once, &id, to, expected_version).await
    }

    /// Lets a customer over its credit limit no longer.
    #[graphql(guard = "Can(Permission::ManageCredit)")]
    async fn end_credit_override(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The limit's id.")] id: ID,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<CreditLimitPayload, Fault> {
        let once = Once::new(None, "endCreditOverride", &String::new());
        override_until(ctx, once, &id, Ok(None), expected_version).await
    }
}
