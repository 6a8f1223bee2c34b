//! Users who are invited by mail, and when an administrator last ended what they were logged in with.

use sea_orm_migration::prelude::*;

use crate::column::{choice, instant_null};

/// What users have since.
const OF_USERS: [&str; 3] = ["invited_at", "second_factor_reset_at", "sessions_ended_at"];

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for column in OF_USERS {
        let mut user = Table::alter();
        user.table("user_account").add_column(instant_null(column));
        manager.alter_table(user).await?;
    }
    let mut token = Table::alter();
    token.table("password_reset").add_column(choice("purpose").not_null().default("RESET").take());
    manager.alter_table(token).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut token = Table::alter();
    token.table("password_reset").drop_column("purpose");
    manager.alter_table(token).await?;
    for column in OF_USERS {
        let mut user = Table::alter();
        user.table("user_account").drop_column(column);
        manager.alter_table(user).await?;
    }
    Ok(())
}
