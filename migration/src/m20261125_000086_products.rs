//! Products.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, integer, string_len, string_len_null, text, text_null,
};

use crate::column::{created, currency, drop_all, id, instant_null, unique, updated};
use crate::search;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut product = Table::create();
    product
        .table("product")
        .col(id())
        .col(string_len("code", 64))
        .col(string_len("name", 200))
        .col(text_null("description"))
        .col(string_len_null("unit", 16))
        .col(big_integer("price"))
        .col(currency())
        .col(integer("tax_rate_bp"))
        .col(boolean("active"))
        .col(text("search_text"))
        .col(instant_null("deleted_at"));
    manager.create_table(updated(created(&mut product)).to_owned()).await?;
    manager.create_index(unique("product", &["code"])).await?;
    search::index(manager, "product").await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    search::unindex(manager, "product").await?;
    drop_all(manager, &["product"]).await
}
