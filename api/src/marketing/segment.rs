//! Making segments. What is read of them is in the catalogue.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::access::Permission;
use entity::customers::customer;
use entity::id::SegmentId;
use entity::marketing::segment::{self, Change};
use futures::FutureExt;

use crate::context::{Ask, CanAll, Once, write};
use crate::error::{Fault, UserError};
use crate::id::parse;
use crate::payload::payload;
use crate::read::FilterOf;

/// A segment to be.
#[derive(Clone, Debug, InputObject)]
pub struct CreateSegmentInput {
    /// What it is called, up to 100 characters; unique.
    pub name: String,
    /// Which customers belong to it.
    pub filter: FilterOf<customer::Entity>,
}

/// A change of a segment. What is absent stays.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateSegmentInput {
    /// What it is called, up to 100 characters; unique.
    pub name: Option<String>,
    /// Which customers belong to it.
    pub filter: Option<FilterOf<customer::Entity>>,
}

payload! {
    /// What came of making or changing a segment.
    SegmentPayload {
        /// The segment as it is now; null when it was refused.
        segment: segment::Entity
    }
}

/// What came of deleting a segment.
#[derive(SimpleObject)]
pub struct DeleteSegmentPayload {
    /// The id of the segment that is gone; null when it was refused.
    pub id: Option<ID>,
    /// Why nothing was changed; empty on success.
    pub user_errors: Vec<UserError>,
}

/// Making segments.
#[derive(Default)]
pub struct SegmentMutation;

/// Making segments.
#[Object]
impl SegmentMutation {
    /// Makes a segment of the customers that pass a filter. Who belongs to it is known a moment later (`filledAt`), silently;
    /// from then on customers enter and leave it as they change, at once, or within five minutes where only time has passed.
    #[graphql(guard = "CanAll(Permission::WriteSegments)")]
    async fn create_segment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The segment.")] input: CreateSegmentInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's record."
        )]
        idempotency_key: Option<String>,
    ) -> Result<SegmentPayload, Fault> {
        let viewer = ctx.viewer()?;
        let once = Once::new(idempotency_key.as_deref(), "createSegment", &input);
        let change = Change { name: Some(input.name), filter: Some(input.filter.json) };
        let outcome = write(ctx, once, move |txn, _, now| {
            let (change, viewer) = (change.clone(), viewer.clone());
            async move { Ok(segment::create(txn, change, &viewer, now).await?.id.into()) }.boxed()
        });
        outcome.await.map(Into::into)
    }

    /// Changes a segment. Whoever belongs to it by another filter enters or leaves it silently.
    #[graphql(guard = "CanAll(Permission::WriteSegments)")]
    async fn update_segment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The segment's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdateSegmentInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<SegmentPayload, Fault> {
        let viewer = ctx.viewer()?;
        let once = Once::new(None, "updateSegment", &input).about(&id);
        let id = match parse::<SegmentId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let change = Change { name: input.name, filter: input.filter.map(|filter| filter.json) };
        let outcome = write(ctx, once, move |txn, _, now| {
            let (change, viewer) = (change.clone(), viewer.clone());
            async move {
                let row = segment::update(txn, id, change, expected_version, &viewer, now).await?;
                Ok(row.id.into())
            }
            .boxed()
        });
        outcome.await.map(Into::into)
    }

    /// Deletes a segment for good. One that starts a workflow is kept.
    #[graphql(guard = "CanAll(Permission::WriteSegments)")]
    async fn delete_segment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The segment's id.")] id: ID,
    ) -> Result<DeleteSegmentPayload, Fault> {
        let once = Once::new(None, "deleteSegment", &id);
        let outcome = match parse::<SegmentId>(&id, &["id"]) {
            Ok(segment) => {
                let deleted = write(ctx, once, move |txn, _, _| {
                    async move {
                        segment::delete(txn, segment).await?;
                        Ok(segment.into())
                    }
                    .boxed()
                });
                deleted.await?
            }
            Err(errors) => Err(errors),
        };
        Ok(match outcome {
            Ok(_) => DeleteSegmentPayload { id: Some(id), user_errors: Vec::new() },
            Err(user_errors) => DeleteSegmentPayload { id: None, user_errors },
        })
    }
}
