//! The people who work with Rapport.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use entity::access::{Permission, password, user};
use entity::id::{RoleId, UserId};
use futures::FutureExt;

use super::hashing::enter;
use crate::context::{Ask, Can, Once, write};
use crate::error::{Fault, UserError, refused};
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

/// A user to be.
#[derive(Clone, Debug, InputObject)]
pub struct CreateUserInput {
    /// What they log in with; unique.
    pub email: String,
    /// What they are called, up to 200 characters.
    pub name: String,
    /// A first password, which they change.
    #[graphql(secret)]
    pub password: String,
    /// What they may do.
    pub role_id: ID,
    /// Where they stand in the reporting line.
    pub position_id: Option<ID>,
}

impl CreateUserInput {
    fn parse(&self, password_hash: String) -> Result<user::NewUser, Vec<UserError>> {
        let position = self.position_id.as_ref();
        Ok(user::NewUser {
            email: self.email.clone(),
            name: self.name.clone(),
            password_hash,
            role: parse(&self.role_id, &["input", "roleId"])?,
            position: position.map(|id| parse(id, &["input", "positionId"])).transpose()?,
        })
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
    /// What came of creating a user.
    CreateUserPayload {
        /// The new user; null when they were refused.
        user: user::Entity
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
    /// Adds a user.
    #[graphql(guard = "Can(Permission::ManageUsers)", complexity = "50")]
    async fn create_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] input: CreateUserInput,
    ) -> Result<CreateUserPayload, Fault> {
        let once = Once::new(None, "createUser", &input);
        let password = input.password.clone();
        let hash = enter(ctx)?.work(move || password::hash(&password)).await?;
        let parsed = match hash {
            Ok(hash) => input.parse(hash),
            Err(error) => Err(refused(error.into())?),
        };
        let new = match parsed {
            Ok(new) => new,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let viewer = ctx.viewer()?;
        let outcome = write(ctx, once, move |txn, actor, now| {
            let (new, viewer) = (new.clone(), viewer.clone());
            async move {
                let place = user::Change {
                    role: Some(new.role),
                    position: Some(new.position),
                    ..user::Change::default()
                };
                user::ensure_manageable(txn, None, &place, &viewer).await?;
                Ok(user::create(txn, new, actor, now).await?.id.into())
            }
            .boxed()
        });
        outcome.await.map(CreateUserPayload::from)
    }

    /// Changes a user, lets them in no more, or again. The last administrator stays one.
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
