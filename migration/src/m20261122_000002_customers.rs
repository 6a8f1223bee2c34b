//! Customers, the people at them, and where they are.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, string_len, string_len_null, text, uuid, uuid_null};

use crate::column::{
    choice, choice_null, created, currency, drop_all, id, index, instant_null, reference, unique,
    updated,
};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut customer = Table::create();
    customer
        .table("customer")
        .col(id())
        .col(string_len_null("number", 64))
        .col(choice("kind"))
        .col(choice("stage"))
        .col(string_len("display_name", 200))
        .col(text("search_text"))
        .col(uuid_null("owner_id"))
        .col(choice_null("preferred_channel"))
        .col(string_len_null("email", 320))
        .col(string_len_null("phone", 64))
        .col(string_len_null("tax_number", 64))
        .col(string_len("language", 16))
        .col(string_len("time_zone", 64))
        .col(currency())
        .col(uuid_null("import_job_id"))
        .col(instant_null("deleted_at"))
        .foreign_key(&mut reference("customer", "owner_id", "user_account"))
        .foreign_key(&mut reference("customer", "import_job_id", "job"));
    manager.create_table(updated(created(&mut customer)).to_owned()).await?;
    manager.create_index(unique("customer", &["number"])).await?;
    manager.create_index(index("customer", &["display_name", "id"])).await?;
    manager.create_index(index("customer", &["created_at", "id"])).await?;
    manager.create_index(index("customer", &["owner_id"])).await?;

    let mut contact = Table::create();
    contact
        .table("contact")
        .col(id())
        .col(uuid("customer_id"))
        .col(string_len("name", 200))
        .col(string_len_null("role", 100))
        .col(string_len_null("email", 320))
        .col(string_len_null("phone", 64))
        .col(boolean("billing"))
        .foreign_key(&mut reference("contact", "customer_id", "customer"));
    manager.create_table(created(&mut contact).to_owned()).await?;
    manager.create_index(index("contact", &["customer_id"])).await?;

    let mut address = Table::create();
    address
        .table("address")
        .col(id())
        .col(uuid("customer_id"))
        .col(choice("kind"))
        .col(text("lines"))
        .col(string_len_null("city", 100))
        .col(string_len_null("region", 100))
        .col(string_len_null("postcode", 16))
        .col(string_len_null("country", 2))
        .foreign_key(&mut reference("address", "customer_id", "customer"));
    manager.create_table(created(&mut address).to_owned()).await?;
    manager.create_index(index("address", &["customer_id"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop_all(manager, &["customer", "contact", "address"]).await
}
