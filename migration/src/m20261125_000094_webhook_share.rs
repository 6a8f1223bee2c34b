//! What couriers look for: the first that is due to each endpoint, and what they have on its way.

use sea_orm_migration::prelude::*;

use crate::column::index;

const DUE: &str = "webhook_delivery_due_idx";

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop(manager).await?;
    create(manager, &["endpoint_id", "due_at", "id"]).await?;
    let held = index("webhook_delivery", &["lease_until"])
        .and_where(Expr::col("lease_until").is_not_null())
        .to_owned();
    manager.create_index(held).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut held = Index::drop();
    held.name("webhook_delivery_lease_until_idx").table("webhook_delivery");
    manager.drop_index(held).await?;
    drop(manager).await?;
    create(manager, &["due_at", "id"]).await
}

async fn drop(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager.drop_index(Index::drop().name(DUE).table("webhook_delivery").to_owned()).await
}

async fn create(manager: &SchemaManager<'_>, columns: &[&'static str]) -> Result<(), DbErr> {
    let unsettled = Expr::col("settled_at").is_null();
    let due = index("webhook_delivery", columns).name(DUE).and_where(unsettled).to_owned();
    manager.create_index(due).await
}
