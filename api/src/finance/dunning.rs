//! Whom ladders ask for what is owed. What is read of notices is in the catalogue; ladders are steps of workflows.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use entity::access::Permission;
use entity::customers::customer;
use entity::finance::dunning::approve;
use entity::finance::dunning::notice::{self, Approval};
use entity::finance::dunning::setting::{self, Change};
use entity::finance::interest;
use entity::id::{CustomerId, DunningNoticeId};
use futures::FutureExt;

use crate::choice::choice;
use crate::context::{Can, Once, write};
use crate::error::Fault;
use crate::id::{parse, parse_change};
use crate::payload::{change, payload};
use crate::scalar::{Date, Decimal};

choice! {
    /// What a ladder asks for together.
    DunningScope mirrors "entity::finance::dunning::ladder::Scope" {
        /// Each invoice by itself.
        Invoice,
        /// All that a customer owes in a currency.
        Customer,
    }
}

choice! {
    /// What goes with a notice.
    DunningEnclosure mirrors "entity::finance::dunning::ladder::Enclosure" {
        /// Copies of the invoices that it asks for: of the twenty that were due first.
        Invoices,
        /// A statement of all that is open in the currency.
        Statement,
    }
}

choice! {
    /// Whether a notice that has to be approved was.
    DunningApproval mirrors "entity::finance::dunning::notice::Approval" {
        /// Nobody has decided yet.
        Waiting,
        /// It may go.
        Approved,
        /// It may not.
        Rejected,
    }
}

payload! {
    /// What came of deciding about a notice.
    DunningNoticePayload {
        /// The notice as it is now; null when it was refused.
        notice: notice::Entity
    }
}

/// Whether a customer is asked for what it owes. What is absent stays.
#[derive(Clone, Debug, InputObject)]
pub struct SetDunningInput {
    /// Whether it is asked for nothing, by no ladder.
    pub excluded: Option<bool>,
    /// The last day on which it is asked for nothing, within a year from today; null to ask again.
    pub paused_until: MaybeUndefined<Date>,
    /// The workflow whose ladder alone asks it, which is published; null for those that ask who has none of its own. While it is
    /// paused nobody asks; once it is retired the others do again.
    pub ladder_id: MaybeUndefined<ID>,
}

payload! {
    /// What came of saying whether a customer is asked for what it owes.
    SetDunningPayload {
        /// The customer as it is now; null when it was refused.
        customer: customer::Entity
    }
}

/// A rate of interest from a day on.
#[derive(SimpleObject)]
pub struct InterestRate {
    /// From which day on.
    from: Date,
    /// The yearly rate as a fraction: 0.1 is 10 %.
    rate: Decimal,
}

/// The rates of interest of a law: what somebody has read up, not legal advice.
#[derive(SimpleObject)]
pub struct InterestRates {
    /// What ladders call them, such as `eu-late-payment`.
    key: String,
    /// Of when they are, such as `2026-07`.
    version: String,
    /// What people call them.
    title: String,
    /// Where they count, as ISO 3166-1 alpha-2.
    countries: Vec<String>,
    /// Where they stand.
    sources: Vec<String>,
    /// The most that may be agreed on there, as a fraction a year; null where there is no limit.
    most: Option<Decimal>,
    /// The rates, the oldest first.
    rates: Vec<InterestRate>,
}

/// What ladders charge by.
#[derive(Default)]
pub struct DunningQuery;

/// What ladders charge by.
#[Object]
impl DunningQuery {
    /// The rates of interest for late payment that Rapport knows, by law.
    #[graphql(guard = "Can(Permission::ReadFinance)")]
    async fn interest_rates(&self) -> Vec<InterestRates> {
        let fraction = |basis_points: i32| {
            Decimal(rust_decimal::Decimal::new(basis_points.into(), 4).normalize())
        };
        let rates = interest::all().iter().map(|rates| InterestRates {
            key: rates.key.clone(),
            version: rates.version.clone(),
            title: rates.title.clone(),
            countries: rates.countries.clone(),
            sources: rates.sources.clone(),
            most: rates.most_basis_points.map(fraction),
            rates: rates
                .rates
                .iter()
                .map(|rate| InterestRate {
                    from: Date(rate.from),
                    rate: fraction(rate.basis_points),
                })
                .collect(),
        });
        rates.collect()
    }
}

/// Decides about a notice.
async fn decide(
    ctx: &Context<'_>,
    operation: &'static str,
    id: &ID,
    approval: Approval,
) -> Result<DunningNoticePayload, Fault> {
    let once = Once::new(None, operation, id).about(id);
    let once = once.within(Permission::ManageCredit, id, &["id"]);
    let outcome =
        match parse::<DunningNoticeId>(id, &["id"]) {
            Ok(id) => write(ctx, once, move |txn, actor, now| {
                async move { Ok(approve::decide(txn, id, approval, actor, now).await?.id.into()) }
                    .boxed()
            })
            .await?,
            Err(errors) => Err(errors),
        };
    Ok(outcome.into())
}

/// Whom ladders ask.
#[derive(Default)]
pub struct DunningMutation;

/// Whom ladders ask.
#[Object]
impl DunningMutation {
    /// Lets a notice go whose level has to be approved; it leaves as soon as it may.
    #[graphql(guard = "Can(Permission::ManageCredit)")]
    async fn approve_dunning_notice(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The notice's id.")] id: ID,
    ) -> Result<DunningNoticePayload, Fault> {
        decide(ctx, "approveDunningNotice", &id, Approval::Approved).await
    }

    /// Keeps a notice from going whose level has to be approved. Its invoices have reached the level all the same, and the
    /// ladder goes on.
    #[graphql(guard = "Can(Permission::ManageCredit)")]
    async fn reject_dunning_notice(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The notice's id.")] id: ID,
    ) -> Result<DunningNoticePayload, Fault> {
        decide(ctx, "rejectDunningNotice", &id, Approval::Rejected).await
    }

    /// Says whether a customer is asked for what it owes: not at all, not until a day, or, as usual, by the ladders.
    #[graphql(guard = "Can(Permission::Collect)")]
    async fn set_dunning(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id.")] customer_id: ID,
        #[graphql(desc = "What changes.")] input: SetDunningInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<SetDunningPayload, Fault> {
        let once = Once::new(None, "setDunning", &input).about(&customer_id);
        let once = once.within(Permission::Collect, &customer_id, &["customerId"]);
        let ladder = parse_change(&input.ladder_id, &["input", "ladderId"]);
        let parsed = parse::<CustomerId>(&customer_id, &["customerId"])
            .and_then(|id| ladder.map(|ladder| (id, ladder)));
        let outcome = match parsed {
            Ok((id, ladder)) => {
                let change = Change {
                    excluded: input.excluded,
                    paused_until: change(input.paused_until).map(|day| day.map(|day| day.0)),
                    ladder,
                };
                write(ctx, once, move |txn, actor, now| {
                    async move {
                        let version = expected_version;
                        Ok(setting::set(txn, id, change, version, actor, now).await?.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(outcome.into())
    }
}
