//! Changing passwords, and choosing new ones by mail.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use entity::access::secret::{Purpose, Secret};
use entity::access::session::{self, Ending};
use entity::access::throttle::{self, Attempt, Bucket};
use entity::access::{AccessError, Actor, api_key, password, password_reset, user};
use futures::FutureExt;
use sea_orm::EntityTrait;

use super::attempt::{buckets, count};
use super::hashing::enter;
use crate::context::Ask;
use crate::error::{Fault, UserError, refused};

/// A new password.
#[derive(InputObject)]
pub struct ChangePasswordInput {
    /// The password that holds now.
    #[graphql(secret)]
    pub current_password: String,
    /// The one that is to hold: at least twelve characters.
    #[graphql(secret)]
    pub password: String,
    /// Whether the user's API keys are revoked, too: whoever knew the old password may have made some.
    #[graphql(default = true)]
    pub revoke_api_keys: bool,
}

/// What came of changing a password.
#[derive(SimpleObject)]
pub struct ChangePasswordPayload {
    /// How many other sessions have ended; null when it was refused.
    pub ended_sessions: Option<i32>,
    /// Why nothing was changed; empty on success.
    pub user_errors: Vec<UserError>,
}

/// What came of asking for a mail.
#[derive(SimpleObject)]
pub struct RequestPasswordResetPayload {
    /// Whether the wish was noted. This does not say whether there is such a user.
    pub accepted: bool,
    /// Why it was not; empty on success.
    pub user_errors: Vec<UserError>,
}

/// A password for a token.
#[derive(InputObject)]
pub struct ResetPasswordInput {
    /// The token from the link in the mail.
    #[graphql(secret)]
    pub token: String,
    /// The password that is to hold: at least twelve characters.
    #[graphql(secret)]
    pub password: String,
}

/// What came of choosing a password.
#[derive(SimpleObject)]
pub struct ResetPasswordPayload {
    /// Whether the password holds now. To go on, log in with it.
    pub reset: bool,
    /// Why not; empty on success.
    pub user_errors: Vec<UserError>,
}

impl ChangePasswordPayload {
    fn refused(user_errors: Vec<UserError>) -> Self {
        Self { ended_sessions: None, user_errors }
    }
}

/// Changing passwords.
#[derive(Default)]
pub struct PasswordMutation;

/// Changing passwords.
#[Object]
impl PasswordMutation {
    /// Gives the user another password, and ends all their sessions but this one, and revokes their API
    /// keys unless they are to stay. Wrong attempts count like those of `login`.
    #[graphql(complexity = "50")]
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The old password and the new one.")] input: ChangePasswordInput,
    ) -> Result<ChangePasswordPayload, Fault> {
        let (id, session) = (ctx.viewer()?.user, ctx.session()?);
        let place = enter(ctx)?;
        let user = user::Entity::find_by_id(id).one(ctx.reader()).await?;
        let email = user.as_ref().map_or("", |user| &user.email);
        let buckets = buckets(ctx, Attempt::Login, email);
        if let Some(errors) = count(ctx, &buckets).await? {
            return Ok(ChangePasswordPayload::refused(errors));
        }
        let ChangePasswordInput { current_password, password, revoke_api_keys } = input;
        let hashed = place.work(move || {
            user::authenticate(user.as_ref(), &current_password)?;
            password::hash(&password)
        });
        let hash = match hashed.await? {
            Ok(hash) => hash,
            Err(error) => return refused(error.into()).map(ChangePasswordPayload::refused),
        };
        let now = ctx.now();
        let origin = ctx.origin(Actor::User(id), now);
        let changed = ctx.shared().db.write_as(&origin, move |txn| {
            let (hash, buckets) = (hash.clone(), buckets.clone());
            async move {
                user::set_password(txn, id, hash, Actor::User(id), now).await?;
                if revoke_api_keys {
                    api_key::revoke_all(txn, id, now).await?;
                }
                let kept = Some(session);
                let ended = session::end_all(txn, id, kept, Ending::PasswordChanged, now).await?;
                throttle::give_back(txn, &buckets).await?;
                Ok(ended)
            }
            .boxed()
        });
        match changed.await {
            Ok(ended) => Ok(ChangePasswordPayload {
                ended_sessions: Some(i32::try_from(ended).unwrap_or(i32::MAX)),
                user_errors: Vec::new(),
            }),
            Err(error) => refused(error).map(ChangePasswordPayload::refused),
        }
    }

    /// Sends a mail with a link for choosing a new password, if a user has the address. The answer is the
    /// same if none has. Needs no token.
    #[graphql(complexity = "50")]
    async fn request_password_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's e-mail address.")] email: String,
    ) -> Result<RequestPasswordResetPayload, Fault> {
        let email = email.trim().to_lowercase();
        let buckets = buckets(ctx, Attempt::ResetRequest, &email);
        if let Some(user_errors) = count(ctx, &buckets).await? {
            return Ok(RequestPasswordResetPayload { accepted: false, user_errors });
        }
        let now = ctx.now();
        let noted = ctx.shared().db.write(move |txn| {
            let email = email.clone();
            async move { password_reset::request(txn, &email, now).await }.boxed()
        });
        Ok(match noted.await {
            Ok(()) => {
                ctx.shared().signal.raise();
                RequestPasswordResetPayload { accepted: true, user_errors: Vec::new() }
            }
            Err(error) => {
                RequestPasswordResetPayload { accepted: false, user_errors: refused(error)? }
            }
        })
    }

    /// Gives the user that a token was sent to another password, ends all their sessions and revokes all
    /// their API keys. A token works once, and for half an hour. Needs no access token.
    #[graphql(complexity = "50")]
    async fn reset_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token and the password.")] input: ResetPasswordInput,
    ) -> Result<ResetPasswordPayload, Fault> {
        let ResetPasswordInput { token, password } = input;
        let user_errors = choose(ctx, Purpose::Reset, &token, password).await?;
        Ok(ResetPasswordPayload { reset: user_errors.is_empty(), user_errors })
    }
}

/// Gives the user that a token was sent to the password. Says why not, otherwise.
///
/// # Errors
/// `OVERLOADED`, or the database.
pub(super) async fn choose(
    ctx: &Context<'_>,
    purpose: Purpose,
    token: &str,
    password: String,
) -> Result<Vec<UserError>, Fault> {
    let place = enter(ctx)?;
    let buckets = buckets(ctx, Attempt::Reset, token);
    if let Some(errors) = count(ctx, &buckets).await? {
        return Ok(errors);
    }
    let now = ctx.now();
    let Some(token) = Secret::parse(purpose, token) else {
        return refused(AccessError::InvalidToken.into());
    };
    // Nobody without a good token gets a password hashed.
    let id = match password_reset::check(ctx.reader(), &token, now).await {
        Ok(id) => id,
        Err(error) => return refused(error),
    };
    let hash = match place.work(move || password::hash(&password)).await? {
        Ok(hash) => hash,
        Err(error) => return refused(error.into()),
    };
    let origin = ctx.origin(Actor::User(id), now);
    let redeemed = ctx.shared().db.write_as(&origin, move |txn| {
        let (token, hash, buckets) = (token.clone(), hash.clone(), buckets.clone());
        async move {
            let user = password_reset::redeem(txn, &token, hash, now).await?;
            // Whoever was locked out by somebody else's attempts gets in again.
            throttle::fill(txn, &Bucket::account(Attempt::Login, &user.email)).await?;
            throttle::give_back(txn, &buckets).await
        }
        .boxed()
    });
    match redeemed.await {
        Ok(()) => Ok(Vec::new()),
        Err(error) => refused(error),
    }
}
