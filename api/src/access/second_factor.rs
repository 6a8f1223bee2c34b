//! Second factors: codes that a device shows.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::access::throttle::{self, Attempt};
use entity::access::{Permission, organisation, second_factor, user};
use futures::FutureExt;
use sea_orm::EntityTrait;

use super::attempt::{buckets, count};
use super::hashing::enter;
use super::user::{UpdateUserPayload, manage};
use crate::context::{Ask, Can, LoggedIn, Once};
use crate::error::{Fault, UserError, refused};
use crate::http::errors::Code;

/// The user's second factor.
#[derive(SimpleObject)]
pub struct SecondFactor {
    /// Since when it counts.
    pub confirmed_at: DateTime<Utc>,
    /// How many recovery codes are left; without any, and without the device, nobody gets in.
    pub recovery_codes_left: i32,
}

/// What a device is told, and what came of asking.
#[derive(SimpleObject, Default)]
pub struct StartTotpPayload {
    /// The secret in base 32, to be typed in; null when it was refused.
    pub secret: Option<String>,
    /// `otpauth://totp/…`, to be shown as a QR code; null when it was refused.
    pub url: Option<String>,
    /// Why it was refused; empty on success.
    pub user_errors: Vec<UserError>,
}

/// What came of letting a second factor count.
#[derive(SimpleObject)]
pub struct ConfirmTotpPayload {
    /// Ten codes that open once each when the device is lost. They are shown now and never again; null
    /// when it was refused.
    pub recovery_codes: Option<Vec<String>>,
    /// Why it was refused; empty on success.
    pub user_errors: Vec<UserError>,
}

/// What came of taking a second factor away.
#[derive(SimpleObject)]
pub struct DisableTotpPayload {
    /// Whether it is gone.
    pub disabled: bool,
    /// Why not; empty on success.
    pub user_errors: Vec<UserError>,
}

/// Reading second factors.
#[derive(Default)]
pub struct SecondFactorQuery;

/// Reading second factors.
#[Object]
impl SecondFactorQuery {
    /// The user's second factor; null when none counts.
    async fn second_factor(&self, ctx: &Context<'_>) -> Result<Option<SecondFactor>, Fault> {
        let user = ctx.viewer()?.user;
        let Some(row) = second_factor::confirmed(ctx.reader(), user).await? else {
            return Ok(None);
        };
        let left = second_factor::left(ctx.reader(), user).await?;
        Ok(row.confirmed_at.map(|confirmed_at| SecondFactor {
            confirmed_at,
            recovery_codes_left: i32::try_from(left).unwrap_or(i32::MAX),
        }))
    }
}

/// Second factors.
#[derive(Default)]
pub struct SecondFactorMutation;

/// Second factors.
#[Object]
impl SecondFactorMutation {
    /// Makes a secret for an app that shows codes (TOTP, RFC 6238). It counts once `confirmTotp` has got a
    /// code of it; until then it can be made again.
    async fn start_totp(&self, ctx: &Context<'_>) -> Result<StartTotpPayload, Fault> {
        ctx.session()?;
        let (user, now) = (ctx.viewer()?.user, ctx.now());
        let row = user::Entity::find_by_id(user).one(ctx.reader()).await?;
        let account = row.map(|user| user.email).unwrap_or_default();
        let issuer = match organisation::get(ctx.reader()).await {
            Ok(organisation) => organisation.name,
            Err(error) => return refused(error).map(StartTotpPayload::refused),
        };
        let secret = rand::random::<[u8; second_factor::SECRET_LENGTH]>();
        let told = match second_factor::enrolment(&secret, &issuer, &account) {
            Ok(told) => told,
            Err(error) => return refused(error).map(StartTotpPayload::refused),
        };
        let sealed = ctx.shared().tokens.seal().seal(user, &secret);
        let sealed =
            sealed.ok_or_else(|| Fault::coded(Code::Internal, "a secret cannot be sealed"))?;
        let started = ctx.shared().db.write(move |txn| {
            let sealed = sealed.clone();
            async move { second_factor::start(txn, user, sealed, now).await }.boxed()
        });
        match started.await {
            Ok(()) => Ok(StartTotpPayload {
                secret: Some(told.secret),
                url: Some(told.url),
                user_errors: Vec::new(),
            }),
            Err(error) => refused(error).map(StartTotpPayload::refused),
        }
    }

    /// Lets the second factor count from now on, by a code of it. From then on `login` needs one, too.
    async fn confirm_totp(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The six digits that the app shows.", secret)] code: String,
    ) -> Result<ConfirmTotpPayload, Fault> {
        ctx.session()?;
        let (user, now) = (ctx.viewer()?.user, ctx.now());
        let tokens = Arc::clone(&ctx.shared().tokens);
        let confirmed = ctx.shared().db.write(move |txn| {
            let (code, tokens) = (code.clone(), Arc::clone(&tokens));
            async move {
                let open = |sealed: &[u8]| tokens.seal().open(user, sealed);
                second_factor::confirm(txn, user, code.trim(), open, now).await
            }
            .boxed()
        });
        Ok(match confirmed.await {
            Ok(codes) => {
                ConfirmTotpPayload { recovery_codes: Some(codes), user_errors: Vec::new() }
            }
            Err(error) => ConfirmTotpPayload { recovery_codes: None, user_errors: refused(error)? },
        })
    }

    /// Takes the second factor away, with its recovery codes. Wrong passwords count like those of `login`.
    #[graphql(complexity = "50")]
    async fn disable_totp(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's password.", secret)] password: String,
    ) -> Result<DisableTotpPayload, Fault> {
        ctx.session()?;
        let place = enter(ctx)?;
        let user = ctx.viewer()?.user;
        let row = user::Entity::find_by_id(user).one(ctx.reader()).await?;
        let email = row.as_ref().map_or("", |user| &user.email);
        let buckets = buckets(ctx, Attempt::Login, email);
        if let Some(errors) = count(ctx, &buckets).await? {
            return Ok(DisableTotpPayload { disabled: false, user_errors: errors });
        }
        let checked = place.work(move || user::authenticate(row.as_ref(), &password)).await?;
        if let Err(error) = checked {
            let user_errors = refused(error.into())?;
            return Ok(DisableTotpPayload { disabled: false, user_errors });
        }
        let removed = ctx.shared().db.write(move |txn| {
            let buckets = buckets.clone();
            async move {
                second_factor::remove(txn, user).await?;
                throttle::give_back(txn, &buckets).await
            }
            .boxed()
        });
        Ok(match removed.await {
            Ok(()) => DisableTotpPayload { disabled: true, user_errors: Vec::new() },
            Err(error) => DisableTotpPayload { disabled: false, user_errors: refused(error)? },
        })
    }

    /// Takes away the second factor of another user, who has lost their device. Their sessions end, and
    /// they are told of it. The audit log notes who did it. This is for administrators who have logged in,
    /// not for API keys.
    #[graphql(guard = "Can(Permission::ManageUsers).and(LoggedIn)")]
    async fn reset_second_factor(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's id.")] user_id: ID,
    ) -> Result<UpdateUserPayload, Fault> {
        let once = Once::new(None, "resetSecondFactor", &user_id);
        let outcome = manage(ctx, once, &user_id, |txn, id, actor, now| {
            second_factor::reset(txn, id, actor, now).boxed()
        });
        outcome.await.map(UpdateUserPayload::from)
    }
}

impl StartTotpPayload {
    fn refused(user_errors: Vec<UserError>) -> Self {
        Self { user_errors, ..Self::default() }
    }
}
