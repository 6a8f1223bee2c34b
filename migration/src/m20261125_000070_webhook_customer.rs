//! Whom a webhook concerns, so that its text goes when they do.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::uuid_null;

use crate::column::index;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let add =
        Table::alter().table("webhook_delivery").add_column(uuid_null("customer_id")).to_owned();
    manager.alter_table(add).await?;
    let known = "UPDATE webhook_delivery SET customer_id = \
        (SELECT customer_id FROM event WHERE event.id = webhook_delivery.event_id)";
    manager.get_connection().execute_unprepared(known).await?;
    manager.create_index(index("webhook_delivery", &["customer_id", "id"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let index = Index::drop()
        .name("webhook_delivery_customer_id_id_idx")
        .table("webhook_delivery")
        .to_owned();
    manager.drop_index(index).await?;
    let drop = Table::alter().table("webhook_delivery").drop_column("customer_id").to_owned();
    manager.alter_table(drop).await
}
