//! Which workflows Rapport has brought along.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::string_len_null;

use crate::column::unique;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let alter =
        Table::alter().table("workflow").add_column(string_len_null("preset", 32)).to_owned();
    manager.alter_table(alter).await?;
    manager.create_index(unique("workflow", &["preset"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let drop = Index::drop().name("workflow_preset_key").table("workflow").to_owned();
    manager.drop_index(drop).await?;
    manager.alter_table(Table::alter().table("workflow").drop_column("preset").to_owned()).await
}
