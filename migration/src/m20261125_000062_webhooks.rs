//! Webhooks: where events are sent to, and each sending.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, integer, integer_null, json_binary, string_len, string_len_null, text,
    uuid, uuid_null,
};

use crate::column::{
    choice, created, drop_all, id, index, instant, instant_null, reference, unique, updated,
};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut endpoint = Table::create();
    endpoint
        .table("webhook_endpoint")
        .col(id())
        .col(string_len("url", 2000))
        .col(json_binary("kinds"))
        .col(string_len("secret", 100))
        .col(string_len_null("previous_secret", 100))
        .col(instant_null("previous_until"))
        .col(boolean("active"))
        .col(string_len_null("disabled_reason", 200));
    manager.create_table(updated(created(&mut endpoint)).to_owned()).await?;

    let mut delivery = Table::create();
    delivery
        .table("webhook_delivery")
        .col(id())
        .col(uuid("endpoint_id"))
        .col(uuid_null("event_id"))
        .col(string_len("kind", 64))
        .col(uuid("subject_id"))
        .col(text("body"))
        .col(choice("state"))
        .col(integer("attempts"))
        .col(instant("due_at"))
        .col(instant("expires_at"))
        .col(instant_null("lease_until"))
        .col(big_integer("fence"))
        .col(integer_null("status"))
        .col(string_len_null("detail", 200))
        .col(instant_null("settled_at"))
        .col(instant("created_at"))
        .foreign_key(&mut reference("webhook_delivery", "endpoint_id", "webhook_endpoint"));
    manager.create_table(delivery).await?;
    // What makes an event reach an endpoint once.
    manager.create_index(unique("webhook_delivery", &["endpoint_id", "event_id"])).await?;
    manager.create_index(index("webhook_delivery", &["endpoint_id", "id"])).await?;
    manager.create_index(index("webhook_delivery", &["created_at", "id"])).await?;
    for (name, columns) in [
        ("webhook_delivery_due_idx", &["due_at", "id"][..]),
        ("webhook_delivery_record_idx", &["subject_id", "endpoint_id", "id"]),
    ] {
        let unsettled = Expr::col("settled_at").is_null();
        let index = index("webhook_delivery", columns).name(name).and_where(unsettled).to_owned();
        manager.create_index(index).await?;
    }
    Ok(())
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop_all(manager, &["webhook_endpoint", "webhook_delivery"]).await
}
