//! The outbox, and the ledger of everything ever meant for a customer.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, binary_null, integer, json_binary, json_binary_null, string_len, string_len_null,
    text_null, uuid, uuid_null,
};

use crate::column::{
    choice, created, drop_all, id, index, instant, instant_null, reference, unique,
};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("event")
                .col(id())
                .col(string_len("kind", 64))
                .col(uuid("subject_id"))
                .col(uuid_null("customer_id"))
                .col(json_binary("payload"))
                .col(instant("occurred_at"))
                .col(uuid_null("actor_id"))
                .col(instant_null("relayed_at"))
                .to_owned(),
        )
        .await?;
    let pending = Expr::col("relayed_at").is_null();
    manager
        .create_index(
            index("event", &["id"]).name("event_pending_idx").and_where(pending).to_owned(),
        )
        .await?;
    manager.create_index(index("event", &["subject_id"])).await?;

    let mut message = Table::create();
    message
        .table("message")
        .col(id())
        .col(string_len("effect_key", 200))
        .col(choice("class"))
        .col(string_len("kind", 32))
        .col(choice("channel"))
        .col(uuid("customer_id"))
        .col(uuid("subject_id"))
        .col(uuid_null("event_id"))
        .col(uuid_null("copy_of_id"))
        .col(choice("state"))
        .col(string_len_null("reason", 32))
        .col(text_null("detail"))
        .col(json_binary_null("facts"))
        .col(string_len_null("recipient", 320))
        .col(string_len("message_id", 255))
        .col(text_null("subject"))
        .col(binary_null("body"))
        .col(string_len_null("body_sha256", 64))
        .col(instant("due_at"))
        .col(instant("expires_at"))
        .col(integer("attempts"))
        .col(instant_null("enqueued_at"))
        .col(instant_null("lease_until"))
        .col(big_integer("fence"))
        .col(instant_null("transmitted_at"))
        .col(instant_null("settled_at"))
        .foreign_key(&mut reference("message", "customer_id", "customer"))
        .foreign_key(&mut reference("message", "event_id", "event"))
        .foreign_key(&mut reference("message", "copy_of_id", "message"));
    manager.create_table(created(&mut message).to_owned()).await?;
    manager.create_index(unique("message", &["effect_key"])).await?;
    manager.create_index(unique("message", &["message_id"])).await?;
    manager.create_index(index("message", &["customer_id", "id"])).await?;
    manager.create_index(index("message", &["subject_id"])).await?;
    let unsettled = Expr::col("settled_at").is_null();
    manager
        .create_index(
            index("message", &["due_at", "id"])
                .name("message_unsettled_idx")
                .and_where(unsettled)
                .to_owned(),
        )
        .await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop_all(manager, &["event", "message"]).await
}
