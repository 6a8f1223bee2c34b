//! `rapport serve`: the schema behind HTTP, and in embedded mode the workers beside it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use entity::access::Viewer;
use entity::db::Db;
use metrics_exporter_prometheus::PrometheusHandle;
use object_store::ObjectStore;
use sea_orm::DbErr;
use uuid::Uuid;

use crate::access::known::{self, Known, Lately};
use crate::automation::workflow::hook;
use crate::collaboration::feed;
use crate::context::{Session, Shared};
use crate::files::{self, Files};
use crate::http::admission::Admission;
use crate::http::budget::Budget;
use crate::http::console::{Example, Login, Offer};
use crate::http::documents::Documents;
use crate::http::failure::Failure;
use crate::http::graphql::{Authenticate, Endpoint};
use crate::http::guard::{Library, Limits};
use crate::http::health::Checks;
use crate::http::request::{Observer, Peer};
use crate::http::server::Stop;
use crate::http::socket::{Origins, Rules};
use crate::http::{console, finish, headers, health, mailbox, socket};
use crate::marketing::unsubscribe;
use crate::pages::Pages;
use crate::schema::builder;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A user of the demonstration data, to log in with.
pub const DEMO_EMAIL: &str = "manager@rapport.example";
/// Their password.
pub const DEMO_PASSWORD: &str = "rapport-demo-2026";

/// What the routes are made of.
pub struct Parts {
    /// What the process has.
    pub shared: Shared,
    /// Where files are.
    pub files: Arc<dyn ObjectStore>,
    /// The figures.
    pub metrics: PrometheusHandle,
    /// How many proxies of our own stand before the server.
    pub proxies: usize,
    /// The origins that browsers may call from.
    pub cors_origins: Vec<String>,
    /// Requests at once.
    pub max_requests: usize,
    /// Which documents run.
    pub documents: Documents,
    /// What each account may ask for in a minute.
    pub budget: Budget,
    /// Whether the schema tells about itself.
    pub introspection: bool,
    /// What sockets keep to.
    pub sockets: Rules,
    /// What only developers see.
    pub development: Option<Development>,
}

/// What only developers see: the console at `/`, the mailbox at `/mail`, and text messages at `/sms`.
pub struct Development {
    /// Where mails become files, if they do.
    pub mailbox: Option<PathBuf>,
    /// Where text messages do.
    pub texts: Option<PathBuf>,
    /// Whether the demonstration's user is offered for logging in.
    pub demo: bool,
}

/// Why the routes cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// An origin in the configuration.
    #[error("CORS_ORIGINS")]
    Cors(#[from] headers::NotAnOrigin),
    /// The console's examples.
    #[error("the console's examples cannot be written as JSON")]
    Console(#[from] serde_json::Error),
    /// The mailbox's templates.
    #[error("the mailbox's templates are broken")]
    Mailbox(#[from] minijinja::Error),
}

/// Finds out who asks by `Authorization: Bearer`.
struct Access {
    shared: Shared,
    lately: Lately,
}

impl Authenticate for Access {
    type Viewer = Session;

    async fn authenticate(&self, headers: &HeaderMap, _: Peer) -> Result<Session, Failure> {
        let known = match bearer(headers)? {
            Some(bearer) => Some(told(self.lately.known(&self.shared, bearer).await)?),
            None => None,
        };
        let (viewer, login) = known.map(|known| (known.viewer, known.session)).unzip();
        let credentials = headers.get(AUTHORIZATION).into_iter();
        let credentials = credentials.map(|value| (AUTHORIZATION, value.clone())).collect();
        let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Session {
            viewer,
            login: login.flatten(),
            credentials,
            user_agent: user_agent.map(str::to_owned),
            ..Session::default()
        })
    }

    fn account(session: &Session) -> Option<Uuid> {
        session.viewer.as_ref().map(|viewer| viewer.user.into())
    }
}

/// Who asks right now; `None` when the request carries no token.
///
/// # Errors
/// A token that is not good, or a database that cannot tell.
pub async fn viewer(shared: &Shared, headers: &HeaderMap) -> Result<Option<Viewer>, Failure> {
    let Some(bearer) = bearer(headers)? else { return Ok(None) };
    Ok(Some(told(known::known(shared, bearer).await)?.viewer))
}

/// What stands behind `Authorization: Bearer`.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Failure> {
    let Some(header) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let text = header.to_str().map_err(|_| refused())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Failure::unauthenticated("Send the token as `Authorization: Bearer …`."));
    }
    Ok(Some(token.trim()))
}

