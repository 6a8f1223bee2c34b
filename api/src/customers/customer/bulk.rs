//! Changing or deleting all customers of a filter: a preview, which `startJob` carries out.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use entity::access::Permission;
use entity::automation::job::{self, target};
use entity::customers::customer;
use entity::customers::customer::bulk::{self, BulkChange};
use entity::id::{Id, JobId, UserId};
use futures::FutureExt;
use serde_json::Value as Json;
use uuid::Uuid;

use super::{Channel, CustomerKind, LifecycleStage};
use crate::context::{Ask, Can, Once, write};
use crate::customers::CustomFieldInput;
use crate::error::{Fault, UserError, fault};
use crate::payload::change;
use crate::read::{Among, Fetched, FilterOf, Together};

/// How many customers a preview shows.
const SAMPLE: u64 = 10;

/// What changes of many customers at once. What is absent stays; what is null is cleared.
#[derive(Clone, Debug, InputObject)]
pub struct BulkCustomerChangeInput {
    /// What kind of party they are.
    pub kind: Option<CustomerKind>,
    /// How far the relation has come.
    pub stage: Option<LifecycleStage>,
    /// The user who looks after them: anybody whose role lets them see customers.
    pub owner_id: MaybeUndefined<ID>,
    /// How they like to be reached.
    pub preferred_channel: MaybeUndefined<Channel>,
    /// The language they are written to in, as a tag such as `vi` or `en-GB`.
    pub language: Option<String>,
    /// The IANA time zone they live in, such as `Asia/Ho_Chi_Minh`.
    pub time_zone: Option<String>,
    /// Values of custom fields; those that are not named stay.
    #[graphql(default, validator(max_items = 100))]
    pub custom_fields: Vec<CustomFieldInput>,
}

/// Which customers to change, and how.
#[derive(Clone, Debug, InputObject)]
pub struct BulkUpdateCustomersInput {
    /// Which customers, up to 250,000.
    pub filter: FilterOf<customer::Entity>,
    /// What changes of each.
    pub change: BulkCustomerChangeInput,
}

/// Which customers to delete.
#[derive(Clone, Debug, InputObject)]
pub struct BulkDeleteCustomersInput {
    /// Which customers, up to 250,000.
    pub filter: FilterOf<customer::Entity>,
}

/// What a job for many customers would do.
#[derive(SimpleObject)]
pub struct BulkPreviewPayload {
    /// The job, which waits for `startJob`; `total` is how many customers it is for. Only these are
    /// touched, and of them only those that are still in the filter when their turn comes: its report
    /// counts those that were `touched` and those that were `skipped`. Null when it was refused.
    pub job: Fetched<job::Entity>,
    /// Some of the customers, at most 10.
    pub sample: Vec<Among<customer::Entity>>,
    /// Why there is no job; empty on success.
    pub user_errors: Vec<UserError>,
}

/// Many customers at once.
#[derive(Default)]
pub struct CustomerBulkMutation;

/// Many customers at once.
#[Object]
impl CustomerBulkMutation {
    /// Prepares a change of all customers of a filter and shows how many they are. Nothing changes
    /// before `startJob`.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn bulk_update_customers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which customers, and what changes.")] input: BulkUpdateCustomersInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's job."
        )]
        idempotency_key: String,
    ) -> Result<BulkPreviewPayload, Fault> {
        let once = Once::new(Some(&idempotency_key), "bulkUpdateCustomers", &input);
        let change = BulkChange::from(input.change);
        prepare(ctx, once, input.filter.json, Some(change)).await
    }

    /// Prepares the deletion of all customers of a filter and shows how many they are. Nothing is
    /// deleted before `startJob`, and each can be restored afterwards.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn bulk_delete_customers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which customers.")] input: BulkDeleteCustomersInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's job."
        )]
        idempotency_key: String,
    ) -> Result<BulkPreviewPayload, Fault> {
        let once = Once::new(Some(&idempotency_key), "bulkDeleteCustomers", &input);
        prepare(ctx, once, input.filter.json, None).await
    }
}

impl From<BulkCustomerChangeInput> for BulkChange {
    fn from(input: BulkCustomerChangeInput) -> Self {
        // An owner whose id cannot be read is one that there is not.
        let owner = |id: ID| UserId::parse(&id).unwrap_or(UserId(Uuid::nil()));
        Self {
            kind: input.kind.map(Into::into),
            stage: input.stage.map(Into::into),
            owner_id: change(input.owner_id).map(|set| set.map(owner)),
            preferred_channel: change(input.preferred_channel).map(|set| set.map(Into::into)),
            language: input.language,
            time_zone: input.time_zone,
            custom: input.custom_fields.into_iter().map(Into::into).collect(),
        }
    }
}

async fn prepare(
    ctx: &Context<'_>,
    once: Once<'_>,
    filter: Json,
    change: Option<BulkChange>,
) -> Result<BulkPreviewPayload, Fault> {
    let viewer = ctx.viewer()?;
    let outcome = write(ctx, once, move |txn, _, now| {
        let (filter, change, viewer) = (filter.clone(), change.clone(), viewer.clone());
        async move { Ok(bulk::preview(txn, filter, change, viewer, now).await?.id.into()) }.boxed()
    });
    let job = match outcome.await? {
        Ok(job) => job,
        Err(user_errors) => {
            let (job, sample) = (Fetched::nothing(), Vec::new());
            return Ok(BulkPreviewPayload { job, sample, user_errors });
        }
    };
    let sample = target::next(ctx.reader(), JobId(job), SAMPLE).await.map_err(fault)?;
    let together = Arc::new(Together::of(sample.clone()));
    Ok(BulkPreviewPayload {
        job: Fetched::of(job),
        sample: sample.into_iter().map(|id| Among::of(&together, Some(id))).collect(),
        user_errors: Vec::new(),
    })
}
