//! The HTTP surface of `rapport serve`: everything between the socket and the schema.
//!
//! Invariant: nothing here knows a record of Rapport. The schema, who may ask and what is checked for readiness
//! are handed in.

pub mod admission;
mod answer;
pub mod budget;
mod complete;
pub mod console;
pub mod documents;
pub mod errors;
pub mod extension;
pub mod failure;
pub mod graphql;
pub mod guard;
pub mod headers;
pub mod health;
mod linger;
pub mod mailbox;
pub mod negotiate;
mod params;
pub mod request;
pub mod server;
pub mod socket;
pub mod store;
#[cfg(test)]
mod toy;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::cors::CorsLayer;

use errors::Code;
use failure::Failure;
use request::Observer;

/// Puts around all routes what every answer needs: an id, a log line, figures, safe headers, CORS for the
/// configured origins, and an error in GraphQL's form where there is no route.
pub fn finish(routes: Router, observer: Observer, cors: Option<CorsLayer>) -> Router {
    let routes = routes.fallback(async || {
        Failure::new(
            StatusCode::NOT_FOUND,
            Code::NotFound,
            "There is nothing here. The API is at /graphql.",
        )
    });
    let routes = match cors {
        Some(cors) => routes.layer(cors),
        None => routes,
    };
    routes.layer(from_fn(headers::secure)).layer(from_fn_with_state(observer, request::observe))
}
