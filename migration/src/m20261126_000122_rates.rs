//! How much workflows have done in an hour.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer;

use crate::column::{drop_all, id, instant, reference};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut rate = Table::create();
    rate.table("workflow_rate")
        .col(id())
        .col(instant("hour_at"))
        .col(big_integer("used"))
        .foreign_key(&mut reference("workflow_rate", "id", "workflow"));
    manager.create_table(rate).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop_all(manager, &["workflow_rate"]).await
}
