//! Indexes that give a customer's invoices and payments in the order in which they are read page by page.

use sea_orm_migration::prelude::*;

use crate::column::index;

/// The table, the columns of the index, and those of the one that it replaces.
const INDEXES: [(&str, &[&str], &[&str]); 2] = [
    ("invoice", &["customer_id", "state", "due_on", "id"], &["customer_id", "state", "due_on"]),
    ("payment", &["customer_id", "received_on", "id"], &["customer_id"]),
];

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for (table, columns, replaced) in INDEXES {
        manager.create_index(index(table, columns)).await?;
        drop(manager, table, replaced).await?;
    }
    Ok(())
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for (table, columns, replaced) in INDEXES {
        manager.create_index(index(table, replaced)).await?;
        drop(manager, table, columns).await?;
    }
    Ok(())
}

async fn drop(
    manager: &SchemaManager<'_>,
    table: &'static str,
    columns: &[&str],
) -> Result<(), DbErr> {
    let name = format!("{table}_{}_idx", columns.join("_"));
    manager.drop_index(Index::drop().table(table).name(name).to_owned()).await
}
