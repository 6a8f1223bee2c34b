//! Notes, the changes of customers that everybody sees, and indexes by which timelines are read.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{text, uuid};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::column::{created, drop_all, id, index, instant_null, reference, updated};

/// What timelines read, newest first for each customer.
const DATED: [&str; 5] = ["invoice", "payment", "credit_note", "message", "note"];

const COLUMNS: [&str; 3] = ["customer_id", "created_at", "id"];

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut note = Table::create();
    note.table("note")
        .col(id())
        .col(uuid("customer_id"))
        .col(text("body"))
        .col(instant_null("deleted_at"))
        .foreign_key(&mut reference("note", "customer_id", "customer"));
    manager.create_table(updated(created(&mut note)).to_owned()).await?;
    for table in DATED {
        manager.create_index(index(table, &COLUMNS)).await?;
    }
    let view = match manager.get_database_backend() {
        DbBackend::Postgres => POSTGRES,
        _ => SQLITE,
    };
    manager.get_connection().execute_unprepared(view).await.map(|_| ())
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared("DROP VIEW customer_change").await?;
    for table in DATED {
        let name = format!("{table}_{}_idx", COLUMNS.join("_"));
        manager.drop_index(Index::drop().table(table).name(name).to_owned()).await?;
    }
    drop_all(manager, &["note"]).await
}

const POSTGRES: &str = "
CREATE VIEW customer_change AS SELECT id, record_id AS customer_id, at AS occurred_at, user_id,
    before ->> 'stage' AS stage_before, after ->> 'stage' AS stage_after,
    (before ->> 'owner_id')::uuid AS owner_before_id, (after ->> 'owner_id')::uuid AS owner_after_id
FROM audit_entry WHERE record_table = 'customer' AND action = 'UPDATED'
    AND (jsonb_exists(after, 'stage') OR jsonb_exists(after, 'owner_id'))";

const SQLITE: &str = "
CREATE VIEW customer_change AS SELECT id, record_id AS customer_id, at AS occurred_at, user_id,
    before ->> 'stage' AS stage_before, after ->> 'stage' AS stage_after,
    unhex(before ->> 'owner_id', '-') AS owner_before_id, unhex(after ->> 'owner_id', '-') AS owner_after_id
FROM audit_entry WHERE record_table = 'customer' AND action = 'UPDATED'
    AND (json_type(after, '$.stage') IS NOT NULL OR json_type(after, '$.owner_id') IS NOT NULL)";
