//! What every resolver works with: who asks, the database, the clock; and the one way to write.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use async_graphql::{Context, ContextBase, Guard, ID, InputType};
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use entity::access::audit::Origin;
use entity::access::{AccessError, Actor, Permission, Scope, Viewer};
use entity::automation::idempotency::{self, Request};
use entity::catalog::{Record, named};
use entity::clock::Clock;
use entity::customers::custom::CustomFields;
use entity::db::Db;
use entity::id::SessionId;
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::{DatabaseConnection, DatabaseTransaction};
use uuid::Uuid;
use worker::document::Documents;
use worker::feed::Signal;

use crate::access::hashing::Hashing;
use crate::access::token::Tokens;
use crate::error::{Fault, UserError, refused};
use crate::files::link::Links;
use crate::http::errors::Code;
use crate::http::request::RequestId;

/// What the process has, once.
#[derive(Clone)]
pub struct Shared {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Tells the relays that something was committed.
    pub signal: Signal,
    /// Access tokens.
    pub tokens: Arc<Tokens>,
    /// Where passwords are worked on.
    pub hashing: Hashing,
    /// Signed links to files.
    pub links: Links,
    /// The signed links that customers get.
    pub customer_links: worker::link::Links,
    /// The sentences of all languages.
    pub words: Documents,
}

/// What a request has: who asks, and how much is read for them.
#[derive(Default)]
pub struct Session {
    /// Who asks; nobody before logging in.
    pub viewer: Option<Viewer>,
    /// What they have shown to be known by, to ask again while they follow something.
    pub credentials: HeaderMap,
    /// The custom fields, once something asks for them.
    pub custom: CustomFields,
    /// The session by which they are known.
    pub login: Option<SessionId>,
    /// What the program calls itself that asks.
    pub user_agent: Option<String>,
    /// Counts the statements that read records.
    pub statements: AtomicUsize,
}

/// What resolvers ask of the request's context.
pub trait Ask {
    /// What the process has.
    fn shared(&self) -> &Shared;

    /// The pool, for reading.
    fn reader(&self) -> &DatabaseConnection {
        self.shared().db.reader()
    }

    /// The time.
    fn now(&self) -> DateTime<Utc> {
        self.shared().clock.now()
    }

    /// Who asks.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    fn viewer(&self) -> Result<Viewer, Fault>;

    /// The session by which they are known.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    fn session(&self) -> Result<SessionId, Fault>;

    /// What the audit log says of the changes that `actor` makes by this request.
    fn origin(&self, actor: Actor, now: DateTime<Utc>) -> Origin;
}

impl<T> Ask for ContextBase<'_, T> {
    fn shared(&self) -> &Shared {
        self.data_unchecked()
    }

    fn viewer(&self) -> Result<Viewer, Fault> {
        self.data_opt::<Session>().and_then(|session| session.viewer.clone()).ok_or_else(|| {
            let message = "log in first: send `Authorization: Bearer` with the token from `login`";
            Fault::coded(Code::Unauthenticated, message)
        })
    }

    fn session(&self) -> Result<SessionId, Fault> {
        self.viewer()?;
        self.data_opt::<Session>().and_then(|session| session.login).ok_or_else(|| {
            let message = "only somebody who has logged in may do this; log in with a password";
            Fault::coded(Code::Forbidden, message)
        })
    }

    fn origin(&self, actor: Actor, now: DateTime<Utc>) -> Origin {
        let origin = Origin::new(actor, now);
        match self.data_opt::<RequestId>() {
            Some(request) => origin.in_request(request.as_str()),
            None => origin,
        }
    }
}

/// What it takes to go on after the request: the process, and what the viewer is known by.
pub struct Follow {
    /// What the process has.
    pub shared: Shared,
    credentials: HeaderMap,
}

impl Follow {
    /// Of the request's viewer.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    pub fn of(ctx: &Context<'_>) -> Result<Self, Fault> {
        ctx.viewer()?;
        let credentials = ctx.data_unchecked::<Session>().credentials.clone();
        Ok(Self { shared: ctx.shared().clone(), credentials })
    }

    /// Who the viewer is right now, with the rights that they have right now.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` once what they are known by is not good any more.
    pub async fn viewer(&self) -> Result<Viewer, Fault> {
        let viewer = crate::serve::viewer(&self.shared, &self.credentials).await;
        let viewer = viewer.map_err(|failure| Fault::coded(failure.code(), failure.message()))?;
        viewer.ok_or_else(|| Fault::coded(Code::Unauthenticated, "log in again"))
    }
}

/// Lets only those pass who have the permission.
pub struct Can(pub Permission);

impl Guard for Can {
    async fn check(&self, ctx: &Context<'_>) -> async_graphql::Result<()> {
        if ctx.viewer()?.may(self.0) {
            return Ok(());
        }
        Err(Fault::forbidden().into())
    }
}

