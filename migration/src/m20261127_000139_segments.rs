//! Segments of customers, and who belongs to them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{json_binary, string_len, uuid};

use crate::column::{
    created, drop_all, id, index, instant, instant_null, reference, unique, updated,
};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut segment = Table::create();
    segment
        .table("segment")
        .col(id())
        .col(string_len("name", 100))
        .col(json_binary("filter"))
        .col(instant_null("filled_at"))
        .col(instant("look_at"));
    manager.create_table(updated(created(&mut segment)).to_owned()).await?;
    manager.create_index(unique("segment", &["name"])).await?;
    manager.create_index(index("segment", &["look_at"])).await?;

    let mut member = Table::create();
    member
        .table("segment_member")
        .col(id())
        .col(uuid("segment_id"))
        .col(uuid("customer_id"))
        .col(instant("since_at"))
        .foreign_key(&mut reference("segment_member", "segment_id", "segment"))
        .foreign_key(&mut reference("segment_member", "customer_id", "customer"));
    manager.create_table(member).await?;
    manager.create_index(unique("segment_member", &["segment_id", "customer_id"])).await?;
    manager.create_index(index("segment_member", &["customer_id", "since_at", "id"])).await?;
    manager.create_index(index("segment_member", &["segment_id", "since_at", "id"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop_all(manager, &["segment", "segment_member"]).await
}
