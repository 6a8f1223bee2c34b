//! What may reach customers: policies, consents, suppressions, holidays; and what workflows send them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    date, integer, integer_null, json_binary, json_binary_null, string_len, string_len_null, text,
    text_null, uuid, uuid_null,
};

use crate::column::{
    choice, created, drop_all, id, index, instant, instant_null, reference, unique, updated,
};

/// What a message has from then on.
fn columns() -> [ColumnDef; 6] {
    [
        uuid_null("run_id"),
        uuid_null("version_id"),
        string_len_null("step", 64),
        string_len_null("topic", 64),
        integer_null("policy"),
        json_binary_null("trace"),
    ]
}

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut policy = Table::create();
    policy
        .table("contact_policy")
        .col(id())
        .col(integer("number"))
        .col(json_binary("rules"))
        .col(json_binary("packs"));
    manager.create_table(created(&mut policy).to_owned()).await?;
    manager.create_index(unique("contact_policy", &["number"])).await?;

    let mut consent = Table::create();
    consent
        .table("consent")
        .col(id())
        .col(uuid("customer_id"))
        .col(choice("channel"))
        .col(string_len_null("topic", 64))
        .col(choice("standing"))
        .col(choice("basis"))
        .col(text("proof"))
        .col(instant("said_at"))
        .foreign_key(&mut reference("consent", "customer_id", "customer"));
    manager.create_table(created(&mut consent).to_owned()).await?;
    manager.create_index(index("consent", &["customer_id", "said_at", "id"])).await?;

    let mut suppression = Table::create();
    suppression
        .table("suppression")
        .col(id())
        .col(string_len("address_sha256", 64))
        .col(choice("channel"))
        .col(string_len("cause", 32))
        .col(text_null("detail"))
        .col(instant_null("lifted_at"));
    manager.create_table(updated(created(&mut suppression)).to_owned()).await?;
    let once = unique("suppression", &["address_sha256", "channel", "cause"])
        .and_where(Expr::col("lifted_at").is_null())
        .to_owned();
    manager.create_index(once).await?;
    manager.create_index(index("suppression", &["created_at", "id"])).await?;

    let mut holiday = Table::create();
    holiday
        .table("holiday")
        .col(id())
        .col(string_len("country", 2))
        .col(date("day_on"))
        .col(string_len("name", 100));
    manager.create_table(created(&mut holiday).to_owned()).await?;
    manager.create_index(unique("holiday", &["country", "day_on"])).await?;

    for column in columns() {
        let alter = Table::alter().table("message").add_column(column).to_owned();
        manager.alter_table(alter).await?;
    }
    manager.create_index(index("message", &["customer_id", "transmitted_at"])).await?;
    manager.create_index(index("message", &["run_id"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for name in ["message_run_id_idx", "message_customer_id_transmitted_at_idx"] {
        manager.drop_index(Index::drop().name(name).table("message").to_owned()).await?;
    }
    for column in columns() {
        let name = Alias::new(column.get_column_name());
        let alter = Table::alter().table("message").drop_column(name).to_owned();
        manager.alter_table(alter).await?;
    }
    drop_all(manager, &["contact_policy", "consent", "suppression", "holiday"]).await
}
