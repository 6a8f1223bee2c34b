//! Erasing: what the log says was changed of records that are gone or anonymised, when the law asks for that.
//!
//! The entries stay, and so do their hashes; the values go, and the salts by which somebody could find out
//! with what they were hashed. For each record an entry is added that says who erased it and when, without
//! which the database refuses to erase, and who verifies the log finds fault with what is missing.
//!
//! Invariant: what is erased is of records that are gone or anonymised, and of what was part of them when it was
//! removed, in the transaction or long before. What else exists keeps its history.

use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::json;

use crate::access::Actor;
use crate::error::Error;

/// The records to erase, `gone`: those that are given, and what was removed as part of them. An index of the
/// audit log is of the same expression.
const POSTGRES_GONE: &str = "WITH RECURSIVE gone (id) AS ( \
     SELECT value::uuid FROM jsonb_array_elements_text($1) UNION \
     SELECT part.record_id FROM audit_entry part JOIN gone ON part.action = 'DELETED' AND \
     coalesce(part.before ->> 'customer_id', part.before ->> 'document_id', \
     part.before ->> 'merged_into_id')::uuid = gone.id)";

const SQLITE_GONE: &str = "WITH RECURSIVE gone (id) AS ( \
     SELECT unhex(value, '-') FROM json_each($1) UNION \
     SELECT part.record_id FROM gone CROSS JOIN audit_entry part WHERE part.action = 'DELETED' AND \
     unhex(coalesce(part.before ->> 'customer_id', part.before ->> 'document_id', \
     part.before ->> 'merged_into_id'), '-') = gone.id)";

/// Those of them whose entries say something.
const KNOWN: &str = "(SELECT DISTINCT record_table, record_id FROM audit_entry \
     JOIN gone ON gone.id = record_id WHERE erased_at IS NULL AND action <> 'ERASED') AS known";

const NOTE: &str = "INSERT INTO audit_entry \
     (id, at, user_id, job_id, request_id, record_table, record_id, action)";

const POSTGRES_NOTED: &str = "SELECT audit_entry_id($2), $2, $3, (origin ->> 'job')::uuid, \
     origin ->> 'request', record_table, record_id, 'ERASED' FROM \
     (SELECT nullif(current_setting('rapport.origin', true), '')::jsonb AS origin) AS told,";

/// With ids as the triggers make them, which sort as the entries were written.
const SQLITE_NOTED: &str = "SELECT unhex(printf('%012x70008%015x', \
     CAST(round(unixepoch($2, 'subsec') * 1000) AS INTEGER), row_number() OVER (ORDER BY record_id) + \
     (SELECT coalesce(max(rowid), 0) FROM audit_entry))), $2, $3, (SELECT job_id FROM audit_origin), \
     (SELECT request_id FROM audit_origin), record_table, record_id, 'ERASED' FROM";

const CLEAR: &str = "UPDATE audit_entry SET before = NULL, after = NULL, salt = NULL, erased_at = $2 \
     WHERE record_id IN (SELECT id FROM gone) AND erased_at IS NULL AND action <> 'ERASED'";

/// Erases what the log says was changed of `gone` records, which were removed or anonymised in this transaction,
/// and of all that was part of them.
///
/// # Errors
/// The database.
pub(crate) async fn erase(
    txn: &impl ConnectionTrait,
    gone: impl IntoIterator<Item = Uuid>,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let backend = txn.get_database_backend();
    let (those, noted) = match backend {
        DbBackend::Postgres => (POSTGRES_GONE, POSTGRES_NOTED),
        _ => (SQLITE_GONE, SQLITE_NOTED),
    };
    let gone = json!(gone.into_iter().collect::<Vec<_>>());
    let user = actor.user().map(|user| user.0);
    let note = format!("{those} {NOTE} {noted} {KNOWN}");
    let note = Statement::from_sql_and_values(
        backend,
        note,
        [gone.clone().into(), now.into(), user.into()],
    );
    txn.execute_raw(note).await?;
    let clear = format!("{those} {CLEAR}");
    let clear = Statement::from_sql_and_values(backend, clear, [gone.into(), now.into()]);
    txn.execute_raw(clear).await?;
    Ok(())
}
