//! How customers get their statements of account.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::json_binary_null;

use crate::column::choice;

/// What is added to customers.
fn added() -> [(&'static str, ColumnDef); 2] {
    [
        ("statement_channel", choice("statement_channel").default("EMAIL").take()),
        ("statement_cc", json_binary_null("statement_cc")),
    ]
}

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for (_, column) in added() {
        let add = Table::alter().table("customer").add_column(column).to_owned();
        manager.alter_table(add).await?;
    }
    Ok(())
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for (name, _) in added() {
        manager.alter_table(Table::alter().table("customer").drop_column(name).to_owned()).await?;
    }
    Ok(())
}
