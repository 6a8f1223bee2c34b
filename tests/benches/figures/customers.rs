//! The list that every screen of a frontend begins with: fifty customers, filtered and ordered,
//! each with what it owes.
//!
//! Invariant: the limit answers the same question with the same rows, through the same pool.

use std::time::Duration;

use entity::finance::import::Options;
use futures::FutureExt;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::ask_for;
use crate::figure::{Failure, Figure, Reading, Scale};
use crate::given::{import, receivables};
use crate::house::{CONNECTIONS, House, On, Rapport, Server};
use crate::pace::{Pace, side_by_side, together};

/// The figure.
pub const FIGURE: Figure = Figure {
    name: "customers list, 50 with balance",
    unit: "requests/s",
    limit: "one SQL statement with json_agg through the same pool, no HTTP",
    measure: |house, scale| run(house, scale).boxed_local(),
};

const LIST: &str = "{
  customers(first: 50, filter: { preferredChannel: { eq: EMAIL } }, orderBy: [{ field: DISPLAY_NAME }]) {
    nodes { id displayName email balance { amount currency } } } }";

const ROWS: &str = "
SELECT json_agg(json_build_object('id', id, 'displayName', display_name, 'email', email,
  'balance', json_build_object('amount', owed::text, 'currency', currency)))::text
FROM (
  SELECT id, display_name, email, currency, (
    SELECT COALESCE(SUM(amount), 0) FROM ledger_entry AS entry
    WHERE entry.customer_id = customer.id AND entry.currency = customer.currency
      AND entry.account IN ('RECEIVABLE', 'UNAPPLIED')
  ) AS owed
  FROM customer WHERE deleted_at IS NULL AND preferred_channel = 'EMAIL'
  ORDER BY display_name, id LIMIT 50
) AS page";

async fn run(house: &House, scale: Scale) -> Result<Reading, Failure> {
    let rapport = house.rapport(On::Production).await?;
    let file = receivables(scale.rows, false);
    import(&rapport, file.into_bytes(), Options::default()).await?;
    rapport.db.reader().execute_unprepared("ANALYZE").await?;
    let server = rapport.serve().await?;
    let reading = side_by_side(
        scale,
        async |turn| list(&server, turn).await,
        async |turn| select(&rapport, turn).await,
    )
    .await?;
    drop(server);
    rapport.end().await?;
    Ok(reading)
}

/// Through GraphQL.
async fn list(server: &Server, turn: Duration) -> Result<Pace, Failure> {
    ask_for(
        turn,
        server,
        LIST,
        || Some(json!({})),
        |data: &Value| match data["customers"]["nodes"].as_array().map(Vec::len) {
            Some(50) => Ok(()),
            other => Err(format!("a page of 50 has {other:?} customers").into()),
        },
    )
    .await
}

/// In plain SQL.
async fn select(rapport: &Rapport, turn: Duration) -> Result<Pace, Failure> {
    let until = Instant::now() + turn;
    together((0..CONNECTIONS).map(|_| {
        let db = rapport.db.clone();
        async move {
            let mut done = 0;
            while Instant::now() < until {
                // With values, even none, it is prepared once, as the statements of Rapport are.
                let rows = Statement::from_sql_and_values(DbBackend::Postgres, ROWS, []);
                let row = db.reader().query_one_raw(rows).await?.ok_or("no page")?;
                row.try_get_by_index::<String>(0)?;
                done += 1;
            }
            Ok(done)
        }
    }))
    .await
}
