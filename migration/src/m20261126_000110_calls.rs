//! Calls.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer_null, date_null, integer, integer_null, string_len, string_len_null, text,
    text_null, uuid, uuid_null,
};

use crate::column::{
    choice, created, drop_all, id, index, instant, instant_null, reference, unique, updated,
};
use crate::search;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut call = Table::create();
    call.table("call")
        .col(id())
        .col(uuid("customer_id"))
        .col(uuid_null("contact_id"))
        .col(uuid_null("assignee_id"))
        .col(choice("direction"))
        .col(choice("purpose"))
        .col(string_len("subject", 200))
        .col(choice("priority"))
        .col(instant("planned_at"))
        .col(integer("planned_min"))
        .col(instant("forgotten_at"))
        .col(text_null("needs"))
        .col(text_null("say"))
        .col(text_null("avoid"))
        .col(text_null("offer"))
        .col(choice("state"))
        .col(uuid_null("caller_id"))
        .col(instant_null("dialled_until"))
        .col(string_len_null("outcome", 32))
        .col(instant_null("started_at"))
        .col(integer_null("duration_s"))
        .col(instant_null("completed_at"))
        .col(text_null("note"))
        .col(big_integer_null("promised"))
        .col(string_len_null("promised_currency", 3))
        .col(date_null("promised_on"))
        .col(integer("attempt"))
        .col(uuid_null("first_id"))
        .col(uuid_null("next_id"))
        .col(instant_null("look_at"))
        .col(instant_null("noted_at"))
        .col(text("search_text"))
        .col(instant_null("deleted_at"))
        .foreign_key(&mut reference("call", "customer_id", "customer"))
        .foreign_key(
            reference("call", "contact_id", "contact").on_delete(ForeignKeyAction::SetNull),
        )
        .foreign_key(&mut reference("call", "assignee_id", "user_account"))
        .foreign_key(&mut reference("call", "caller_id", "user_account"))
        .foreign_key(&mut reference("call", "first_id", "call"))
        .foreign_key(&mut reference("call", "next_id", "call"));
    manager.create_table(updated(created(&mut call)).to_owned()).await?;
    manager.create_index(index("call", &["customer_id", "created_at", "id"])).await?;
    manager.create_index(index("call", &["contact_id"])).await?;
    manager.create_index(index("call", &["assignee_id", "planned_at", "id"])).await?;
    manager.create_index(index("call", &["planned_at", "id"])).await?;
    manager.create_index(index("call", &["created_at", "id"])).await?;
    manager.create_index(unique("call", &["first_id", "attempt"])).await?;
    manager.create_index(index("call", &["next_id"])).await?;
    manager.create_index(index("call", &["look_at"])).await?;
    search::index(manager, "call").await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    search::unindex(manager, "call").await?;
    drop_all(manager, &["call"]).await
}
