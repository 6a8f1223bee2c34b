//! API keys: what programs are known by that act for a user.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::access::Actor;
use entity::access::api_key::{self, NewKey};
use entity::id::ApiKeyId;
use futures::FutureExt;

use super::Permission;
use crate::context::{Ask, Once, write};
use crate::error::{Fault, UserError, refused};
use crate::id::parse;
use crate::payload::payload;
use crate::read::Fetched;

/// An API key to be.
#[derive(InputObject)]
pub struct CreateApiKeyInput {
    /// What it is called, such as the program that uses it; up to 100 characters.
    pub name: String,
    /// What it is for; of these it lets what its owner may at the time.
    pub permissions: Vec<Permission>,
    /// Until when it is good; absent or null leaves that open.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What came of making an API key.
#[derive(SimpleObject)]
pub struct CreateApiKeyPayload {
    /// The key; null when it was refused.
    pub api_key: Fetched<api_key::Entity>,
    /// To be sent as `Authorization: Bearer rap_…`. It is shown now and never again; null when it was
    /// refused.
    pub secret: Option<String>,
    /// Why it was refused; empty on success.
    pub user_errors: Vec<UserError>,
}

payload! {
    /// What came of revoking an API key.
    RevokeApiKeyPayload {
        /// The key; null when it was refused.
        api_key: api_key::Entity
    }
}

/// Making and revoking API keys.
#[derive(Default)]
pub struct ApiKeyMutation;

/// Making and revoking API keys.
#[Object]
impl ApiKeyMutation {
    /// Makes an API key, by which a program acts for the user. Only somebody who has logged in can.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is called, and what it is for.")] input: CreateApiKeyInput,
    ) -> Result<CreateApiKeyPayload, Fault> {
        ctx.session()?;
        let (owner, now) = (ctx.viewer()?, ctx.now());
        let CreateApiKeyInput { name, permissions, expires_at } = input;
        let permissions = permissions.into_iter().map(Into::into).collect();
        let new = NewKey { name, permissions, expires_at };
        let origin = ctx.origin(Actor::from(&owner), now);
        let made = ctx.shared().db.write_as(&origin, move |txn| {
            let (owner, new) = (owner.clone(), new.clone());
            async move { api_key::create(txn, &owner, new, now).await }.boxed()
        });
        Ok(match made.await {
            Ok((key, secret)) => CreateApiKeyPayload {
                api_key: Fetched::of(key.id),
                secret: Some(secret.reveal().to_owned()),
                user_errors: Vec::new(),
            },
            Err(error) => CreateApiKeyPayload {
                api_key: Fetched::nothing(),
                secret: None,
                user_errors: refused(error)?,
            },
        })
    }

    /// Revokes one of the user's API keys. It is not good any more.
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key's id.")] id: ID,
    ) -> Result<RevokeApiKeyPayload, Fault> {
        ctx.session()?;
        let owner = ctx.viewer()?.user;
        let once = Once::new(None, "revokeApiKey", &id);
        let outcome = match parse::<ApiKeyId>(&id, &["id"]) {
            Ok(key) => {
                write(ctx, once, move |txn, _, now| {
                    async move {
                        api_key::revoke(txn, owner, key, now).await?;
                        Ok(key.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(RevokeApiKeyPayload::from(outcome))
    }
}
