//! Going on with sessions, and ending them.

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::access::secret::{Purpose, Secret};
use entity::access::session::{self, Ending, Refreshed};
use entity::access::throttle::{self, Attempt};
use entity::access::{AccessError, Permission, api_key, user};
use entity::id::SessionId;
use futures::FutureExt;

use super::attempt::{buckets, count, device};
use super::login::LoginPayload;
use super::user::{UpdateUserPayload, manage};
use crate::choice::choice;
use crate::context::{Ask, Can, Once, write};
use crate::error::{Fault, UserError, refused};
use crate::id::parse;
use crate::payload::payload;
use crate::read::Fetched;

choice! {
    /// Why a session has ended.
    SessionEnding mirrors "entity::access::session::Ending" {
        /// The user logged out.
        LoggedOut,
        /// The user ended it from elsewhere.
        Revoked,
        /// A refresh token came twice: somebody may have stolen it.
        TokenReused,
        /// The user has a new password.
        PasswordChanged,
        /// An administrator ended it.
        Administrator,
    }
}

payload! {
    /// What came of ending a session.
    RevokeSessionPayload {
        /// The session, ended; null when it was refused.
        session: session::Entity
    }
}

payload! {
    /// What came of logging out.
    LogoutPayload {
        /// The session that has ended. It can be read here for the last time with its own token.
        session: session::Entity
    }
}

/// What came of logging out everywhere.
#[derive(SimpleObject)]
pub struct LogoutEverywherePayload {
    /// How many sessions have ended, this one among them unless it was kept; null when it was refused.
    pub ended: Option<i32>,
    /// Why nothing was changed; empty on success.
    pub user_errors: Vec<UserError>,
}

/// Reading sessions beyond their list.
#[derive(Default)]
pub struct SessionQuery;

/// Reading sessions beyond their list.
#[expect(clippy::unused_async, reason = "async-graphql wants resolvers to be async")]
#[Object]
impl SessionQuery {
    /// The session whose token the request carries, to tell it from the user's others.
    async fn current_session(&self, ctx: &Context<'_>) -> Result<Fetched<session::Entity>, Fault> {
        Ok(Fetched::of(ctx.session()?))
    }
}

/// Going on with sessions, and ending them.
#[derive(Default)]
pub struct SessionMutation;

/// Going on with sessions, and ending them.
#[Object]
impl SessionMutation {
    /// Goes on with a session: gives the next access token and the next refresh token for the last one,
    /// which is not good any more. Needs no access token.
    ///
    /// Of two requests at once with the same token one succeeds; the other is refused with
    /// `TOKEN_SUPERSEDED`, and is to go on with what the first one got. A token that comes again later is
    /// refused with `TOKEN_REUSED`, and its session ends, since somebody may have stolen it.
    #[graphql(complexity = "20")]
    async fn refresh_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The last refresh token.", secret)] refresh_token: String,
    ) -> Result<LoginPayload, Fault> {
        let buckets = buckets(ctx, Attempt::Refresh, &refresh_token);
        if let Some(errors) = count(ctx, &buckets).await? {
            return Ok(LoginPayload::refused(errors));
        }
        let Some(token) = Secret::parse(Purpose::Refresh, &refresh_token) else {
            return refused(AccessError::InvalidToken.into()).map(LoginPayload::refused);
        };
        let (now, device) = (ctx.now(), device(ctx));
        let address = buckets.into_iter().skip(1).collect::<Vec<_>>();
        let refreshed = ctx.shared().db.write(move |txn| {
            let (token, device, address) = (token.clone(), device.clone(), address.clone());
            async move {
                let refreshed = session::refresh(txn, &token, &device, now).await?;
                if matches!(refreshed, Refreshed::On(_)) {
                    throttle::give_back(txn, &address).await?;
                }
                Ok(refreshed)
            }
            .boxed()
        });
        match refreshed.await {
            Ok(Refreshed::On(begun)) => LoginPayload::of(ctx, &begun, now).await,
            Ok(Refreshed::Refused(error)) => refused(error.into()).map(LoginPayload::refused),
            Err(error) => refused(error).map(LoginPayload::refused),
        }
    }

    /// Ends the session whose token the request carries. Its tokens are not good any more.
    async fn logout(&self, ctx: &Context<'_>) -> Result<LogoutPayload, Fault> {
        let session = ctx.session()?;
        Ok(LogoutPayload::from(end(ctx, session, Ending::LoggedOut).await?))
    }

    /// Ends all of the user's sessions.
    async fn logout_everywhere(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whether the session whose token the request carries goes on.", default)]
        keep_current: bool,
    ) -> Result<LogoutEverywherePayload, Fault> {
        let (user, current, now) = (ctx.viewer()?.user, ctx.session()?, ctx.now());
        let kept = keep_current.then_some(current);
        let ended = ctx.shared().db.write(move |txn| {
            async move { session::end_all(txn, user, kept, Ending::LoggedOut, now).await }.boxed()
        });
        Ok(match ended.await {
            Ok(ended) => {
                let ended = Some(i32::try_from(ended).unwrap_or(i32::MAX));
                LogoutEverywherePayload { ended, user_errors: Vec::new() }
            }
            Err(error) => LogoutEverywherePayload { ended: None, user_errors: refused(error)? },
        })
    }

    /// Ends one of the user's sessions, such as that of a lost device. Its tokens are not good any more.
    async fn revoke_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session's id.")] id: ID,
    ) -> Result<RevokeSessionPayload, Fault> {
        ctx.session()?;
        let outcome = match parse::<SessionId>(&id, &["id"]) {
            Ok(session) => end(ctx, session, Ending::Revoked).await?,
            Err(errors) => Err(errors),
        };
        Ok(RevokeSessionPayload::from(outcome))
    }

    /// Ends all sessions of a user, such as one whose device was stolen. The audit log notes who did it.
    #[graphql(guard = "Can(Permission::ManageUsers)")]
    async fn end_sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's id.")] user_id: ID,
        #[graphql(
            desc = "Whether the user's API keys are revoked, too, which programs may go on with.",
            default
        )]
        revoke_api_keys: bool,
    ) -> Result<UpdateUserPayload, Fault> {
        let once = Once::new(None, "endSessions", &user_id);
        let outcome = manage(ctx, once, &user_id, move |txn, id, actor, now| {
            async move {
                user::end_sessions(txn, id, actor, now).await?;
                if revoke_api_keys {
                    api_key::revoke_all(txn, id, now).await?;
                }
                Ok(())
            }
            .boxed()
        });
        outcome.await.map(UpdateUserPayload::from)
    }
}

async fn end(
    ctx: &Context<'_>,
    session: SessionId,
    ending: Ending,
) -> Result<Result<uuid::Uuid, Vec<UserError>>, Fault> {
    let user = ctx.viewer()?.user;
    write(ctx, Once::new(None, "endSession", &ID(String::new())), move |txn, _, now| {
        async move {
            session::end(txn, user, session, ending, now).await?;
            Ok(session.into())
        }
        .boxed()
    })
    .await
}
