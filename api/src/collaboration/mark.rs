//! Favourites, and following records.

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::catalog::named;
use entity::collaboration::mark::{self, Kind};
use futures::FutureExt;
use uuid::Uuid;

use crate::context::{LoggedIn, Once, write};
use crate::error::{Fault, UserError};

/// What came of marking a record, or of taking a mark away.
#[derive(SimpleObject)]
pub struct MarkPayload {
    /// The record's id; null when it was refused.
    pub id: Option<ID>,
    /// Why nothing was changed; empty on success.
    pub user_errors: Vec<UserError>,
}

/// Favourites, and following records.
#[derive(Default)]
pub struct MarkMutation;

/// Favourites, and following records.
#[Object]
impl MarkMutation {
    /// Keeps a record at hand, among your `favourites`.
    #[graphql(guard = "LoggedIn")]
    async fn add_favourite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The record's id.")] id: ID,
    ) -> Result<MarkPayload, Fault> {
        put(ctx, "addFavourite", id, Kind::Favourite).await
    }

    /// Takes a record out of your `favourites`.
    #[graphql(guard = "LoggedIn")]
    async fn remove_favourite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The record's id.")] id: ID,
    ) -> Result<MarkPayload, Fault> {
        take(ctx, "removeFavourite", id, Kind::Favourite).await
    }

    /// Moves one of your `favourites` before another one, or to the end.
    #[graphql(guard = "LoggedIn")]
    async fn move_favourite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The record's id.")] id: ID,
        #[graphql(desc = "The id of the favourite that it comes before; to the end when absent.")]
        before: Option<ID>,
    ) -> Result<MarkPayload, Fault> {
        let (subject, other) = (named(&id), before.as_ref().map(|id| named(id)));
        let (Some((_, subject)), None | Some(Some(_))) = (subject, other) else {
            let field = if subject.is_none() { "id" } else { "before" };
            return Ok(payload(id, Err(vec![UserError::not_found(&[field])])));
        };
        let other = other.flatten().map(|(_, other)| other);
        let once = Once::new(None, "moveFavourite", &before).about(&id);
        let outcome = write(ctx, once, move |txn, actor, _| {
            async move { mark::arrange(txn, subject, other, actor).await.map(|()| subject) }.boxed()
        });
        let outcome = outcome.await?;
        Ok(payload(id, outcome))
    }

    /// Follows a record: you want to know what happens to it.
    #[graphql(guard = "LoggedIn")]
    async fn follow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The record's id.")] id: ID,
    ) -> Result<MarkPayload, Fault> {
        put(ctx, "follow", id, Kind::Follow).await
    }

    /// Follows a record no more.
    #[graphql(guard = "LoggedIn")]
    async fn unfollow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The record's id.")] id: ID,
    ) -> Result<MarkPayload, Fault> {
        take(ctx, "unfollow", id, Kind::Follow).await
    }
}

fn payload(id: ID, outcome: Result<Uuid, Vec<UserError>>) -> MarkPayload {
    match outcome {
        Ok(_) => MarkPayload { id: Some(id), user_errors: Vec::new() },
        Err(user_errors) => MarkPayload { id: None, user_errors },
    }
}

async fn put(
    ctx: &Context<'_>,
    operation: &'static str,
    id: ID,
    kind: Kind,
) -> Result<MarkPayload, Fault> {
    let Some(subject) = named(&id) else {
        return Ok(payload(id, Err(vec![UserError::not_found(&["id"])])));
    };
    let outcome = write(ctx, Once::new(None, operation, &id), move |txn, actor, now| {
        async move { mark::put(txn, kind, subject, actor, now).await.map(|()| subject.1) }.boxed()
    });
    let outcome = outcome.await?;
    Ok(payload(id, outcome))
}

async fn take(
    ctx: &Context<'_>,
    operation: &'static str,
    id: ID,
    kind: Kind,
) -> Result<MarkPayload, Fault> {
    let Some((_, subject)) = named(&id) else {
        return Ok(payload(id, Err(vec![UserError::not_found(&["id"])])));
    };
    let outcome = write(ctx, Once::new(None, operation, &id), move |txn, actor, _| {
        async move { mark::take(txn, kind, subject, actor).await.map(|()| subject) }.boxed()
    });
    let outcome = outcome.await?;
    Ok(payload(id, outcome))
}
