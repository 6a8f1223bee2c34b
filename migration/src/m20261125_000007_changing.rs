//! What changing customers in numbers needs: what duplicates are found by, what was merged into what,
//! versions of contacts and addresses, what a job is to touch, and what it leaves to be fetched.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    integer, json_binary, string_len, string_len_null, timestamp_with_time_zone, uuid, uuid_null,
};
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::{created, id, index, instant_null, reference, unique, updated};

/// The columns by which customers look alike.
const KEYS: [(&str, u32); 4] =
    [("name_key", 200), ("email_key", 320), ("phone_key", 16), ("tax_key", 64)];

/// The tables that get a version.
const VERSIONED: [&str; 2] = ["contact", "address"];

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for (key, length) in KEYS {
        add(manager, "customer", string_len_null(key, length)).await?;
        manager.create_index(index("customer", &[key])).await?;
    }
    refer(manager, "customer", "merged_into_id", "customer").await?;
    manager.create_index(index("customer", &["merged_into_id"])).await?;
    manager.create_index(index("customer", &["import_job_id"])).await?;

    for table in VERSIONED {
        // A column of a table that has rows needs a default; the rows then say what is true of them.
        let long_ago = "1970-01-01 00:00:00+00:00";
        let updated_at = timestamp_with_time_zone("updated_at").default(long_ago).take();
        add(manager, table, updated_at).await?;
        add(manager, table, uuid_null("updated_by")).await?;
        add(manager, table, integer("version").default(1).take()).await?;
        let sql = format!("UPDATE {table} SET updated_at = created_at, updated_by = created_by");
        manager.get_connection().execute_unprepared(&sql).await?;
    }

    refer(manager, "job", "result_file_id", "file").await?;
    add(manager, "job", instant_null("result_expires_at")).await?;
    manager
        .create_table(
            Table::create()
                .table("job_target")
                .col(uuid("job_id"))
                .col(uuid("record_id"))
                .primary_key(Index::create().col("job_id").col("record_id"))
                .foreign_key(&mut reference("job_target", "job_id", "job"))
                .to_owned(),
        )
        .await?;

    let mut template = Table::create();
    template
        .table("import_template")
        .col(id())
        .col(string_len("name", 100))
        .col(json_binary("mapping"));
    manager.create_table(updated(created(&mut template)).to_owned()).await?;
    manager.create_index(unique("import_template", &["name"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for table in ["import_template", "job_target"] {
        manager.drop_table(Table::drop().table(table).to_owned()).await?;
    }
    for column in ["result_expires_at", "result_file_id"] {
        drop(manager, "job", column).await?;
    }
    for table in VERSIONED {
        for column in ["version", "updated_by", "updated_at"] {
            drop(manager, table, column).await?;
        }
    }
    for indexed in ["import_job_id", "merged_into_id"].into_iter().chain(KEYS.map(|key| key.0)) {
        let name = format!("customer_{indexed}_idx");
        manager.drop_index(Index::drop().name(name).table("customer").to_owned()).await?;
    }
    for column in ["merged_into_id"].into_iter().chain(KEYS.map(|key| key.0)) {
        drop(manager, "customer", column).await?;
    }
    Ok(())
}

async fn add(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: ColumnDef,
) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await
}

async fn drop(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: &'static str,
) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table(table).drop_column(column).to_owned()).await
}

/// Adds a column that refers to `target(id)` or to nothing. SQLite takes a reference to a new column only
/// within the column's own definition.
async fn refer(
    manager: &SchemaManager<'_>,
    table: &str,
    column: &str,
    target: &str,
) -> Result<(), DbErr> {
    let kind = match manager.get_database_backend() {
        DbBackend::Postgres => "uuid",
        _ => "uuid_text",
    };
    let sql = format!(
        "ALTER TABLE {table} ADD COLUMN {column} {kind} NULL \
         CONSTRAINT {table}_{column}_fkey REFERENCES {target} (id)"
    );
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}
