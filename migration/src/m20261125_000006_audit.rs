//! The audit log: what was changed, by whom, in a chain of hashes.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, json_binary_null, string_len, string_len_null, uuid,
    uuid_null,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::column::{choice, drop_all, id, index, instant, instant_null, unique};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut entry = Table::create();
    entry
        .table("audit_entry")
        .col(id())
        .col(instant("at"))
        .col(uuid_null("user_id"))
        .col(uuid_null("job_id"))
        .col(string_len_null("request_id", 64))
        .col(string_len("record_table", 64))
        .col(uuid("record_id"))
        .col(choice("action"))
        .col(json_binary_null("before"))
        .col(json_binary_null("after"))
        .col(big_integer_null("position"))
        .col(string_len_null("hash", 64))
        .col(instant_null("sealed_at"));
    manager.create_table(entry).await?;
    manager.create_index(unique("audit_entry", &["position"])).await?;
    manager.create_index(index("audit_entry", &["record_id", "id"])).await?;
    manager.create_index(index("audit_entry", &["user_id", "id"])).await?;
    manager.create_index(index("audit_entry", &["record_table", "id"])).await?;
    let unsealed = Expr::col("position").is_null();
    manager
        .create_index(
            index("audit_entry", &["id"])
                .name("audit_entry_unsealed_idx")
                .and_where(unsealed)
                .to_owned(),
        )
        .await?;
    manager
        .create_table(
            Table::create()
                .table("audit_head")
                .col(integer("id").primary_key().take())
                .col(big_integer("position"))
                .col(string_len("hash", 64))
                .to_owned(),
        )
        .await?;
    let db = manager.get_connection();
    db.execute_unprepared("INSERT INTO audit_head (id, position, hash) VALUES (1, 0, '')").await?;
    if manager.get_database_backend() == DbBackend::Postgres {
        return db.execute_unprepared(POSTGRES).await.map(|_| ());
    }
    // PostgreSQL knows where a change comes from by a setting of the transaction.
    manager
        .create_table(
            Table::create()
                .table("audit_origin")
                .col(integer("id").primary_key().take())
                .col(instant("at"))
                .col(uuid_null("user_id"))
                .col(uuid_null("job_id"))
                .col(string_len_null("request_id", 64))
                .to_owned(),
        )
        .await?;
    db.execute_unprepared(SQLITE).await.map(|_| ())
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    crate::audit::uninstall(db).await?;
    if manager.get_database_backend() == DbBackend::Postgres {
        drop_all(manager, &["audit_entry", "audit_head"]).await?;
        return db.execute_unprepared(POSTGRES_DOWN).await.map(|_| ());
    }
    drop_all(manager, &["audit_entry", "audit_head", "audit_origin"]).await
}

/// Entries can be sealed once, and nothing else: no change, no deletion.
const SQLITE: &str = "
CREATE TRIGGER audit_entry_is_written_once BEFORE UPDATE OF
    id, at, user_id, job_id, request_id, record_table, record_id, action, before, after ON audit_entry
    BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END;
CREATE TRIGGER audit_entry_is_sealed_once BEFORE UPDATE ON audit_entry WHEN OLD.position IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END;
CREATE TRIGGER audit_entry_is_kept BEFORE DELETE ON audit_entry
    BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END;
";

/// The same, and what the triggers of audited tables call. An entry's id has the form of a `UUIDv7` with
/// a counter in its tail, so that entries sort as they were written. Columns in `TG_ARGV[0]` are left out,
/// of those in `TG_ARGV[1]` only that they changed is noted.
const POSTGRES: &str = "
CREATE FUNCTION audit_entry_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'audit_entry is append-only'; END $$;
CREATE TRIGGER audit_entry_is_written_once BEFORE UPDATE OF
    id, at, user_id, job_id, request_id, record_table, record_id, action, before, after ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_entry_is_append_only();
CREATE TRIGGER audit_entry_is_sealed_once BEFORE UPDATE ON audit_entry
    FOR EACH ROW WHEN (OLD.position IS NOT NULL) EXECUTE FUNCTION audit_entry_is_append_only();
