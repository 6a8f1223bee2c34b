//! Finding: searched text with indexes that find parts of words, and indexes for the orders and the
//! counts of lists.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};

use crate::column::index;
use crate::fold::fold;
use crate::search;

/// Tables that get a searched text, and of which columns it is made.
const SEARCHED: [(&str, [&str; 3]); 3] = [
    ("contact", ["name", "email", "phone"]),
    ("invoice", ["number", "reference", "NULL"]),
    ("payment", ["reference", "NULL", "NULL"]),
];

/// Tables that have a searched text.
const SEARCHABLE: [&str; 4] = ["customer", "contact", "invoice", "payment"];

/// How many rows are folded at once.
const BATCH: usize = 5_000;

/// Indexes: their name, and what they are on. A column that may be null has its null key in front,
/// so that rows without a value stand together at one end and a page is still one range.
const INDEXES: [(&str, &str); 20] = [
    ("customer_display_name_live_idx", "customer (display_name, id) WHERE deleted_at IS NULL"),
    ("customer_created_at_live_idx", "customer (created_at, id) WHERE deleted_at IS NULL"),
    ("customer_updated_at_live_idx", "customer (updated_at, id) WHERE deleted_at IS NULL"),
    (
        "customer_number_last_idx",
        "customer ((number IS NULL), number, id) WHERE deleted_at IS NULL",
    ),
    (
        "customer_number_first_idx",
        "customer ((number IS NOT NULL), number, id) WHERE deleted_at IS NULL",
    ),
    ("customer_kind_live_idx", "customer (kind) WHERE deleted_at IS NULL"),
    ("customer_stage_live_idx", "customer (stage) WHERE deleted_at IS NULL"),
    ("customer_channel_live_idx", "customer (preferred_channel) WHERE deleted_at IS NULL"),
    ("customer_owner_live_idx", "customer (owner_id) WHERE deleted_at IS NULL"),
    ("customer_email_idx", "customer (lower(email))"),
    ("contact_email_idx", "contact (lower(email))"),
    ("invoice_total_id_idx", "invoice (total, id)"),
    ("invoice_created_at_id_idx", "invoice (created_at, id)"),
    ("invoice_state_due_on_id_idx", "invoice (state, due_on, id)"),
    ("payment_amount_id_idx", "payment (amount, id)"),
    ("payment_created_at_id_idx", "payment (created_at, id)"),
    ("payment_reference_idx", "payment (reference)"),
    ("message_created_at_id_idx", "message (created_at, id)"),
    ("message_due_at_id_idx", "message (due_at, id)"),
    ("message_recipient_idx", "message (recipient, id)"),
];

/// Indexes of the first days that the ones above do the work of.
const REPLACED: [(&str, &[&str]); 3] = [
    ("customer_display_name_id_idx", &["display_name", "id"]),
    ("customer_created_at_id_idx", &["created_at", "id"]),
    ("customer_owner_id_idx", &["owner_id"]),
];

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let postgres = manager.get_database_backend() == DbBackend::Postgres;
    if postgres {
        // A table of any size is folded and indexed in one step, however long that takes.
        db.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
    }
    for (table, columns) in SEARCHED {
        let column = text("search_text").default("").take();
        let add = Table::alter().table(table).add_column(column).to_owned();
        manager.alter_table(add).await?;
        backfill(manager, table, columns).await?;
    }
    if postgres {
        db.execute_unprepared("CREATE EXTENSION IF NOT EXISTS pg_trgm").await?;
    }
    for table in SEARCHABLE {
        search::index(manager, table).await?;
    }
    for (name, _) in REPLACED {
        manager.drop_index(Index::drop().name(name).table("customer").to_owned()).await?;
    }
    for (name, on) in INDEXES {
        db.execute_unprepared(&format!("CREATE INDEX {name} ON {on}")).await?;
    }
    Ok(())
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    for (name, _) in INDEXES {
        db.execute_unprepared(&format!("DROP INDEX {name}")).await?;
    }
    for (_, columns) in REPLACED {
        manager.create_index(index("customer", columns)).await?;
    }
    for table in SEARCHABLE {
        search::unindex(manager, table).await?;
    }
    for (table, _) in SEARCHED {
        let drop = Table::alter().table(table).drop_column("search_text").to_owned();
        manager.alter_table(drop).await?;
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct Parts {
    /// Which row: its id, or its number on SQLite.
    row_key: String,
    first: Option<String>,
    second: Option<String>,
    third: Option<String>,
}

/// Folds what is there already, one statement per batch in either direction.
async fn backfill(
    manager: &SchemaManager<'_>,
    table: &str,
    [first, second, third]: [&str; 3],
) -> Result<(), DbErr> {
    let (db, backend) = (manager.get_connection(), manager.get_database_backend());
    let (key, after, before_all, update) = match backend {
        DbBackend::Postgres => (
            "id",
            "CAST($1 AS uuid)",
            "00000000-0000-0000-0000-000000000000",
            format!(
                "UPDATE {table} SET search_text = folded.text \
                 FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS folded (key uuid, text text) \
                 WHERE {table}.id = folded.key"
            ),
        ),
        _ => (
            "rowid",
            "CAST($1 AS INTEGER)",
            "-1",
            format!(
                "UPDATE {table} SET search_text = json_extract(folded.value, '$.text') \
                 FROM json_each($1) AS folded \
                 WHERE {table}.rowid = CAST(json_extract(folded.value, '$.key') AS INTEGER)"
            ),
        ),
    };
    let select = format!(
        "SELECT CAST({key} AS text) AS row_key, CAST({first} AS text) AS first, \
         CAST({second} AS text) AS second, CAST({third} AS text) AS third \
         FROM {table} WHERE {key} > {after} ORDER BY {key} LIMIT {BATCH}"
    );
    let mut last = before_all.to_owned();
    loop {
        let page = Statement::from_sql_and_values(backend, &select, [last.clone().into()]);
        let rows = Parts::find_by_statement(page).all(db).await?;
        let Some(end) = rows.last() else { return Ok(()) };
        last.clone_from(&end.row_key);
        let full = rows.len() == BATCH;
        let folded = rows.iter().map(|row| {
            let parts = [&row.first, &row.second, &row.third];
            let text = fold(parts.into_iter().flatten().map(String::as_str));
            serde_json::json!({ "key": row.row_key, "text": text })
        });
        let folded = serde_json::Value::Array(folded.collect()).to_string();
        db.execute_raw(Statement::from_sql_and_values(backend, &update, [folded.into()])).await?;
        if !full {
            return Ok(());
        }
    }
}
