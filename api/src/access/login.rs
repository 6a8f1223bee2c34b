//! Logging in with address and password.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::access::session::{self, Begun};
use entity::access::throttle::{self, Attempt};
use entity::access::{AccessError, Actor, password, second_factor, user};
use futures::FutureExt;

use super::attempt::{buckets, count, device};
use super::hashing::enter;
use super::token::LIFETIME;
use crate::context::Ask;
use crate::error::{Fault, UserError, refused};
use crate::read::Fetched;

/// What a user logs in with.
#[derive(InputObject)]
pub struct LoginInput {
    /// The user's e-mail address.
    pub email: String,
    /// Their password.
    #[graphql(secret)]
    pub password: String,
    /// What their app shows, or a recovery code, where they have a second factor. Without it the right
    /// password is answered with `CODE_REQUIRED`.
    #[graphql(secret)]
    pub code: Option<String>,
}

/// What came of logging in.
#[derive(SimpleObject)]
pub struct LoginPayload {
    /// To be sent as `Authorization: Bearer …`, and good for a quarter of an hour; null when logging in
    /// was refused.
    pub access_token: Option<String>,
    /// Until when the access token is good; null when logging in was refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// To be given to `refreshSession` once, for the next pair of tokens; null when logging in was refused.
    pub refresh_token: Option<String>,
    /// What has begun; null when logging in was refused.
    pub session: Fetched<session::Entity>,
    /// Who logged in; null when logging in was refused.
    pub user: Fetched<user::Entity>,
    /// Why it was refused; empty on success.
    pub user_errors: Vec<UserError>,
}

impl LoginPayload {
    pub(super) fn refused(user_errors: Vec<UserError>) -> Self {
        Self {
            access_token: None,
            expires_at: None,
            refresh_token: None,
            session: Fetched::nothing(),
            user: Fetched::nothing(),
            user_errors,
        }
    }

    /// What a session has begun, or gone on, with.
    ///
    /// # Errors
    /// The database.
    pub(super) async fn of(
        ctx: &Context<'_>,
        begun: &Begun,
        now: DateTime<Utc>,
    ) -> Result<Self, Fault> {
        let (user, session) = (begun.session.user_id, begun.session.id);
        let Some(viewer) = user::viewer_in(ctx.reader(), user, session, now).await? else {
            return refused(AccessError::InvalidToken.into()).map(Self::refused);
        };
        Ok(Self {
            access_token: ctx.shared().tokens.issue(user, session, now),
            expires_at: Some(now + LIFETIME),
            refresh_token: Some(begun.refresh.reveal().to_owned()),
            session: Fetched::seen_by(viewer.clone(), session),
            user: Fetched::seen_by(viewer, user),
            user_errors: Vec::new(),
        })
    }
}

/// Logging in.
#[derive(Default)]
pub struct LoginMutation;

/// Logging in.
#[Object]
impl LoginMutation {
    /// Begins a session for an address and a password, and gives an access token and a refresh token.
    /// Whether the address or the password is wrong, the answer is the same. After ten wrong attempts for
    /// an address, or fifty from one place, it is refused with `RATE_LIMITED` for a while; the header
    /// `Retry-After` says how long. When too many log in at once, some get the error `OVERLOADED`. Needs no
    /// token.
    #[graphql(complexity = "50")]
    async fn login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Address and password.")] input: LoginInput,
    ) -> Result<LoginPayload, Fault> {
        let place = enter(ctx)?;
        let buckets: Arc<[_]> =
            buckets(ctx, Attempt::Login, &input.email.trim().to_lowercase()).into();
        if let Some(errors) = count(ctx, &buckets).await? {
            return Ok(LoginPayload::refused(errors));
        }
        let found = user::by_email(ctx.reader(), &input.email).await?;
        let LoginInput { password, code, .. } = input;
        let authenticated = place.work(move || {
            let user = user::authenticate(found.as_ref(), &password)?;
            let outdated = found.filter(|user| password::is_outdated(&user.password_hash));
            let renewed = outdated.and_then(|user| {
                let hash = password::hash(&password).ok()?;
                Some((user.password_hash, hash))
            });
            Ok((user, renewed))
        });
        let (user, renewed) = match authenticated.await? {
            Ok(authenticated) => authenticated,
            Err(error) => return refused(entity::Error::Access(error)).map(LoginPayload::refused),
        };
        let (now, device) = (ctx.now(), device(ctx));
        let tokens = Arc::clone(&ctx.shared().tokens);
        let origin = ctx.origin(Actor::User(user), now);
        let begun = ctx.shared().db.write_as(&origin, move |txn| {
            let (buckets, device, renewed) =
                (Arc::clone(&buckets), device.clone(), renewed.clone());
            let (tokens, code) = (Arc::clone(&tokens), code.clone());
            async move {
                let open = |sealed: &[u8]| tokens.seal().open(user, sealed);
                let begun = match second_factor::check(txn, user, code.as_deref(), open, now).await
                {
                    // The password was right, so this was no attempt; that has to be committed.
                    Err(entity::Error::Access(AccessError::CodeRequired)) => None,
                    checked => {
                        checked?;
                        if let Some((old, new)) = renewed {
                            user::renew_hash(txn, user, old, new).await?;
                        }
                        Some(session::begin(txn, user, &device, now).await?)
                    }
                };
                throttle::give_back(txn, &buckets).await?;
                Ok(begun)
            }
            .boxed()
        });
        match begun.await {
            Ok(Some(begun)) => LoginPayload::of(ctx, &begun, now).await,
            Ok(None) => refused(AccessError::CodeRequired.into()).map(LoginPayload::refused),
            Err(error) => refused(error).map(LoginPayload::refused),
        }
    }
}
