//! Logging in with address and password.

use std::sync::LazyLock;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::access::user;
use tokio::sync::Semaphore;

use super::token::LIFETIME;
use crate::context::Ask;
use crate::error::{Fault, UserError, refused};
use crate::http::errors::Code;
use crate::read::Fetched;

/// How many passwords are checked at once: each takes 19 MiB and tens of milliseconds of a core, and
/// the others must not notice.
static CHECKS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));

/// Works on a password beside what else there is to do.
///
/// # Errors
/// The server is stopping.
pub(super) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    let unavailable = || Fault::coded(Code::Overloaded, "the server is stopping; try again");
    let _turn = CHECKS.acquire().await.map_err(|_| unavailable())?;
    tokio::task::spawn_blocking(work).await.map_err(|_| unavailable())
}

/// What a user logs in with.
#[derive(InputObject)]
pub struct LoginInput {
    /// The user's e-mail address.
    pub email: String,
    /// Their password.
    #[graphql(secret)]
    pub password: String,
}

/// What came of logging in.
#[derive(SimpleObject)]
pub struct LoginPayload {
    /// To be sent as `Authorization: Bearer …`; null when logging in was refused.
    pub access_token: Option<String>,
    /// Until when the token is good; null when logging in was refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// Who logged in; null when logging in was refused.
    pub user: Fetched<user::Entity>,
    /// Why it was refused; empty on success.
    pub user_errors: Vec<UserError>,
}

/// Logging in.
#[derive(Default)]
pub struct LoginMutation;

/// Logging in.
#[Object]
impl LoginMutation {
    /// Gives an access token for an address and a password. Whether the address or the password is
    /// wrong, the answer is the same. The only mutation that needs no token.
    #[graphql(complexity = "50")]
    async fn login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Address and password.")] input: LoginInput,
    ) -> Result<LoginPayload, Fault> {
        let found = user::by_email(ctx.reader(), &input.email).await?;
        let checked =
            on_a_thread(move || user::authenticate(found.as_ref(), &input.password)).await?;
        let now = ctx.now();
        let viewer = match checked {
            Ok(user) => user::viewer(ctx.reader(), user, now).await?,
            Err(error) => {
                let user_errors = refused(error.into())?;
                return Ok(LoginPayload {
                    access_token: None,
                    expires_at: None,
                    user: Fetched::nothing(),
                    user_errors,
                });
            }
        };
        let viewer = viewer.ok_or_else(|| Fault::coded(Code::Unauthenticated, "log in again"))?;
        Ok(LoginPayload {
            access_token: ctx.shared().tokens.issue(viewer.user, now),
            expires_at: Some(now + LIFETIME),
            user: Fetched::seen_by(viewer.clone(), viewer.user),
            user_errors: Vec::new(),
        })
    }
}