/// Lets only those pass who have the permission with all records.
pub struct CanAll(pub Permission);

impl Guard for CanAll {
    async fn check(&self, ctx: &Context<'_>) -> async_graphql::Result<()> {
        match ctx.viewer()?.scope(self.0) {
            Scope::All => return Ok(()),
            Scope::None => return Err(Fault::forbidden().into()),
            Scope::Own | Scope::Team => {}
        }
        let message =
            "this takes a role that reaches all records; an administrator can change yours";
        Err(Fault::coded(Code::Forbidden, message).into())
    }
}

/// Lets only those pass who have logged in. What takes no permission, as it is the user's own, is nothing
/// that an API key could be for.
pub struct LoggedIn;

impl Guard for LoggedIn {
    async fn check(&self, ctx: &Context<'_>) -> async_graphql::Result<()> {
        ctx.session()?;
        Ok(())
    }
}

/// A request that may be repeated: its key, its name, and what it was asked with.
pub struct Once<'a> {
    key: Option<&'a str>,
    operation: &'static str,
    input: serde_json::Value,
    touched: Vec<Touched>,
}

/// A record that a request changes something about.
#[derive(Clone, Copy)]
struct Touched {
    permission: Permission,
    record: &'static Record,
    id: Uuid,
    path: &'static [&'static str],
}

impl<'a> Once<'a> {
    /// `operation` with `input`, under `key` if the caller gave one.
    pub fn new(key: Option<&'a str>, operation: &'static str, input: &impl InputType) -> Self {
        let input = input.to_value().into_json().unwrap_or_default();
        Self { key, operation, input, touched: Vec::new() }
    }

    /// The same request, which only those may make who have the permission with the record whose id is the
    /// argument at `path`.
    #[must_use]
    pub fn within(
        mut self,
        permission: Permission,
        id: &ID,
        path: &'static [&'static str],
    ) -> Self {
        // What names nothing is refused where it is parsed.
        let touched = named(id).map(|(record, id)| Touched { permission, record, id, path });
        self.touched.extend(touched);
        self
    }

    /// The same request about the record `id`.
    #[must_use]
    pub fn about(self, id: &ID) -> Self {
        Self { input: serde_json::json!([id.as_str(), self.input]), ..self }
    }
}

/// Carries out `work` in one transaction, once per key, and wakes whoever has to do something about
/// it. Gives the id of the record that came of it; a repeated key gives the id of the first time.
///
/// # Errors
/// A fault at the outside; what the user can solve within.
pub async fn write<W>(
    ctx: &Context<'_>,
    once: Once<'_>,
    work: W,
) -> Result<Result<Uuid, Vec<UserError>>, Fault>
where
    W: for<'c> Fn(
            &'c DatabaseTransaction,
            Actor,
            DateTime<Utc>,
        ) -> BoxFuture<'c, Result<Uuid, entity::Error>>
        + Send
        + Sync
        + 'static,
{
    let viewer = ctx.viewer()?;
    let shared = ctx.shared();
    let now = shared.clock.now();
    let touched: Arc<[Touched]> = once.touched.into();
    let request = match once.key {
        None => None,
        Some(key) => match Request::new(viewer.user, key, once.operation, &once.input) {
            Ok(request) => Some(Arc::new(request)),
            Err(error) => return refused(error.into()).map(Err),
        },
    };
    let work = Arc::new(work);
    let origin = ctx.origin(Actor::from(&viewer), now);
    let outcome = shared.db.write_as(&origin, |txn| {
        let (request, work) = (request.clone(), Arc::clone(&work));
        let (viewer, touched) = (viewer.clone(), Arc::clone(&touched));
        async move {
            let actor = Actor::from(&viewer);
            for Touched { permission, record, id, .. } in touched.iter() {
                record.ensure(txn, &viewer, *permission, *id).await?;
            }
            let Some(request) = request else { return work(txn, actor, now).await };
            if let Some(earlier) = idempotency::claim(txn, &request, now).await? {
                return Ok(earlier);
            }
            let id = work(txn, actor, now).await?;
            idempotency::settle(txn, &request, id).await?;
            Ok(id)
        }
        .boxed()
    });
    let outcome = outcome.await;
    match outcome {
        Ok(id) => {
            shared.signal.raise();
            Ok(Ok(id))
        }
        Err(error) => {
            let is_about = |touched: &Touched| match &error {
                entity::Error::NoSuch { kind, at: [] } => touched.record.name == *kind,
                entity::Error::Access(AccessError::Forbidden) => true,
                _ => false,
            };
            let touched = touched.first().filter(|only| touched.len() == 1 && is_about(only));
            let mut refused = refused(error)?;
            if let (Some(touched), [only]) = (touched, refused.as_mut_slice()) {
                only.field = Some(touched.path.iter().map(|&step| step.to_owned()).collect());
            }
            Ok(Err(refused))
        }
    }
}
