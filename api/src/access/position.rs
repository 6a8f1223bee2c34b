//! Creating, moving and removing positions in the reporting line.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use entity::access::{Permission, position};
use entity::id::PositionId;
use futures::FutureExt;

use crate::context::{Ask, Can, Once, write};
use crate::error::Fault;
use crate::id::{parse, parse_change};
use crate::payload::{DeletedPayload, payload};

/// A position to be.
#[derive(Clone, Debug, InputObject)]
pub struct CreatePositionInput {
    /// What it is called, up to 100 characters.
    pub title: String,
    /// To which position it reports; to none when absent.
    pub reports_to_id: Option<ID>,
}

/// A change of a position. What is absent stays; what is null is cleared.
#[derive(Clone, Debug, InputObject)]
pub struct UpdatePositionInput {
    /// What it is called, up to 100 characters.
    pub title: Option<String>,
    /// To which position it reports.
    pub reports_to_id: MaybeUndefined<ID>,
}

payload! {
    /// What came of creating a position.
    CreatePositionPayload {
        /// The new position; null when it was refused.
        position: position::Entity
    }
}

payload! {
    /// What came of changing a position.
    UpdatePositionPayload {
        /// The position as it is now; null when the change was refused.
        position: position::Entity
    }
}

/// Changing positions.
#[derive(Default)]
pub struct PositionMutation;

/// Changing positions.
#[Object]
impl PositionMutation {
    /// Adds a position.
    #[graphql(guard = "Can(Permission::ManageUsers)")]
    async fn create_position(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The position.")] input: CreatePositionInput,
    ) -> Result<CreatePositionPayload, Fault> {
        let once = Once::new(None, "createPosition", &input);
        let above = input.reports_to_id.as_ref();
        let above = match above.map(|id| parse(id, &["input", "reportsToId"])).transpose() {
            Ok(above) => above,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let outcome = write(ctx, once, move |txn, actor, now| {
            let title = input.title.clone();
            async move { Ok(position::create(txn, &title, above, actor, now).await?.id.into()) }
                .boxed()
        });
        outcome.await.map(CreatePositionPayload::from)
    }

    /// Renames a position, or lets it report to another one.
    #[graphql(guard = "Can(Permission::ManageUsers)")]
    async fn update_position(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The position's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdatePositionInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<UpdatePositionPayload, Fault> {
        let once = Once::new(None, "updatePosition", &input).about(&id);
        let above = parse_change(&input.reports_to_id, &["input", "reportsToId"]);
        let parsed = parse::<PositionId>(&id, &["id"]).and_then(|id| Ok((id, above?)));
        let (id, above) = match parsed {
            Ok(parsed) => parsed,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let viewer = ctx.viewer()?;
        let outcome = write(ctx, once, move |txn, _, now| {
            let (title, viewer) = (input.title.clone(), viewer.clone());
            async move {
                let row = position::update(txn, id, title, above, expected_version, &viewer, now);
                Ok(row.await?.id.into())
            }
            .boxed()
        });
        outcome.await.map(UpdatePositionPayload::from)
    }

    /// Removes a position that nobody holds. Those below report to the one above from then on.
    #[graphql(guard = "Can(Permission::ManageUsers)")]
    async fn delete_position(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The position's id.")] id: ID,
    ) -> Result<DeletedPayload, Fault> {
        let once = Once::new(None, "deletePosition", &String::new()).about(&id);
        let position = match parse::<PositionId>(&id, &["id"]) {
            Ok(position) => position,
            Err(errors) => return Ok(DeletedPayload::refused(errors)),
        };
        let outcome = write(ctx, once, move |txn, _, _| {
            async move { position::delete(txn, position).await.map(|()| position.into()) }.boxed()
        });
        Ok(DeletedPayload::new(id, outcome.await?))
    }
}
