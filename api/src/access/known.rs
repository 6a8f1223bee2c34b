//! What a request is known by: a session, by its access token, or an API key.
//!
//! Invariant: what this process has committed counts at once, what another one has within a second.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use entity::access::secret::{Purpose, Secret};
use entity::access::{Viewer, api_key, user};
use entity::id::SessionId;
use futures::FutureExt;
use lru::LruCache;
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

/// For how long it counts who asked last by a bearer's text.
const FOR: Duration = Duration::from_secs(1);

/// How many are remembered at once.
const MOST: NonZeroUsize = NonZeroUsize::new(4096).expect("more than none");

/// Who has asked lately, so that somebody who asks a lot is not looked up each time.
#[derive(Debug)]
pub struct Lately(Mutex<LruCache<Box<str>, Seen>>);

#[derive(Clone, Debug)]
struct Seen {
    known: Known,
    /// What [`Db::writes`](entity::db::Db::writes) was before they were looked up.
    writes: u64,
    /// When, by the clock that tokens expire by, and by one that nobody sets.
    at: (DateTime<Utc>, Instant),
}

impl Default for Lately {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl Lately {
    /// Who asks with what stands behind `Bearer`, as [`known`] says, or has said within the last second if
    /// this process has written nothing since.
    ///
    /// # Errors
    /// The database.
    pub async fn known(&self, shared: &Shared, bearer: &str) -> Result<Option<Known>, DbErr> {
        let at = (shared.clock.now(), Instant::now());
        let writes = shared.db.writes();
        if let Some(seen) = self.seen(bearer)
            && seen.writes == writes
            && (at.0 - seen.at.0).abs().to_std().is_ok_and(|age| age < FOR)
            && at.1.duration_since(seen.at.1) < FOR
        {
            return Ok(Some(seen.known));
        }
        let known = known(shared, bearer).await?;
        if let Some(known) = &known {
            let seen = Seen { known: known.clone(), writes, at };
            self.0.lock().unwrap_or_else(PoisonError::into_inner).put(bearer.into(), seen);
        }
        Ok(known)
    }

    fn seen(&self, bearer: &str) -> Option<Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(bearer).cloned()
    }
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
