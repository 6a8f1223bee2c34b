//! The people who work with Rapport.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use chrono::{DateTime, Utc};
use entity::access::{Actor, Permission, user};
use entity::id::{RoleId, UserId};
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::DatabaseTransaction;
use uuid::Uuid;

use crate::context::{Ask, Can, Once, write};
use crate::error::{Fault, UserError};
use crate::id::{parse, parse_change};
use crate::payload::payload;
use crate::read::Fetched;

/// Reading users.
#[derive(Default)]
pub struct UserQuery;

/// Reading users.
#[expect(clippy::unused_async, reason = "async-graphql wants resolvers to be async")]
#[Object]
impl UserQuery {
    /// The user whose token the request carries.
    async fn me(&self, ctx: &Context<'_>) -> Result<Fetched<user::Entity>, Fault> {
        Ok(Fetched::of(ctx.viewer()?.user))
    }
}

/// A change of a user. What is absent stays; what is null is cleared.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateUserInput {
    /// What they log in with; unique.
    pub email: Option<String>,
    /// What they are called, up to 200 characters.
    pub name: Option<String>,
    /// What they may do.
    pub role_id: Option<ID>,
    /// Where they stand in the reporting line.
    pub position_id: MaybeUndefined<ID>,
    /// Whether they may log in. Who is disabled is out at once; what they did and look after stays theirs.
    pub enabled: Option<bool>,
}

impl UpdateUserInput {
    fn parse(self) -> Result<user::Change, Vec<UserError>> {
        let role = self.role_id.map(|id| parse::<RoleId>(&id, &["input", "roleId"]));
        Ok(user::Change {
            email: self.email,
            name: self.name,
            role: role.transpose()?,
            position: parse_change(&self.position_id, &["input", "positionId"])?,
            enabled: self.enabled,
        })
    }
}

payload! {
    /// What came of changing a user.
    UpdateUserPayload {
        /// The user as they are now; null when the change was refused.
        user: user::Entity
    }
}

/// Changing users.
#[derive(Default)]
pub struct UserMutation;

/// Changing users.
#[Object]
impl UserMutation {
    /// Changes a user, lets them in no more, or again. The last administrator stays one. With another
    /// address, or when they may not log in any more, links for choosing a password that they were sent are
    /// void.
    #[graphql(guard = "Can(Permission::ManageUsers)")]
    async fn update_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdateUserInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<UpdateUserPayload, Fault> {
        let once = Once::new(None, "updateUser", &input).about(&id);
        let parsed = parse::<UserId>(&id, &["id"]).and_then(|id| Ok((id, input.parse()?)));
        let (id, change) = match parsed {
            Ok(parsed) => parsed,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let viewer = ctx.viewer()?;
        let outcome = write(ctx, once, move |txn, actor, now| {
            let (change, viewer) = (change.clone(), viewer.clone());
            async move {
                user::ensure_manageable(txn, Some(id), &change, &viewer).await?;
                let row = user::update(txn, id, change, expected_version, actor, now).await?;
                Ok(row.id.into())
            }
            .boxed()
        });
        outcome.await.map(UpdateUserPayload::from)
    }
}

/// Does something about a user whom the viewer may manage: who may not do more than the viewer.
///
/// # Errors
/// A fault at the outside; what the user can solve within.
pub(super) async fn manage<W>(
    ctx: &Context<'_>,
    once: Once<'_>,
    user_id: &ID,
    work: W,
) -> Result<Result<Uuid, Vec<UserError>>, Fault>
where
    W: for<'c> Fn(
            &'c DatabaseTransaction,
            UserId,
            Actor,
            DateTime<Utc>,
        ) -> BoxFuture<'c, Result<(), entity::Error>>
        + Copy
        + Send
        + Sync
        + 'static,
{
    let viewer = ctx.viewer()?;
    let id = match parse::<UserId>(user_id, &["userId"]) {
        Ok(id) => id,
        Err(errors) => return Ok(Err(errors)),
    };
    let once = once.within(Permission::ManageUsers, user_id, &["userId"]);
    let outcome = write(ctx, once, move |txn, actor, now| {
        let viewer = viewer.clone();
        async move {
            user::ensure_manageable(txn, Some(id), &user::Change::default(), &viewer).await?;
            work(txn, id, actor, now).await?;
            Ok(id.into())
        }
        .boxed()
    });
    outcome.await
}
