//! Saved views of lists, and the marks that users put on records.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, json_binary, string_len, uuid};

use crate::column::{choice, created, drop_all, id, index, instant, reference, updated};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut view = Table::create();
    view.table("saved_view")
        .col(id())
        .col(uuid("owner_id"))
        .col(string_len("name", 100))
        .col(string_len("list", 64))
        .col(json_binary("filter"))
        .col(json_binary("order_by"))
        .col(json_binary("columns"))
        .col(boolean("shared"))
        .foreign_key(&mut reference("saved_view", "owner_id", "user_account"));
    manager.create_table(updated(created(&mut view)).to_owned()).await?;
    manager.create_index(index("saved_view", &["owner_id", "id"])).await?;
    manager.create_index(index("saved_view", &["shared", "id"])).await?;

    let mut mark = Table::create();
    mark.table("mark")
        .col(uuid("user_id"))
        .col(choice("kind"))
        .col(uuid("subject_id"))
        .col(string_len("subject_kind", 8))
        .col(instant("marked_at"))
        .primary_key(Index::create().col("user_id").col("kind").col("subject_id"))
        .foreign_key(&mut reference("mark", "user_id", "user_account"));
    manager.create_table(mark).await?;
    manager.create_index(index("mark", &["subject_id", "kind"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop_all(manager, &["saved_view", "mark"]).await
}
