//! Which workflow's run made something happen, and how many runs came before it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{integer, uuid_null};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for (table, mut column) in [
        ("event", uuid_null("workflow_id")),
        ("event", integer("depth").default(0).take()),
        ("workflow_run", integer("depth").default(0).take()),
    ] {
        let mut add = Table::alter();
        add.table(table).add_column(&mut column);
        manager.alter_table(add).await?;
    }
    Ok(())
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for (table, column) in [("event", "workflow_id"), ("event", "depth"), ("workflow_run", "depth")]
    {
        let mut drop = Table::alter();
        drop.table(table).drop_column(column);
        manager.alter_table(drop).await?;
    }
    Ok(())
}
