//! Collecting what is owed: disputes, promises to pay, notices with the levels that invoices reach, and charges.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, date, date_null, integer, integer_null,
    json_binary_null, string_len_null, text_null, uuid, uuid_null,
};

use crate::column::{
    choice, created, currency, drop_all, id, index, instant_null, reference, unique, updated,
};

/// What is added to tables that are there.
fn added() -> [(&'static str, &'static str, ColumnDef); 11] {
    [
        ("invoice", "kind", choice("kind").default("INVOICE").take()),
        ("invoice", "about_id", uuid_null("about_id")),
        ("invoice", "charge_key", string_len_null("charge_key", 100)),
        ("invoice", "waived_until", date_null("waived_until")),
        ("invoice", "disputed_amount", big_integer("disputed_amount").default(0).take()),
        ("invoice", "undisputed_at", instant_null("undisputed_at")),
        ("invoice", "promised_until", date_null("promised_until")),
        ("invoice", "broken_at", instant_null("broken_at")),
        ("invoice", "dunning_level", integer("dunning_level").default(0).take()),
        ("invoice", "dunned_at", instant_null("dunned_at")),
        ("workflow_run", "memory", json_binary_null("memory")),
    ]
}

/// What is added to customers.
fn of_customers() -> [(&'static str, ColumnDef); 2] {
    [
        ("dunning_excluded", boolean("dunning_excluded").default(false).take()),
        ("dunning_paused_until", date_null("dunning_paused_until")),
    ]
}

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for (table, _, column) in added() {
        manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
    }
    for (_, column) in of_customers() {
        let add = Table::alter().table("customer").add_column(column).to_owned();
        manager.alter_table(add).await?;
    }
    manager.create_index(unique("invoice", &["charge_key"])).await?;
    manager.create_index(index("invoice", &["about_id"])).await?;

    let mut dispute = Table::create();
    dispute
        .table("dispute")
        .col(id())
        .col(uuid("invoice_id"))
        .col(uuid("customer_id"))
        .col(choice("state"))
        .col(choice("cause"))
        .col(currency())
        .col(big_integer("amount"))
        .col(text_null("detail"))
        .col(date("opened_on"))
        .col(date_null("resolved_on"))
        .col(text_null("resolution"))
        .col(uuid_null("credit_note_id"))
        .foreign_key(&mut reference("dispute", "invoice_id", "invoice"))
        .foreign_key(&mut reference("dispute", "customer_id", "customer"))
        .foreign_key(&mut reference("dispute", "credit_note_id", "credit_note"));
    manager.create_table(updated(created(&mut dispute)).to_owned()).await?;
    manager.create_index(index("dispute", &["invoice_id", "id"])).await?;
    manager.create_index(index("dispute", &["customer_id", "id"])).await?;
    manager.create_index(index("dispute", &["state", "id"])).await?;

    let mut promise = Table::create();
    promise
        .table("promise")
        .col(id())
        .col(uuid("customer_id"))
        .col(choice("state"))
        .col(currency())
        .col(big_integer("amount"))
        .col(big_integer("paid"))
        .col(date("made_on"))
        .col(date("promised_on"))
        .col(integer("grace_days"))
        .col(date("until_on"))
        .col(date_null("settled_on"))
        .col(uuid_null("call_id"))
        .col(text_null("detail"))
        .foreign_key(&mut reference("promise", "customer_id", "customer"))
        .foreign_key(reference("promise", "call_id", "call").on_delete(ForeignKeyAction::SetNull));
    manager.create_table(updated(created(&mut promise)).to_owned()).await?;
    manager.create_index(index("promise", &["customer_id", "id"])).await?;
    manager.create_index(index("promise", &["state", "until_on"])).await?;
    manager.create_index(index("promise", &["call_id"])).await?;

    let mut item = Table::create();
    item.table("promise_item")
        .col(id())
        .col(uuid("promise_id"))
        .col(uuid("invoice_id"))
        .col(big_integer("open"))
        .foreign_key(&mut reference("promise_item", "promise_id", "promise"))
        .foreign_key(&mut reference("promise_item", "invoice_id", "invoice"));
    manager.create_table(created(&mut item).to_owned()).await?;
    manager.create_index(unique("promise_item", &["promise_id", "invoice_id"])).await?;
    manager.create_index(index("promise_item", &["invoice_id"])).await?;

    let mut notice = Table::create();
    notice
        .table("dunning_notice")
        .col(id())
        .col(uuid("customer_id"))
        .col(uuid("workflow_id"))
        .col(currency())
        .col(choice("channel"))
        .col(choice("scope"))
        .col(integer("level"))
        .col(big_integer_null("total"))
        .col(big_integer_null("charged"))
        .col(integer_null("invoices"))
        .col(date_null("first_due_on"))
        .foreign_key(&mut reference("dunning_notice", "customer_id", "customer"))
        .foreign_key(&mut reference("dunning_notice", "workflow_id", "workflow"));
    manager.create_table(created(&mut notice).to_owned()).await?;
    manager.create_index(index("dunning_notice", &["customer_id", "id"])).await?;
    manager.create_index(index("dunning_notice", &["workflow_id", "id"])).await?;

    let mut item = Table::create();
    item.table("dunning_item")
        .col(id())
        .col(uuid("notice_id"))
        .col(uuid("invoice_id"))
        .col(choice("channel"))
        .col(integer("level"))
        .col(integer("days_late"))
        .col(big_integer("open"))
        .foreign_key(&mut reference("dunning_item", "notice_id", "dunning_notice"))
        .foreign_key(&mut reference("dunning_item", "invoice_id", "invoice"));
    manager.create_table(created(&mut item).to_owned()).await?;
    manager.create_index(unique("dunning_item", &["invoice_id", "level", "channel"])).await?;
    manager.create_index(index("dunning_item", &["notice_id", "id"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let tables = ["dispute", "promise", "promise_item", "dunning_notice", "dunning_item"];
    drop_all(manager, &tables).await?;
    for name in ["invoice_charge_key_key", "invoice_about_id_idx"] {
        manager.drop_index(Index::drop().name(name).table("invoice").to_owned()).await?;
    }
    for (name, _) in of_customers() {
        manager.alter_table(Table::alter().table("customer").drop_column(name).to_owned()).await?;
    }
    for (table, name, _) in added() {
        manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
    }
    Ok(())
}
