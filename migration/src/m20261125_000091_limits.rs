//! What jobs are kept to that were asked for by an API key.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text_null;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let add = Table::alter().table("job").add_column(text_null("limits")).to_owned();
    manager.alter_table(add).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table("job").drop_column("limits").to_owned()).await
}
