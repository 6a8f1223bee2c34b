//! Calendars that other programs subscribe to.

use async_graphql::{Context, Object, SimpleObject};
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use entity::access::secret::{Purpose, Secret};
use entity::access::user;
use entity::collaboration::feed;
use futures::FutureExt;

use crate::context::{Ask, LoggedIn, Once, Shared, write};
use crate::error::{Fault, UserError};
use crate::http::errors::Code;
use crate::http::failure::Failure;
use crate::http::request::RequestId;

/// What an answer is.
const ABOUT: [(HeaderName, &str); 2] =
    [(CONTENT_TYPE, "text/calendar; charset=utf-8"), (CACHE_CONTROL, "private, max-age=300")];

/// The address of your calendar.
#[derive(SimpleObject)]
pub struct CreateCalendarFeedPayload {
    /// The path under which other programs find your calendar, to put after the address of this server. It is a secret
    /// and is told this once; null when it was refused.
    path: Option<String>,
    /// Why there is none; empty on success.
    user_errors: Vec<UserError>,
}

/// What came of taking the address of your calendar back.
#[derive(SimpleObject)]
pub struct RevokeCalendarFeedPayload {
    /// Whether it leads nowhere now.
    revoked: bool,
    /// Why it does not; empty on success.
    user_errors: Vec<UserError>,
}

/// Calendars that other programs subscribe to.
#[derive(Default)]
pub struct CalendarFeedMutation;

/// Calendars that other programs subscribe to.
#[Object]
impl CalendarFeedMutation {
    /// Gives your calendar an address that other programs subscribe to, in the form of iCalendar: what `calendar` shows you,
    /// without what you have declined. Whoever has it reads your calendar. An address before leads nowhere any more.
    #[graphql(guard = "LoggedIn")]
    async fn create_calendar_feed(
        &self,
        ctx: &Context<'_>,
    ) -> Result<CreateCalendarFeedPayload, Fault> {
        let user = ctx.viewer()?.user;
        let secret = Secret::new(Purpose::Calendar);
        let path = format!("/calendar/{}", secret.reveal());
        let once = Once::new(None, "createCalendarFeed", &true);
        let work = write(ctx, once, move |txn, _, now| {
            let secret = secret.clone();
            async move {
                feed::open(txn, user, &secret, now).await?;
                Ok(user.into())
            }
            .boxed()
        });
        Ok(match work.await? {
            Ok(_) => CreateCalendarFeedPayload { path: Some(path), user_errors: Vec::new() },
            Err(user_errors) => CreateCalendarFeedPayload { path: None, user_errors },
        })
    }

    /// Lets the address of your calendar lead nowhere. Doing so again changes nothing.
    #[graphql(guard = "LoggedIn")]
    async fn revoke_calendar_feed(
        &self,
        ctx: &Context<'_>,
    ) -> Result<RevokeCalendarFeedPayload, Fault> {
        let user = ctx.viewer()?.user;
        let once = Once::new(None, "revokeCalendarFeed", &true);
        let work = write(ctx, once, move |txn, _, _| {
            async move {
                feed::close(txn, user).await?;
                Ok(user.into())
            }
            .boxed()
        });
        let user_errors = work.await?.err().unwrap_or_default();
        Ok(RevokeCalendarFeedPayload { revoked: user_errors.is_empty(), user_errors })
    }
}

/// The route under which calendars are found.
pub fn router(shared: Shared) -> Router {
    Router::new().route("/calendar/{secret}", get(read)).with_state(shared)
}

async fn read(
    State(shared): State<Shared>,
    Path(secret): Path<String>,
    Extension(request): Extension<RequestId>,
) -> Result<Response, Failure> {
    let secret = Secret::parse(Purpose::Calendar, &secret).ok_or_else(not_found)?;
    let (db, now) = (shared.db.reader(), shared.clock.now());
    let fault = |error: &(dyn std::error::Error + 'static)| {
        tracing::error!(%error, request_id = request.as_str(), "a calendar could not be read");
        Failure::unavailable("Try again in a while.", std::time::Duration::from_secs(5))
    };
    let owner = feed::owner(db, &secret).await.map_err(|error| fault(&error))?;
    let owner = owner.ok_or_else(not_found)?;
    let viewer = user::viewer(db, owner, now).await.map_err(|error| fault(&error))?;
    let viewer = viewer.ok_or_else(not_found)?;
    let text = feed::text(db, &viewer, now).await.map_err(|error| fault(&error))?;
    Ok((StatusCode::OK, ABOUT, text).into_response())
}

fn not_found() -> Failure {
    let message = "There is no calendar at this address; ask its owner for a fresh one.";
    Failure::new(StatusCode::NOT_FOUND, Code::NotFound, message)
}
