//! The ladder that asks a customer.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::uuid_null;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let column = uuid_null("dunning_ladder_id");
    manager.alter_table(Table::alter().table("customer").add_column(column).to_owned()).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let drop = Table::alter().table("customer").drop_column("dunning_ladder_id").to_owned();
    manager.alter_table(drop).await
}
