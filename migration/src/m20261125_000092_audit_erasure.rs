//! Erasing what the audit log says was changed, without a gap in its chain of hashes.
//!
//! The chain begins anew, since hashes cover a digest of what was changed from now on: the sealer takes all
//! entries once more.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::string_len_null;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::column::instant_null;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let columns =
        [string_len_null("salt", 32), string_len_null("digest", 64), instant_null("erased_at")];
    for column in columns {
        let add = Table::alter().table("audit_entry").add_column(column).to_owned();
        manager.alter_table(add).await?;
    }
    let (before, after) = match manager.get_database_backend() {
        DbBackend::Postgres => (POSTGRES_WRITE_ONCE, POSTGRES_ERASE_ONCE),
        _ => (SQLITE_WRITE_ONCE, SQLITE_ERASE_ONCE),
    };
    let db = manager.get_connection();
    db.execute_unprepared(before).await?;
    db.execute_unprepared(BEGIN_ANEW).await?;
    db.execute_unprepared(after).await.map(|_| ())
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let (before, after) = match manager.get_database_backend() {
        DbBackend::Postgres => (POSTGRES_DOWN, POSTGRES_BACK),
        _ => (SQLITE_DOWN, SQLITE_BACK),
    };
    let db = manager.get_connection();
    db.execute_unprepared(before).await?;
    db.execute_unprepared("DELETE FROM audit_entry WHERE action = 'ERASED'").await?;
    db.execute_unprepared(BEGIN_ANEW).await?;
    for column in ["salt", "digest", "erased_at"] {
        let drop = Table::alter().table("audit_entry").drop_column(column).to_owned();
        manager.alter_table(drop).await?;
    }
    db.execute_unprepared(after).await.map(|_| ())
}

const BEGIN_ANEW: &str = "
UPDATE audit_entry SET position = NULL, hash = NULL, sealed_at = NULL WHERE position IS NOT NULL;
UPDATE audit_head SET position = 0, hash = ''";

const POSTGRES_WRITE_ONCE: &str = "
DROP TRIGGER audit_entry_is_written_once ON audit_entry;
DROP TRIGGER audit_entry_is_sealed_once ON audit_entry;";

/// An entry is sealed once, and what it says was changed is erased once, if another entry says so; nothing
/// else changes. The index finds what was part of a record when it was removed.
const POSTGRES_ERASE_ONCE: &str = "
CREATE TRIGGER audit_entry_is_written_once BEFORE UPDATE OF
    id, at, user_id, job_id, request_id, record_table, record_id, action ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_entry_is_append_only();
CREATE FUNCTION audit_entry_is_erased() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL
        AND (NEW.before, NEW.after, NEW.salt) IS NOT DISTINCT FROM (NULL, NULL, NULL)
        AND (NEW.position, NEW.hash, NEW.sealed_at, NEW.digest)
            IS NOT DISTINCT FROM (OLD.position, OLD.hash, OLD.sealed_at, OLD.digest)
        AND EXISTS (SELECT 1 FROM audit_entry listed WHERE listed.record_id = OLD.record_id
            AND listed.record_table = OLD.record_table AND listed.action = 'ERASED'
            AND listed.at = NEW.erased_at)
    THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'audit_entry is append-only';
END $$;
CREATE TRIGGER audit_entry_is_sealed_once BEFORE UPDATE ON audit_entry FOR EACH ROW
    WHEN (OLD.position IS NOT NULL OR NEW.position IS NULL OR
        (NEW.before, NEW.after, NEW.erased_at) IS DISTINCT FROM (OLD.before, OLD.after, OLD.erased_at))
    EXECUTE FUNCTION audit_entry_is_erased();
CREATE INDEX audit_entry_part_idx ON audit_entry ((coalesce(before ->> 'customer_id',
    before ->> 'document_id', before ->> 'merged_into_id')::uuid)) WHERE action = 'DELETED'";

const SQLITE_WRITE_ONCE: &str = "
DROP TRIGGER audit_entry_is_written_once;
DROP TRIGGER audit_entry_is_sealed_once;";

const SQLITE_ERASE_ONCE: &str = "
CREATE TRIGGER audit_entry_is_written_once BEFORE UPDATE OF
    id, at, user_id, job_id, request_id, record_table, record_id, action ON audit_entry
    BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END;
CREATE TRIGGER audit_entry_is_sealed_once BEFORE UPDATE ON audit_entry
    WHEN NOT (OLD.position IS NULL AND NEW.position IS NOT NULL
        AND (NEW.before, NEW.after, NEW.erased_at) IS (OLD.before, OLD.after, OLD.erased_at))
    AND NOT (OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL
        AND (NEW.before, NEW.after, NEW.salt) IS (NULL, NULL, NULL)
        AND (NEW.position, NEW.hash, NEW.sealed_at, NEW.digest)
            IS (OLD.position, OLD.hash, OLD.sealed_at, OLD.digest)
        AND EXISTS (SELECT 1 FROM audit_entry listed WHERE listed.record_id = OLD.record_id
            AND listed.record_table = OLD.record_table AND listed.action = 'ERASED'
            AND listed.at = NEW.erased_at))
    BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END;
CREATE INDEX audit_entry_part_idx ON audit_entry (unhex(coalesce(before ->> 'customer_id',
    before ->> 'document_id', before ->> 'merged_into_id'), '-')) WHERE action = 'DELETED'";

const POSTGRES_DOWN: &str = "
DROP INDEX audit_entry_part_idx;
DROP TRIGGER audit_entry_is_written_once ON audit_entry;
DROP TRIGGER audit_entry_is_sealed_once ON audit_entry;
DROP TRIGGER audit_entry_is_kept ON audit_entry;
DROP FUNCTION audit_entry_is_erased();";

const POSTGRES_BACK: &str = "
CREATE TRIGGER audit_entry_is_written_once BEFORE UPDATE OF
    id, at, user_id, job_id, request_id, record_table, record_id, action, before, after ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_entry_is_append_only();
CREATE TRIGGER audit_entry_is_sealed_once BEFORE UPDATE ON audit_entry
    FOR EACH ROW WHEN (OLD.position IS NOT NULL) EXECUTE FUNCTION audit_entry_is_append_only();
CREATE TRIGGER audit_entry_is_kept BEFORE DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_is_append_only();";

const SQLITE_DOWN: &str = "
DROP INDEX audit_entry_part_idx;
DROP TRIGGER audit_entry_is_written_once;
DROP TRIGGER audit_entry_is_sealed_once;
DROP TRIGGER audit_entry_is_kept;";

const SQLITE_BACK: &str = "
CREATE TRIGGER audit_entry_is_written_once BEFORE UPDATE OF
    id, at, user_id, job_id, request_id, record_table, record_id, action, before, after ON audit_entry
    BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END;
CREATE TRIGGER audit_entry_is_sealed_once BEFORE UPDATE ON audit_entry WHEN OLD.position IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END;
CREATE TRIGGER audit_entry_is_kept BEFORE DELETE ON audit_entry
    BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END;";
