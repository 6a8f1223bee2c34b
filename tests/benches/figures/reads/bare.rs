//! What reads through GraphQL are measured against: a handler written by hand for these answers, in
//! which PostgreSQL writes the whole JSON by one statement. It lets everybody in.
//!
//! Invariant: its answers are those of Rapport, through a pool of the same size and settings.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use entity::db::Db;
use entity::id::{CustomerId, Id};
use sea_orm::sqlx::{self, PgPool};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::figure::Failure;
use crate::house::{CONNECTIONS, House, Rapport};

/// Where the nested list is.
pub const NESTED: &str = "/customers";
/// Where one customer is.
pub const ONE: &str = "/customer";
/// Where the filtered list is.
pub const FILTERED: &str = "/customers/filtered";

/// A customer with what belongs to it; the customer is in `page`.
const WHOLE: &str = r#"
  outward AS id, display_name AS "displayName", stage, email,
  (SELECT COALESCE(json_agg(row_to_json(row)), '[]') FROM (
    SELECT outward AS id, name, email, billing FROM contact
    WHERE contact.customer_id = page.id ORDER BY contact.id
  ) AS row) AS contacts,
  (SELECT json_build_object('nodes', COALESCE(json_agg(row_to_json(row)), '[]')) FROM (
    SELECT outward AS id, number, due_on AS "dueOn",
      json_build_object('amount', total::text, 'currency', currency) AS total,
      json_build_object('amount', (total - paid - credited)::text) AS open
    FROM invoice WHERE invoice.customer_id = page.id AND state = 'OPEN'
    ORDER BY due_on, invoice.id LIMIT 10
  ) AS row) AS invoices,
  (SELECT json_build_object('nodes', COALESCE(json_agg(row_to_json(row)), '[]')) FROM (
    SELECT outward AS id, received_on AS "receivedOn",
      json_build_object('amount', amount::text, 'currency', currency) AS amount
    FROM payment WHERE payment.customer_id = page.id
    ORDER BY received_on DESC, payment.id DESC LIMIT 10
  ) AS row) AS payments"#;

/// Its statements.
struct Statements {
    nested: String,
    one: String,
    filtered: &'static str,
}

impl Statements {
    fn new() -> Self {
        let nested = format!(
            "SELECT json_agg(row_to_json(row))::text FROM (SELECT {WHOLE} FROM (
               SELECT * FROM customer WHERE deleted_at IS NULL ORDER BY display_name, id LIMIT 50
             ) AS page ORDER BY display_name, page.id) AS row"
        );
        let one = format!(
            "SELECT row_to_json(row)::text FROM (SELECT {WHOLE} FROM customer AS page WHERE id = $1)
             AS row"
        );
        let filtered = r#"
SELECT COALESCE(json_agg(row_to_json(row)), '[]')::text FROM (
  SELECT outward AS id, number, display_name AS "displayName", email FROM customer
  WHERE deleted_at IS NULL AND stage = $1 AND preferred_channel = 'EMAIL'
  ORDER BY display_name, customer.id LIMIT 20
) AS row"#;
        Self { nested, one, filtered }
    }
}

#[derive(Clone)]
struct Handler {
    pool: PgPool,
    statements: Arc<Statements>,
}

/// The running handler. It ends with it.
pub struct Bare {
    /// Host and port.
    pub address: String,
    _running: DropGuard,
}

#[derive(Deserialize)]
struct One {
    id: String,
}

#[derive(Deserialize)]
struct Filtered {
    stage: String,
}

impl Bare {
    /// Serves what is in Rapport's database.
    pub async fn serve(house: &House, rapport: &Rapport) -> Result<Self, Failure> {
        let connections = u32::try_from(CONNECTIONS)?;
        let db = Db::connect(&house.postgres.url_of(&rapport.name), connections).await?;
        let pool = db.reader().get_postgres_connection_pool().clone();
        let handler = Handler { pool, statements: Arc::new(Statements::new()) };
        let routes = Router::new()
            .route(NESTED, post(nested))
            .route(ONE, post(one))
            .route(FILTERED, post(filtered))
            .with_state(handler);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(axum::serve(listener, routes).with_graceful_shutdown(stopped).into_future());
        Ok(Self { address, _running: stop.drop_guard() })
    }
}

async fn nested(State(handler): State<Handler>) -> Response {
    let statement = sqlx::query_scalar(sqlx::AssertSqlSafe(handler.statements.nested.clone()));
    let nodes: Result<String, _> = statement.fetch_one(&handler.pool).await;
    answer(nodes, r#"{"data":{"customers":{"nodes":"#, "}}}")
}

async fn one(State(handler): State<Handler>, Json(asked): Json<One>) -> Response {
    let Some(id) = CustomerId::parse(&asked.id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let statement = sqlx::query_scalar(sqlx::AssertSqlSafe(handler.statements.one.clone()));
    let customer: Result<String, _> = statement.bind(id.0).fetch_one(&handler.pool).await;
    answer(customer, r#"{"data":{"customer":"#, "}}")
}

async fn filtered(State(handler): State<Handler>, Json(asked): Json<Filtered>) -> Response {
    let statement = sqlx::query_scalar(handler.statements.filtered).bind(asked.stage);
    let nodes: Result<String, _> = statement.fetch_one(&handler.pool).await;
    answer(nodes, r#"{"data":{"customers":{"nodes":"#, "}}}")
}

fn answer(found: Result<String, sqlx::Error>, before: &str, after: &str) -> Response {
    match found {
        Ok(json) => {
            let body = [before, &json, after].concat();
            ([(CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
