//! Indexes of searched text: of `search_text`, which each searched table has.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Indexes the searched text of `table`.
pub async fn index(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let sql = match manager.get_database_backend() {
        DbBackend::Postgres => trigrams(table),
        _ => full_text(table),
    };
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}

/// Undoes [`index`].
pub async fn unindex(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let sql = match manager.get_database_backend() {
        // The extension stays: somebody else may use it by now.
        DbBackend::Postgres => format!("DROP INDEX {table}_search_idx"),
        _ => format!(
            "DROP TRIGGER {table}_search_insert; DROP TRIGGER {table}_search_delete; \
             DROP TRIGGER {table}_search_update; DROP TABLE {table}_search"
        ),
    };
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}

/// An index of the three-letter parts of what is searched.
fn trigrams(table: &str) -> String {
    format!("CREATE INDEX {table}_search_idx ON {table} USING gin (search_text gin_trgm_ops)")
}

/// The same for SQLite: a full-text table beside the table, which triggers keep. It holds no text of
/// its own. It refers to `rowid`, which SQLite keeps for a table with indexes, also over a `VACUUM`.
fn full_text(table: &str) -> String {
    format!(
        "CREATE VIRTUAL TABLE {table}_search USING fts5(search_text, content='{table}', \
         content_rowid='rowid', tokenize='trigram case_sensitive 1'); \
         INSERT INTO {table}_search ({table}_search) VALUES ('rebuild'); \
         CREATE TRIGGER {table}_search_insert AFTER INSERT ON {table} BEGIN \
           INSERT INTO {table}_search (rowid, search_text) VALUES (new.rowid, new.search_text); \
         END; \
         CREATE TRIGGER {table}_search_delete AFTER DELETE ON {table} BEGIN \
           INSERT INTO {table}_search ({table}_search, rowid, search_text) \
           VALUES ('delete', old.rowid, old.search_text); \
         END; \
         CREATE TRIGGER {table}_search_update AFTER UPDATE OF search_text ON {table} \
         WHEN old.search_text <> new.search_text BEGIN \
           INSERT INTO {table}_search ({table}_search, rowid, search_text) \
           VALUES ('delete', old.rowid, old.search_text); \
           INSERT INTO {table}_search (rowid, search_text) VALUES (new.rowid, new.search_text); \
         END"
    )
}
