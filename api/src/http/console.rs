//! The pages for developers, outside production: our own console at `/`, which needs no internet, and the
//! well-known one at `/graphiql`, which loads itself from unpkg.com.
//!
//! Invariant: the console runs no code and loads nothing but its own files.

use async_graphql::http::GraphiQLSource;
use axum::Router;
use axum::http::HeaderName;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::Html;
use axum::routing::get;
use serde::Serialize;

const OWN: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                   img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const WITH_UNPKG: &str = "default-src 'none'; script-src 'unsafe-inline' https://unpkg.com; \
                          style-src 'unsafe-inline' https://unpkg.com; font-src data: https://unpkg.com; \
                          img-src data: https://graphql.org; connect-src 'self'; worker-src blob:; \
                          base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// What the console offers to begin with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Offer {
    /// How to sign in, if there is a way.
    pub login: Option<Login>,
    /// Requests to try; the first is shown at once.
    pub examples: Vec<Example>,
}

/// How to sign in, and to go on: mutations whose payloads have `accessToken`, `refreshToken` and `userErrors`
/// with a `code`.
#[derive(Clone, Debug, Serialize)]
pub struct Login {
    /// The mutation that begins a session, with one variable per field.
    pub query: String,
    /// The variables and what is in them to begin with: the demo's user.
    pub fields: std::collections::BTreeMap<String, String>,
    /// The mutation that goes on with it, by the variable `refreshToken`.
    pub refresh: String,
}

/// A request to try.
#[derive(Clone, Debug, Serialize)]
pub struct Example {
    /// A few words for the list.
    pub title: String,
    /// A sentence on what it shows.
    pub about: String,
    /// The document.
    pub query: String,
    /// Its variables, if it has any.
    pub variables: Option<serde_json::Value>,
}

/// `/` and `/graphiql`.
///
/// # Errors
/// If the offer cannot be written as JSON.
pub fn router(offer: &Offer) -> Result<Router, serde_json::Error> {
    let offer = serde_json::to_string(offer)?;
    let graphiql = GraphiQLSource::build()
        .endpoint("/graphql")
        .subscription_endpoint("/graphql/ws")
        .title("Rapport GraphiQL")
        .finish();
    let page = |policy: &'static str, text: String| {
        get(move || async move { ([(CONTENT_SECURITY_POLICY, policy)], Html(text)) })
    };
    let file = |kind: &'static str, text: String| {
        let kind: [(HeaderName, &str); 1] = [(CONTENT_TYPE, kind)];
        get(move || async move { (kind, text) })
    };
    Ok(Router::new()
        .route("/", page(OWN, include_str!("console/page.html").to_owned()))
        .route("/console/style.css", file("text/css", include_str!("console/style.css").to_owned()))
        .route("/console/app.mjs", file(SCRIPT, include_str!("console/app.mjs").to_owned()))
        .route("/console/session.mjs", file(SCRIPT, include_str!("console/session.mjs").to_owned()))
        .route("/console/examples.json", file("application/json", offer))
        .route("/graphiql", page(WITH_UNPKG, graphiql)))
}
