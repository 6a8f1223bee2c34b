//! When all that said who a customer is was removed.

use sea_orm_migration::prelude::*;

use crate::column::instant_null;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let column = instant_null("anonymised_at");
    let add = Table::alter().table("customer").add_column(column).to_owned();
    manager.alter_table(add).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let drop = Table::alter().table("customer").drop_column("anonymised_at").to_owned();
    manager.alter_table(drop).await
}
