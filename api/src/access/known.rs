//! What a request is known by: a session, by its access token, or an API key.

use entity::access::secret::{Purpose, Secret};
use entity::access::{Viewer, api_key, user};
use entity::id::SessionId;
use futures::FutureExt;
use sea_orm::DbErr;

use crate::context::Shared;

/// Who asks, and how that is known.
#[derive(Clone, Debug)]
pub struct Known {
    /// Who.
    pub viewer: Viewer,
    /// By which session; none for an API key.
    pub session: Option<SessionId>,
}

/// Who asks with what stands behind `Bearer`; `None` when it is not good, its session has ended, or its
/// user is gone or disabled.
///
/// # Errors
/// The database.
pub async fn known(shared: &Shared, bearer: &str) -> Result<Option<Known>, DbErr> {
    if let Some(secret) = Secret::parse(Purpose::ApiKey, bearer) {
        return by_key(shared, &secret).await;
    }
    let now = shared.clock.now();
    let Some((user, session)) = shared.tokens.check(bearer, now) else { return Ok(None) };
    let viewer = user::viewer_in(shared.db.reader(), user, session, now).await?;
    Ok(viewer.map(|viewer| Known { viewer, session: Some(session) }))
}

async fn by_key(shared: &Shared, secret: &Secret) -> Result<Option<Known>, DbErr> {
    let now = shared.clock.now();
    let Some(key) = api_key::find(shared.db.reader(), secret, now).await? else { return Ok(None) };
    let viewer = user::viewer(shared.db.reader(), key.user_id, now).await?;
    if viewer.is_some() && key.is_to_be_touched(now) {
        let touched = shared.db.write(|txn| api_key::touch(txn, key.id, now).boxed()).await;
        if let Err(error) = touched {
            tracing::warn!(%error, "it was not noted that an API key is used");
        }
    }
    let narrowed = viewer.map(|viewer| viewer.narrowed(&key.permissions()));
    Ok(narrowed.map(|viewer| Known { viewer, session: None }))
}
