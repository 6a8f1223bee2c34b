//! What users are told, which of it each of them wants, and the language they are told it in.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, integer, string_len, string_len_null, uuid, uuid_null};

use crate::column::{choice, drop_all, id, index, instant, instant_null, reference, unique};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut notification = Table::create();
    notification
        .table("notification")
        .col(id())
        .col(uuid("user_id"))
        .col(string_len("kind", 32))
        .col(uuid("cause_id"))
        .col(string_len_null("subject_kind", 8))
        .col(uuid_null("subject_id"))
        .col(uuid_null("actor_id"))
        .col(string_len_null("detail", 32))
        .col(integer("times"))
        .col(boolean("mailed"))
        .col(instant("created_at"))
        .col(instant("happened_at"))
        .col(instant_null("read_at"))
        .col(instant_null("deleted_at"))
        .col(instant_null("relayed_at"))
        .foreign_key(&mut reference("notification", "user_id", "user_account"));
    manager.create_table(notification).await?;
    let once = unique("notification", &["user_id", "kind", "cause_id"]);
    manager.create_index(once).await?;
    manager.create_index(index("notification", &["user_id", "happened_at", "id"])).await?;
    manager.create_index(index("notification", &["user_id", "read_at"])).await?;
    manager.create_index(index("notification", &["relayed_at"])).await?;
    manager.create_index(index("notification", &["happened_at"])).await?;

    let mut setting = Table::create();
    setting
        .table("notification_setting")
        .col(uuid("user_id"))
        .col(string_len("kind", 32))
        .col(choice("delivery"))
        .primary_key(Index::create().col("user_id").col("kind"))
        .foreign_key(&mut reference("notification_setting", "user_id", "user_account"));
    manager.create_table(setting).await?;

    let mut user = Table::alter();
    user.table("user_account").add_column(string_len_null("language", 35));
    manager.alter_table(user).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut user = Table::alter();
    user.table("user_account").drop_column("language");
    manager.alter_table(user).await?;
    drop_all(manager, &["notification", "notification_setting"]).await
}
