//! Statements of account.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, date, date_null, integer, json_binary, string_len,
    uuid, uuid_null,
};

use crate::column::{choice, created, currency, drop_all, id, index, reference, unique};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut statement = Table::create();
    statement
        .table("statement")
        .col(id())
        .col(string_len("effect_key", 128))
        .col(uuid("customer_id"))
        .col(currency())
        .col(choice("kind"))
        .col(date_null("from_on"))
        .col(date("until_on"))
        .col(integer("revision"))
        .col(uuid_null("previous_id"))
        .col(big_integer_null("opening"))
        .col(big_integer("adjustment"))
        .col(big_integer("closing"))
        .col(big_integer("overdue"))
        .col(json_binary("content"))
        .col(boolean("wanted"))
        .col(uuid_null("run_id"))
        .foreign_key(&mut reference("statement", "customer_id", "customer"))
        .foreign_key(&mut reference("statement", "previous_id", "statement"));
    manager.create_table(created(&mut statement).to_owned()).await?;
    manager.create_index(unique("statement", &["effect_key"])).await?;
    manager.create_index(index("statement", &["customer_id", "kind", "until_on"])).await?;
    manager.create_index(index("statement", &["until_on", "id"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop_all(manager, &["statement"]).await
}