CREATE TRIGGER audit_entry_is_kept BEFORE DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_is_append_only();

CREATE SEQUENCE audit_entry_number;
CREATE FUNCTION audit_entry_id(at timestamptz) RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008'
        || lpad(to_hex(nextval('audit_entry_number')), 15, '0'))::uuid $$;

CREATE FUNCTION audit_value(name text, value jsonb, hidden text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE WHEN name = ANY(hidden) AND value <> 'null' THEN '\"(hidden)\"'::jsonb ELSE value END $$;

CREATE FUNCTION audit_image(image jsonb, skipped text[], hidden text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
    $$ SELECT jsonb_object_agg(key, audit_value(key, value, hidden)) FROM jsonb_each(image)
       WHERE key <> ALL(skipped) AND value <> 'null' $$;

CREATE FUNCTION audit_write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    origin jsonb := nullif(current_setting('rapport.origin', true), '')::jsonb;
    skipped text[] := TG_ARGV[0]::text[];
    hidden text[] := TG_ARGV[1]::text[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit_entry (id, at, user_id, job_id, request_id, record_table, record_id, action, after)
        SELECT audit_entry_id(made.at), made.at, made.by_user, (origin ->> 'job')::uuid, origin ->> 'request',
            TG_TABLE_NAME, made.id, 'CREATED', audit_image(made.image, skipped, hidden)
        FROM (SELECT id, to_jsonb(n) AS image,
                coalesce(origin ->> 'at', to_jsonb(n) ->> 'created_at', to_jsonb(n) ->> 'updated_at',
                    now()::text)::timestamptz AS at,
                coalesce(origin ->> 'user', to_jsonb(n) ->> 'created_by', to_jsonb(n) ->> 'updated_by')::uuid AS by_user
              FROM new_rows n) AS made;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO audit_entry (id, at, user_id, job_id, request_id, record_table, record_id, action, before)
        SELECT audit_entry_id(gone.at), gone.at, (origin ->> 'user')::uuid, (origin ->> 'job')::uuid,
            origin ->> 'request', TG_TABLE_NAME, gone.id, 'DELETED', audit_image(gone.image, skipped, hidden)
        FROM (SELECT id, to_jsonb(o) AS image, coalesce(origin ->> 'at', now()::text)::timestamptz AS at
              FROM old_rows o) AS gone;
    ELSE
        INSERT INTO audit_entry (id, at, user_id, job_id, request_id, record_table, record_id, action, before, after)
        SELECT audit_entry_id(pair.at), pair.at, pair.by_user, (origin ->> 'job')::uuid, origin ->> 'request',
            TG_TABLE_NAME, pair.id, 'UPDATED', changed.before, changed.after
        FROM (SELECT o.id, to_jsonb(o) AS old, to_jsonb(n) AS new,
                coalesce(origin ->> 'at', to_jsonb(n) ->> 'updated_at', now()::text)::timestamptz AS at,
                coalesce(origin ->> 'user', to_jsonb(n) ->> 'updated_by')::uuid AS by_user
              FROM old_rows o JOIN new_rows n ON n.id = o.id) AS pair
        CROSS JOIN LATERAL (
            SELECT jsonb_object_agg(key, audit_value(key, value, hidden)) AS before,
                jsonb_object_agg(key, audit_value(key, pair.new -> key, hidden)) AS after
            FROM jsonb_each(pair.old) WHERE key <> ALL(skipped) AND value <> pair.new -> key) AS changed
        WHERE changed.before IS NOT NULL;
    END IF;
    RETURN NULL;
END $$;
";

const POSTGRES_DOWN: &str = "
DROP FUNCTION audit_write();
DROP FUNCTION audit_image(jsonb, text[], text[]);
DROP FUNCTION audit_value(text, jsonb, text[]);
DROP FUNCTION audit_entry_id(timestamptz);
DROP FUNCTION audit_entry_is_append_only();
DROP SEQUENCE audit_entry_number;
";
