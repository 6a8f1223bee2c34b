//! Orders, and which invoices are for them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, date, string_len, string_len_null, text, uuid, uuid_null,
};

use crate::column::{choice, created, currency, drop_all, id, index, reference, unique, updated};
use crate::search;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut order = Table::create();
    order
        .table("sales_order")
        .col(id())
        .col(string_len("number", 64))
        .col(uuid("customer_id"))
        .col(choice("state"))
        .col(currency())
        .col(big_integer("total"))
        .col(big_integer("invoiced"))
        .col(date("ordered_on"))
        .col(string_len_null("reference", 200))
        .col(text("search_text"))
        .foreign_key(&mut reference("sales_order", "customer_id", "customer"));
    manager.create_table(updated(created(&mut order)).to_owned()).await?;
    manager.create_index(unique("sales_order", &["number"])).await?;
    manager.create_index(index("sales_order", &["customer_id", "state"])).await?;
    manager.create_index(index("sales_order", &["ordered_on", "id"])).await?;
    search::index(manager, "sales_order").await?;
    let add = Table::alter().table("invoice").add_column(uuid_null("order_id")).to_owned();
    manager.alter_table(add).await?;
    manager.create_index(index("invoice", &["order_id"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let index = Index::drop().name("invoice_order_id_idx").table("invoice").to_owned();
    manager.drop_index(index).await?;
    let drop = Table::alter().table("invoice").drop_column("order_id").to_owned();
    manager.alter_table(drop).await?;
    search::unindex(manager, "sales_order").await?;
    drop_all(manager, &["sales_order"]).await
}
