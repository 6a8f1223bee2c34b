//! Columns and constraints that recur, so that the same thing has the same type in every table.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    string_len, string_len_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
    uuid_null,
};

/// `id`: a UUIDv7, made by the application.
pub fn id() -> ColumnDef {
    uuid("id").primary_key().take()
}

/// A name from a fixed list.
pub fn choice(name: &'static str) -> ColumnDef {
    string_len(name, 16)
}

/// A name from a fixed list, or none.
pub fn choice_null(name: &'static str) -> ColumnDef {
    string_len_null(name, 16)
}

/// An ISO 4217 code.
pub fn currency() -> ColumnDef {
    string_len("currency", 3)
}

/// An instant in UTC.
pub fn instant(name: &'static str) -> ColumnDef {
    timestamp_with_time_zone(name)
}

/// An instant in UTC, or none.
pub fn instant_null(name: &'static str) -> ColumnDef {
    timestamp_with_time_zone_null(name)
}

/// `created_at` and `created_by`: when a row came to be, and by whom (null: by Rapport itself).
pub fn created(table: &mut TableCreateStatement) -> &mut TableCreateStatement {
    table.col(instant("created_at")).col(uuid_null("created_by"))
}

/// `updated_at`, `updated_by` and `version`, which counts up with every change.
pub fn updated(table: &mut TableCreateStatement) -> &mut TableCreateStatement {
    table
        .col(instant("updated_at"))
        .col(uuid_null("updated_by"))
        .col(sea_orm_migration::schema::integer("version").default(1).take())
}

/// A reference to `table(id)`, which cannot be deleted while it is referred to.
pub fn reference(
    from: &'static str,
    column: &'static str,
    to: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{from}_{column}_fkey"))
        .from(from, column)
        .to(to, "id")
        .take()
}

/// An index named after its table and columns.
pub fn index(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(format!("{table}_{}_idx", columns.join("_"))).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}

/// A unique constraint named after its table and columns.
pub fn unique(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    index(table, columns).name(format!("{table}_{}_key", columns.join("_"))).unique().take()
}

/// Refuses every change and deletion of rows of `table`, whoever asks.
pub async fn append_only(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let db = manager.get_connection();
    if manager.get_database_backend() == sea_orm_migration::sea_orm::DbBackend::Postgres {
        db.execute_unprepared(&format!(
            "CREATE FUNCTION {table}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$; \
             CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} \
             FOR EACH ROW EXECUTE FUNCTION {table}_is_append_only()"
        ))
        .await?;
        return Ok(());
    }
    for event in ["UPDATE", "DELETE"] {
        db.execute_unprepared(&format!(
            "CREATE TRIGGER {table}_append_only_{event} BEFORE {event} ON {table} \
             BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        ))
        .await?;
    }
    Ok(())
}

/// Undoes [`append_only`]; the triggers go with the table.
pub async fn drop_append_only(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() == sea_orm_migration::sea_orm::DbBackend::Postgres {
        let sql = format!("DROP FUNCTION IF EXISTS {table}_is_append_only() CASCADE");
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// Drops `tables`, the last one first.
pub async fn drop_all(manager: &SchemaManager<'_>, tables: &[&'static str]) -> Result<(), DbErr> {
    for table in tables.iter().rev() {
        manager.drop_table(Table::drop().table(*table).to_owned()).await?;
    }
    Ok(())
}