/// Who asks, if that was found out.
fn told(found: Result<Option<Known>, DbErr>) -> Result<Known, Failure> {
    match found {
        Ok(known) => known.ok_or_else(refused),
        Err(error) => {
            tracing::warn!(%error, "nobody could be authenticated");
            Err(Failure::overloaded(Duration::from_secs(1)))
        }
    }
}

fn refused() -> Failure {
    Failure::unauthenticated("The token is not good (any more); log in again.")
}

/// All routes, and what stops them.
///
/// # Errors
/// [`RouteError`].
pub fn routes(parts: Parts) -> Result<(Router, Stop), RouteError> {
    let limits = Limits::default();
    let admission = Admission::new(parts.max_requests);
    let stop = Stop { running: admission.running().clone(), ..Stop::default() };
    let shared = parts.shared;
    let schema = builder(limits);
    let schema = match parts.introspection {
        true => schema,
        false => schema.disable_introspection().disable_suggestions(),
    };
    let executor = schema.data(shared.clone()).finish();
    let ready = readiness(shared.db.clone()).until(stop.asked.clone());
    let access = Access { shared: shared.clone(), lately: Lately::default() };
    let (documents, budget, timeout) = (parts.documents, parts.budget, TIMEOUT);
    let library = Library::default();
    let pages = Pages { shared: shared.clone(), budget: budget.clone() };
    let files = Files::new(parts.files, pages.clone());
    let endpoint =
        Endpoint { executor, access, documents, budget, library, limits, admission, timeout };
    let endpoint = Arc::new(endpoint);
    let origins = Origins::new(parts.cors_origins.iter().cloned());
    let sockets = socket::router(Arc::clone(&endpoint), origins, parts.sockets, stop.clone());
    let mut routes = endpoint
        .router()
        .merge(sockets)
        .merge(health::router(ready, parts.metrics))
        .merge(feed::router(shared.clone()))
        .merge(hook::router(shared.clone()))
        .merge(files::router(files))
        .merge(unsubscribe::router(pages));
    if let Some(development) = parts.development {
        routes = routes.merge(console::router(&offer(development.demo))?);
        if let Some(folder) = development.mailbox {
            routes = routes.merge(mailbox::router(folder)?);
        }
        if let Some(folder) = development.texts {
            routes = routes.merge(mailbox::texts::router(folder)?);
        }
    }
    let observer = Observer { clock: shared.clock, proxies: parts.proxies };
    let cors = headers::cors(parts.cors_origins.iter().map(String::as_str))?;
    Ok((finish(routes, observer, cors), stop))
}

fn readiness(db: Db) -> Checks {
    Checks::default().with("database", move || {
        let db = db.clone();
        async move { db.ping().await.map_err(|error| error.to_string()) }
    })
}

/// What the console offers to begin with.
fn offer(demo: bool) -> Offer {
    let fields = [
        ("email", if demo { DEMO_EMAIL } else { "" }),
        ("password", if demo { DEMO_PASSWORD } else { "" }),
    ];
    let example = |title: &str, about: &str, query: &str| Example {
        title: title.to_owned(),
        about: about.to_owned(),
        query: query.to_owned(),
        variables: None,
    };
    Offer {
        login: Some(Login {
            query: LOGIN.to_owned(),
            fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            refresh: REFRESH.to_owned(),
        }),
        examples: vec![
            example("Who owes what", "Overdue invoices, those due first first.", EXAMPLE_OPEN),
            example("Find a customer", "Without diacritics.", EXAMPLE_SEARCH),
            example("Did they get it?", "Every message, with its outcome.", EXAMPLE_MESSAGES),
        ],
    }
}

const LOGIN: &str = "mutation ($email: String!, $password: String!) {
  login(input: { email: $email, password: $password }) { accessToken refreshToken userErrors { code message } }
}";

const REFRESH: &str = "mutation ($refreshToken: String!) {
  refreshSession(refreshToken: $refreshToken) { accessToken refreshToken userErrors { code message } }
}";

/// The query that `rapport serve` prints to paste.
pub const EXAMPLE_OPEN: &str = "{
  invoices(first: 5, filter: { state: { eq: OPEN } }, orderBy: [{ field: DUE_ON }]) {
    totalCount
    nodes { number dueOn open { amount currency } customer { displayName balance { amount currency } } }
  }
}";

const EXAMPLE_SEARCH: &str = "{
  customers(filter: { search: \"nguyen\" }) {
    nodes { id displayName language balances { amount currency } }
  }
}";

const EXAMPLE_MESSAGES: &str = "{
  messages(last: 10) {
    nodes { state reason detail subject recipient settledAt customer { displayName } }
  }
}";
