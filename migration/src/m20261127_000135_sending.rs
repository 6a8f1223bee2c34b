//! How much was sent, and whether sending is on hold.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, string_len_null, uuid};
use uuid::Uuid;

use crate::column::{drop_all, instant_null};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut count = Table::create();
    count.table("sending_count").col(uuid("token").primary_key()).col(big_integer("count"));
    manager.create_table(count).await?;
    let first = Query::insert()
        .into_table("sending_count")
        .columns(["token", "count"])
        .values_panic([Uuid::new_v4().into(), 0_i64.into()])
        .to_owned();
    manager.execute(first).await?;
    for column in [instant_null("sending_held_at"), string_len_null("sending_held_why", 16)] {
        let add = Table::alter().table("organisation").add_column(column).to_owned();
        manager.alter_table(add).await?;
    }
    Ok(())
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for column in ["sending_held_at", "sending_held_why"] {
        let drop = Table::alter().table("organisation").drop_column(column).to_owned();
        manager.alter_table(drop).await?;
    }
    drop_all(manager, &["sending_count"]).await
}
