//! Why Rapport let a workflow stand still, and an index of what happened to whom, for runs that wait for it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text_null;

use crate::column::index;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut add = Table::alter();
    add.table("workflow").add_column(text_null("problem"));
    manager.alter_table(add).await?;
    let whose = index("event", &["customer_id", "occurred_at"])
        .and_where(Expr::col("customer_id").is_not_null())
        .to_owned();
    manager.create_index(whose).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut whose = Index::drop();
    whose.name("event_customer_id_occurred_at_idx").table("event");
    manager.drop_index(whose).await?;
    let mut drop = Table::alter();
    drop.table("workflow").drop_column("problem");
    manager.alter_table(drop).await
}
