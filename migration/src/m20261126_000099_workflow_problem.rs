//! Why Rapport let a workflow stand still.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text_null;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut add = Table::alter();
    add.table("workflow").add_column(text_null("problem"));
    manager.alter_table(add).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut drop = Table::alter();
    drop.table("workflow").drop_column("problem");
    manager.alter_table(drop).await
}
