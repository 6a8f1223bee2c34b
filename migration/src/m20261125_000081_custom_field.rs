//! Custom fields of customers: their definitions, and a column for all values.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, integer, json_binary, string_len, string_len_null};
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::{choice, created, id, instant_null, unique, updated};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut field = Table::create();
    field
        .table("custom_field")
        .col(id())
        .col(string_len("key", 40))
        .col(string_len("label", 100))
        .col(json_binary("labels"))
        .col(choice("kind"))
        .col(boolean("required"))
        .col(json_binary("choices"))
        .col(string_len_null("purpose", 500))
        .col(choice("sensitivity"))
        .col(json_binary("visible_to"))
        .col(integer("position"))
        .col(instant_null("archived_at"));
    manager.create_table(updated(created(&mut field)).to_owned()).await?;
    manager.create_index(unique("custom_field", &["key"])).await?;

    let values = json_binary("custom").default("{}").take();
    let add = Table::alter().table("customer").add_column(values).to_owned();
    manager.alter_table(add).await?;
    if manager.get_database_backend() == DbBackend::Postgres {
        let index =
            "CREATE INDEX customer_custom_idx ON customer USING gin (custom jsonb_path_ops)";
        manager.get_connection().execute_unprepared(index).await?;
    }
    Ok(())
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let drop = Table::alter().table("customer").drop_column("custom").to_owned();
    manager.alter_table(drop).await?;
    manager.drop_table(Table::drop().table("custom_field").to_owned()).await
}
