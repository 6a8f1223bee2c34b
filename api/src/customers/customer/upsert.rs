//! Adding and changing customers by the hundred.
//!
//! Invariant: what became of each row stands in the job that is written with them, so a repeated request
//! gets the first one's answer.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use entity::access::Permission;
use entity::automation::job;
use entity::customers::customer::{self, Duplicates, Fate, MatchOn, Terms};
use entity::id::{CustomerId, Id};
use futures::FutureExt;
use sea_orm::EntityTrait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::mutation::UpdateCustomerInput;
use crate::context::{Ask, CanAll, Once, write};
use crate::error::{Fault, UserError, refused};
use crate::read::{Among, Fetched, Together};

/// What rows have in common with the customers that they are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::customers::customer::MatchOn")]
pub enum CustomerMatch {
    /// The number.
    Number,
    /// The e-mail address, without regard to case.
    Email,
    /// The tax number, without regard to punctuation.
    TaxNumber,
}

/// What becomes of the good rows of a batch that has bad ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum BulkErrorPolicy {
    /// Nothing is written.
    RejectAll,
    /// They are written.
    SkipFailed,
}

/// Customers to add or to change.
#[derive(Clone, Debug, InputObject)]
pub struct UpsertCustomersInput {
    /// 1 to 500 customers. Of one that is there, what a row does not say is kept and what is null is
    /// cleared; a new one needs a name, is an organisation unless the row says something else, and
    /// follows the organisation's settings where the row says nothing.
    #[graphql(validator(min_items = 1, max_items = 500))]
    pub rows: Vec<UpdateCustomerInput>,
    /// By what a row finds its customer; every row has to have it.
    #[graphql(default_with = "CustomerMatch::Number")]
    pub match_on: CustomerMatch,
    /// What becomes of the good rows when there are bad ones.
    #[graphql(default_with = "BulkErrorPolicy::RejectAll")]
    pub error_policy: BulkErrorPolicy,
}

/// What became of one row.
#[derive(SimpleObject)]
pub struct CustomerBulkRow {
    /// Which row of the input, from 0.
    pub index: i32,
    /// The customer as it is now; null when the row was not written.
    pub customer: Among<customer::Entity>,
    /// Whether the customer is new.
    pub created: bool,
    /// Why the row was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// What became of customers by the hundred.
#[derive(SimpleObject)]
pub struct CustomerBulkPayload {
    /// How many rows were written.
    pub succeeded: i32,
    /// How many rows were refused, or not written because others were refused.
    pub failed: i32,
    /// What became of each row, in their order; empty when the request as a whole was refused.
    pub rows: Vec<CustomerBulkRow>,
    /// The finished job under which this is on record; null when the request was refused.
    pub job: Fetched<job::Entity>,
    /// Why the request as a whole was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// What the job keeps of a row.
#[derive(Serialize, Deserialize)]
struct Row {
    customer: Option<String>,
    created: bool,
    errors: Vec<UserError>,
}

/// What the job keeps.
#[derive(Serialize, Deserialize)]
struct Report {
    rows: Vec<Row>,
}

/// Customers by the hundred.
#[derive(Default)]
pub struct CustomerUpsertMutation;

/// Customers by the hundred.
#[Object]
impl CustomerUpsertMutation {
    /// Adds customers, or changes those that are there already, up to 500 at once.
    #[graphql(guard = "CanAll(Permission::WriteCustomers)")]
    async fn upsert_customers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customers, and how they are matched.")] input: UpsertCustomersInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's answer."
        )]
        idempotency_key: String,
    ) -> Result<CustomerBulkPayload, Fault> {
        let once = Once::new(Some(&idempotency_key), "upsertCustomers", &input);
        let count = input.rows.len();
        let all_or_none = input.error_policy == BulkErrorPolicy::RejectAll;
        let match_on: MatchOn = input.match_on.into();
        let terms = Terms {
            match_on,
            duplicates: Duplicates::Update,
            all_or_none,
            needs_key: true,
            import: None,
        };
        let asked = serde_json::json!({
            "rows": count, "matchOn": format!("{match_on:?}"), "allOrNone": all_or_none,
        });
        let changes: Vec<_> = input.rows.into_iter().map(UpdateCustomerInput::parse).collect();
        let viewer = ctx.viewer()?;
        let outcome = write(ctx, once, move |txn, actor, now| {
            let (changes, asked, viewer) = (changes.clone(), asked.clone(), viewer.clone());
            async move {
                let rows = customer::upsert(txn, changes, terms, actor, now).await?;
                let report = serde_json::to_value(Report::of(rows, all_or_none));
                let total = i64::try_from(count).unwrap_or(i64::MAX);
                let report = (report.unwrap_or_default(), total);
                let kind = job::Kind::UpsertCustomers;
                Ok(job::record(txn, kind, asked, report, &viewer, now).await?.id.into())
            }
            .boxed()
        });
        match outcome.await? {
            Ok(job) => CustomerBulkPayload::of(ctx, job).await,
            Err(user_errors) => Ok(CustomerBulkPayload {
                succeeded: 0,
                failed: i32::try_from(count).unwrap_or(i32::MAX),
                rows: Vec::new(),
                job: Fetched::nothing(),
                user_errors,
            }),
        }
    }
}

impl Report {
    fn of(rows: Vec<Result<customer::Upserted, entity::Error>>, all_or_none: bool) -> Self {
        let written = !all_or_none || rows.iter().all(Result::is_ok);
        let row = |(index, row): (usize, Result<customer::Upserted, entity::Error>)| match row {
            Ok(row) => Row {
                customer: written.then(|| row.id.global()),
                created: written && row.fate == Fate::Created,
                errors: Vec::new(),
            },
            // What a row is refused for is never a fault.
            Err(error) => Row {
                customer: None,
                created: false,
                errors: at_row(refused(error).unwrap_or_default(), index),
            },
        };
        Self { rows: rows.into_iter().enumerate().map(row).collect() }
    }
}

/// The errors of a row's input, as errors of the request's input.
fn at_row(errors: Vec<UserError>, index: usize) -> Vec<UserError> {
    let at = |error: UserError| {
        let within = error.field.into_iter().flatten().skip(1);
        let path = ["input".to_owned(), "rows".to_owned(), index.to_string()];
        UserError { field: Some(path.into_iter().chain(within).collect()), ..error }
    };
    errors.into_iter().map(at).collect()
}

impl CustomerBulkPayload {
    async fn of(ctx: &Context<'_>, job: Uuid) -> Result<Self, Fault> {
        let row = job::Entity::find_by_id(job).one(ctx.reader()).await?;
        let report = row.and_then(|row| serde_json::from_value::<Report>(row.report?).ok());
        let rows = report.map(|report| report.rows).unwrap_or_default();
        let ids = rows.iter().map(|row| CustomerId::parse(row.customer.as_deref()?));
        let ids: Vec<Option<Uuid>> = ids.map(|id| id.map(Uuid::from)).collect();
        let together = Arc::new(Together::of(ids.iter().flatten().copied().collect()));
        let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let succeeded = ids.iter().flatten().count();
        let of_row = |(index, (row, id)): (usize, (Row, Option<Uuid>))| CustomerBulkRow {
            index: count(index),
            customer: Among::of(&together, id),
            created: row.created,
            user_errors: row.errors,
        };
        Ok(Self {
            succeeded: count(succeeded),
            failed: count(rows.len() - succeeded),
            rows: rows.into_iter().zip(ids).enumerate().map(of_row).collect(),
            job: Fetched::of(job),
            user_errors: Vec::new(),
        })
    }
}
