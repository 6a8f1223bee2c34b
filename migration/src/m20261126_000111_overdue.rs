//! When tasks are looked at, whether they were done.

use sea_orm_migration::prelude::*;

use crate::column::{index, instant_null};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for column in ["look_at", "noted_at"] {
        let add = Table::alter().table("task").add_column(instant_null(column)).to_owned();
        manager.alter_table(add).await?;
    }
    let look = Query::update()
        .table("task")
        .value("look_at", Expr::col("due_at"))
        .and_where(Expr::col("state").eq("OPEN"))
        .to_owned();
    manager.execute(look).await?;
    manager.create_index(index("task", &["look_at"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager.drop_index(Index::drop().name("task_look_at_idx").table("task").to_owned()).await?;
    for column in ["look_at", "noted_at"] {
        let drop = Table::alter().table("task").drop_column(column).to_owned();
        manager.alter_table(drop).await?;
    }
    Ok(())
}
