//! The secrets by which other systems start workflows.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::string_len;

use crate::column::{created, drop_all, id, reference};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut hook = Table::create();
    hook.table("workflow_hook").col(id()).col(string_len("secret", 64));
    created(&mut hook).foreign_key(&mut reference("workflow_hook", "id", "workflow"));
    manager.create_table(hook).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop_all(manager, &["workflow_hook"]).await
}
