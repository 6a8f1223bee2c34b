//! Segments of three kinds: by a filter, as lists of customers, and made of other segments.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{integer, json_binary_null, uuid};
use sea_orm_migration::sea_orm::ConnectionTrait;

use crate::column::{choice, choice_null, created, drop_all, id, index, reference, unique};

const COLUMNS: [&str; 5] = ["kind", "operation", "source", "sample", "last_change"];

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let columns = [
        choice("kind").default("DYNAMIC").take(),
        choice_null("operation"),
        json_binary_null("source"),
        json_binary_null("sample"),
        json_binary_null("last_change"),
    ];
    for column in columns {
        let table = Table::alter().table("segment").add_column(column).to_owned();
        manager.alter_table(table).await?;
    }
    let mut part = Table::create();
    part.table("segment_part")
        .col(id())
        .col(uuid("segment_id"))
        .col(uuid("part_id"))
        .col(integer("place"))
        .foreign_key(&mut reference("segment_part", "segment_id", "segment"))
        .foreign_key(&mut reference("segment_part", "part_id", "segment"));
    manager.create_table(created(&mut part).to_owned()).await?;
    manager.create_index(unique("segment_part", &["segment_id", "place"])).await?;
    manager.create_index(index("segment_part", &["part_id"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop_all(manager, &["segment_part"]).await?;
    let db = manager.get_connection();
    db.execute_unprepared(
        "DELETE FROM segment_member WHERE segment_id IN (SELECT id FROM segment WHERE kind <> 'DYNAMIC');
         DELETE FROM segment WHERE kind <> 'DYNAMIC'",
    )
    .await?;
    for column in COLUMNS {
        let table = Table::alter().table("segment").drop_column(column).to_owned();
        manager.alter_table(table).await?;
    }
    Ok(())
}
