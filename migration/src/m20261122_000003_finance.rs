//! Receivables: invoices, payments, what settles what, numbered documents, and the ledger.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, date, date_null, integer, string_len, string_len_null, text, text_null,
    uuid, uuid_null,
};

use crate::column::{
    append_only, choice, created, currency, drop_all, drop_append_only, id, index, reference,
    unique, updated,
};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("counter")
                .col(string_len("series", 16))
                .col(integer("year"))
                .col(big_integer("last"))
                .primary_key(Index::create().col("series").col("year"))
                .to_owned(),
        )
        .await?;
    invoices(manager).await?;
    payments(manager).await?;
    documents(manager).await?;
    ledger(manager).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop_append_only(manager, "ledger_entry").await?;
    drop_append_only(manager, "allocation").await?;
    let tables = [
        "counter",
        "invoice",
        "invoice_line",
        "payment",
        "allocation",
        "credit_note",
        "receipt",
        "ledger_entry",
    ];
    drop_all(manager, &tables).await
}

async fn invoices(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut invoice = Table::create();
    invoice
        .table("invoice")
        .col(id())
        .col(string_len("number", 64))
        .col(uuid("customer_id"))
        .col(choice("state"))
        .col(currency())
        .col(big_integer("net"))
        .col(big_integer("tax"))
        .col(big_integer("total"))
        .col(big_integer("paid"))
        .col(big_integer("credited"))
        .col(date("issued_on"))
        .col(date("due_on"))
        .col(boolean("disputed"))
        .col(string_len_null("reference", 200))
        .col(uuid_null("import_job_id"))
        .check((
            "invoice_amounts_check",
            Expr::cust(
                "paid >= 0 AND credited >= 0 AND paid + credited <= total AND net + tax = total",
            ),
        ))
        .foreign_key(&mut reference("invoice", "customer_id", "customer"))
        .foreign_key(&mut reference("invoice", "import_job_id", "job"));
    manager.create_table(updated(created(&mut invoice)).to_owned()).await?;
    manager.create_index(unique("invoice", &["number"])).await?;
    manager.create_index(index("invoice", &["customer_id", "state", "due_on"])).await?;
    manager.create_index(index("invoice", &["issued_on", "id"])).await?;
    manager.create_index(index("invoice", &["due_on", "id"])).await?;

    manager
        .create_table(
            Table::create()
                .table("invoice_line")
                .col(id())
                .col(uuid("invoice_id"))
                .col(integer("position"))
                .col(text("description"))
                .col(big_integer("quantity_milli"))
                .col(big_integer("unit_price"))
                .col(integer("tax_rate_bp"))
                .foreign_key(&mut reference("invoice_line", "invoice_id", "invoice"))
                .to_owned(),
        )
        .await?;
    manager.create_index(unique("invoice_line", &["invoice_id", "position"])).await
}

async fn payments(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut payment = Table::create();
    payment
        .table("payment")
        .col(id())
        .col(uuid("customer_id"))
        .col(choice("state"))
        .col(choice("method"))
        .col(currency())
        .col(big_integer("amount"))
        .col(big_integer("allocated"))
        .col(date("received_on"))
        .col(string_len_null("reference", 200))
        .col(date_null("reversed_on"))
        .col(text_null("reversal_reason"))
        .col(uuid_null("import_job_id"))
        .check((
            "payment_amounts_check",
            Expr::cust("amount > 0 AND allocated >= 0 AND allocated <= amount"),
        ))
        .foreign_key(&mut reference("payment", "customer_id", "customer"))
        .foreign_key(&mut reference("payment", "import_job_id", "job"));
    manager.create_table(updated(created(&mut payment)).to_owned()).await?;
    manager.create_index(index("payment", &["customer_id"])).await?;
    manager.create_index(index("payment", &["received_on", "id"])).await?;

    let mut allocation = Table::create();
    allocation
        .table("allocation")
        .col(id())
        .col(uuid("payment_id"))
        .col(uuid("invoice_id"))
        .col(big_integer("amount"))
        .col(big_integer("open_after"))
        .col(date("allocated_on"))
        .foreign_key(&mut reference("allocation", "payment_id", "payment"))
        .foreign_key(&mut reference("allocation", "invoice_id", "invoice"));
    manager.create_table(created(&mut allocation).to_owned()).await?;
    manager.create_index(index("allocation", &["payment_id"])).await?;
    manager.create_index(index("allocation", &["invoice_id"])).await?;
    append_only(manager, "allocation").await
}

async fn documents(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut credit_note = Table::create();
    credit_note
        .table("credit_note")
        .col(id())
        .col(string_len("number", 64))
        .col(uuid("invoice_id"))
        .col(uuid("customer_id"))
        .col(currency())
        .col(big_integer("net"))
        .col(big_integer("tax"))
        .col(big_integer("total"))
        .col(date("issued_on"))
        .col(text("reason"))
        .check(("credit_note_amounts_check", Expr::cust("total > 0 AND net + tax = total")))
        .foreign_key(&mut reference("credit_note", "invoice_id", "invoice"))
        .foreign_key(&mut reference("credit_note", "customer_id", "customer"));
    manager.create_table(created(&mut credit_note).to_owned()).await?;
    manager.create_index(unique("credit_note", &["number"])).await?;
    manager.create_index(index("credit_note", &["invoice_id"])).await?;

    let mut receipt = Table::create();
    receipt
        .table("receipt")
        .col(id())
        .col(string_len("number", 64))
        .col(choice("kind"))
        .col(uuid("payment_id"))
        .col(uuid_null("cancels_id"))
        .col(date("issued_on"))
        .foreign_key(&mut reference("receipt", "payment_id", "payment"))
        .foreign_key(&mut reference("receipt", "cancels_id", "receipt"));
    manager.create_table(created(&mut receipt).to_owned()).await?;
    manager.create_index(unique("receipt", &["number"])).await?;
    manager.create_index(unique("receipt", &["payment_id", "kind"])).await
}

async fn ledger(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut entry = Table::create();
    entry
        .table("ledger_entry")
        .col(id())
        .col(uuid("transaction_id"))
        .col(choice("account"))
        .col(uuid("customer_id"))
        .col(uuid_null("invoice_id"))
        .col(uuid_null("payment_id"))
        .col(uuid_null("credit_note_id"))
        .col(currency())
        .col(big_integer("amount"))
        .col(date("booked_on"))
        .foreign_key(&mut reference("ledger_entry", "customer_id", "customer"))
        .foreign_key(&mut reference("ledger_entry", "invoice_id", "invoice"))
        .foreign_key(&mut reference("ledger_entry", "payment_id", "payment"))
        .foreign_key(&mut reference("ledger_entry", "credit_note_id", "credit_note"));
    manager.create_table(created(&mut entry).to_owned()).await?;
    manager
        .create_index(index("ledger_entry", &["customer_id", "currency", "account", "booked_on"]))
        .await?;
    manager.create_index(index("ledger_entry", &["transaction_id"])).await?;
    manager.create_index(index("ledger_entry", &["payment_id"])).await?;
    append_only(manager, "ledger_entry").await
}
