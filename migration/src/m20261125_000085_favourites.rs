//! In which order users keep their favourites.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::integer_null;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut mark = Table::alter();
    manager.alter_table(mark.table("mark").add_column(integer_null("position")).to_owned()).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut mark = Table::alter();
    manager.alter_table(mark.table("mark").drop_column("position").to_owned()).await
}
