//! Until when documents hold.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::date_null;

use crate::column::index;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let add = Table::alter().table("document").add_column(date_null("valid_until")).to_owned();
    manager.alter_table(add).await?;
    manager.create_index(index("document", &["valid_until"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let index = Index::drop().name("document_valid_until_idx").table("document").to_owned();
    manager.drop_index(index).await?;
    let drop = Table::alter().table("document").drop_column("valid_until").to_owned();
    manager.alter_table(drop).await
}
