//! How PostgreSQL finds the entry that lists an erasure: by the record, never by its table. Without statistics
//! it took the index of tables, and went through all entries of the table for each that was erased.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // The comparison of tables is made a test, which no index serves.
    replace(manager, "(listed.record_table = OLD.record_table) IS TRUE").await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    replace(manager, "listed.record_table = OLD.record_table").await
}

/// Refuses what is no erasure, or none that an entry lists which fulfils `same_table`.
async fn replace(manager: &SchemaManager<'_>, same_table: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let function = format!(
        "CREATE OR REPLACE FUNCTION audit_entry_is_erased() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL
                AND (NEW.before, NEW.after, NEW.salt) IS NOT DISTINCT FROM (NULL, NULL, NULL)
                AND (NEW.position, NEW.hash, NEW.sealed_at, NEW.digest)
                    IS NOT DISTINCT FROM (OLD.position, OLD.hash, OLD.sealed_at, OLD.digest)
                AND EXISTS (SELECT 1 FROM audit_entry listed WHERE listed.record_id = OLD.record_id
                    AND {same_table} AND listed.action = 'ERASED' AND listed.at = NEW.erased_at)
            THEN RETURN NEW; END IF;
            RAISE EXCEPTION 'audit_entry is append-only';
        END $$"
    );
    manager.get_connection().execute_unprepared(&function).await.map(|_| ())
}
