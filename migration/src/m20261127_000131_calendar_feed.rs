//! The secret addresses of users' calendars.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{string_len, uuid};

use crate::column::{drop_all, instant, reference, unique};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut feed = Table::create();
    feed.table("calendar_feed")
        .col(uuid("user_id").primary_key())
        .col(string_len("secret_sha256", 64))
        .col(instant("created_at"))
        .foreign_key(&mut reference("calendar_feed", "user_id", "user_account"));
    manager.create_table(feed).await?;
    manager.create_index(unique("calendar_feed", &["secret_sha256"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop_all(manager, &["calendar_feed"]).await
}
