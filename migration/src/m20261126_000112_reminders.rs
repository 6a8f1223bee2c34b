//! Reminders of tasks and calls.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, integer, uuid, uuid_null};

use crate::column::{drop_all, id, index, instant, instant_null, reference, unique};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut reminder = Table::create();
    reminder
        .table("reminder")
        .col(id())
        .col(uuid_null("task_id"))
        .col(uuid_null("call_id"))
        .col(integer("before_s"))
        .col(uuid_null("user_id"))
        .col(instant_null("at"))
        .col(instant_null("due_at"))
        .col(instant_null("told_at"))
        .col(boolean("late"))
        .col(integer("snoozes"))
        .col(instant_null("dismissed_at"))
        .col(uuid("cause_id"))
        .col(instant("created_at"))
        .foreign_key(reference("reminder", "task_id", "task").on_delete(ForeignKeyAction::Cascade))
        .foreign_key(reference("reminder", "call_id", "call").on_delete(ForeignKeyAction::Cascade))
        .foreign_key(&mut reference("reminder", "user_id", "user_account"));
    manager.create_table(reminder).await?;
    manager.create_index(unique("reminder", &["task_id", "before_s"])).await?;
    manager.create_index(unique("reminder", &["call_id", "before_s"])).await?;
    manager.create_index(index("reminder", &["due_at"])).await?;
    manager.create_index(index("reminder", &["user_id", "due_at", "id"])).await?;
    manager.create_index(index("reminder", &["created_at", "id"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop_all(manager, &["reminder"]).await
}
