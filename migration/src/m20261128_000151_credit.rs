//! Credit: what customers may owe, payment plans, what is given up or handed over, and notices that somebody approves.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, date, date_null, integer_null, string_len_null, text_null, uuid,
    uuid_null,
};

use crate::column::{
    choice, choice_null, created, currency, drop_all, id, index, instant_null, reference, unique,
    updated,
};

/// What is added to tables that are there.
fn added() -> [(&'static str, &'static str, ColumnDef); 7] {
    [
        ("promise", "kind", choice("kind").default("PROMISE").take()),
        ("credit_note", "kind", choice("kind").default("CREDIT").take()),
        ("invoice", "handed_over_on", date_null("handed_over_on")),
        ("invoice", "handed_over_to", string_len_null("handed_over_to", 200)),
        ("dunning_notice", "approval", choice_null("approval")),
        ("dunning_notice", "approved_at", instant_null("approved_at")),
        ("dunning_notice", "approved_by", uuid_null("approved_by")),
    ]
}

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for (table, _, column) in added() {
        manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
    }
    manager.create_index(index("dunning_notice", &["approval", "id"])).await?;

    let mut instalment = Table::create();
    instalment
        .table("promise_instalment")
        .col(id())
        .col(uuid("promise_id"))
        .col(date("due_on"))
        .col(big_integer("amount"))
        .foreign_key(&mut reference("promise_instalment", "promise_id", "promise"));
    manager.create_table(created(&mut instalment).to_owned()).await?;
    manager.create_index(unique("promise_instalment", &["promise_id", "due_on"])).await?;

    let mut limit = Table::create();
    limit
        .table("credit_limit")
        .col(id())
        .col(uuid("customer_id"))
        .col(currency())
        .col(big_integer("amount"))
        .col(choice("action"))
        .col(integer_null("hold_level"))
        .col(integer_null("hold_days"))
        .col(date_null("override_until"))
        .col(big_integer_null("override_amount"))
        .col(text_null("override_reason"))
        .foreign_key(&mut reference("credit_limit", "customer_id", "customer"));
    manager.create_table(updated(created(&mut limit)).to_owned()).await?;
    manager.create_index(unique("credit_limit", &["customer_id", "currency"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop_all(manager, &["promise_instalment", "credit_limit"]).await?;
    let index =
        Index::drop().name("dunning_notice_approval_id_idx").table("dunning_notice").to_owned();
    manager.drop_index(index).await?;
    for (table, name, _) in added() {
        manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
    }
    Ok(())
}
