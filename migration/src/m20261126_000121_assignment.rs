//! Whose turn it is where workflows hand customers to users in turn.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer;

use crate::column::{drop_all, id};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut cursor = Table::create();
    cursor.table("assignment_cursor").col(id()).col(big_integer("position"));
    manager.create_table(cursor).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop_all(manager, &["assignment_cursor"]).await
}
