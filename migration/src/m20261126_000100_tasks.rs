//! Tasks.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    integer_null, string_len, string_len_null, text, text_null, uuid_null,
};

use crate::column::{choice, created, drop_all, id, index, instant_null, reference, updated};
use crate::search;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut task = Table::create();
    task.table("task")
        .col(id())
        .col(string_len("title", 200))
        .col(text_null("description"))
        .col(uuid_null("customer_id"))
        .col(string_len_null("project", 100))
        .col(uuid_null("assignee_id"))
        .col(choice("priority"))
        .col(choice("state"))
        .col(instant_null("due_at"))
        .col(integer_null("estimate_min"))
        .col(integer_null("spent_min"))
        .col(instant_null("done_at"))
        .col(text("search_text"))
        .col(instant_null("deleted_at"))
        .foreign_key(&mut reference("task", "customer_id", "customer"))
        .foreign_key(&mut reference("task", "assignee_id", "user_account"));
    manager.create_table(updated(created(&mut task)).to_owned()).await?;
    manager.create_index(index("task", &["customer_id", "created_at", "id"])).await?;
    manager.create_index(index("task", &["assignee_id", "due_at", "id"])).await?;
    manager.create_index(index("task", &["due_at", "id"])).await?;
    manager.create_index(index("task", &["created_at", "id"])).await?;
    search::index(manager, "task").await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    search::unindex(manager, "task").await?;
    drop_all(manager, &["task"]).await
}
