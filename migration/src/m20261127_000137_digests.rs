//! Which mail a notification goes in together with others; and room for what workflows say.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{string_len_null, uuid_null};
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::index;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let add = Table::alter().table("notification").add_column(uuid_null("digest_id")).to_owned();
    manager.alter_table(add).await?;
    // SQLite has columns without lengths, and cannot change them.
    if manager.get_database_backend() == DbBackend::Postgres {
        let detail = string_len_null("detail", 500);
        let widen = Table::alter().table("notification").modify_column(detail).to_owned();
        manager.alter_table(widen).await?;
    }
    manager.create_index(index("notification", &["digest_id"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let index = Index::drop().name("notification_digest_id_idx").table("notification").to_owned();
    manager.drop_index(index).await?;
    let drop = Table::alter().table("notification").drop_column("digest_id").to_owned();
    manager.alter_table(drop).await
}
