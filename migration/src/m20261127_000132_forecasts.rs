//! Forecasts of workflows that were kept, and how much was planned since.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, integer, json_binary, uuid, uuid_null};

use crate::column::{created, drop_all, id, index, instant, instant_null, reference};

const ADDED: [&str; 2] = ["workflow", "workflow_version"];

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut forecast = Table::create();
    forecast
        .table("workflow_forecast")
        .col(id())
        .col(uuid("workflow_id"))
        .col(instant("from_at"))
        .col(instant("until_at"))
        .col(big_integer("runs"))
        .col(big_integer("sent"))
        .col(integer("tolerance"))
        .col(json_binary("figures"))
        .col(big_integer("planned"))
        .col(instant_null("exceeded_at"))
        .col(instant_null("accepted_at"));
    created(&mut forecast).foreign_key(&mut reference(
        "workflow_forecast",
        "workflow_id",
        "workflow",
    ));
    manager.create_table(forecast).await?;
    manager.create_index(index("workflow_forecast", &["workflow_id"])).await?;
    for table in ADDED {
        let mut add = Table::alter();
        add.table(table).add_column(uuid_null("forecast_id"));
        manager.alter_table(add).await?;
    }
    Ok(())
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for table in ADDED {
        let mut drop = Table::alter();
        drop.table(table).drop_column("forecast_id");
        manager.alter_table(drop).await?;
    }
    drop_all(manager, &["workflow_forecast"]).await
}
