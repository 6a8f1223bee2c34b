//! The organisation, its users, what they upload, the work they wait for, and what they asked already.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, json_binary, json_binary_null, string_len, string_len_null,
    text, uuid, uuid_null,
};

use crate::column::{
    choice, created, currency, drop_all, id, index, instant, instant_null, reference, unique,
    updated,
};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut organisation = Table::create();
    organisation
        .table("organisation")
        .col(id())
        .col(string_len("name", 200))
        .col(text("address"))
        .col(string_len_null("tax_number", 64))
        .col(string_len("email", 320))
        .col(string_len_null("phone", 64))
        .col(string_len("time_zone", 64))
        .col(currency())
        .col(string_len("locale", 16));
    manager.create_table(updated(&mut organisation).to_owned()).await?;

    let mut user = Table::create();
    user.table("user_account")
        .col(id())
        .col(string_len("email", 320))
        .col(string_len("name", 200))
        .col(text("password_hash"))
        .col(choice("role"))
        .col(instant_null("disabled_at"));
    manager.create_table(updated(created(&mut user)).to_owned()).await?;
    manager.create_index(unique("user_account", &["email"])).await?;

    let mut file = Table::create();
    file.table("file")
        .col(id())
        .col(string_len("name", 255))
        .col(big_integer("size"))
        .col(string_len("sha256", 64))
        .col(string_len("storage_key", 255));
    manager.create_table(created(&mut file).to_owned()).await?;

    let mut job = Table::create();
    job.table("job")
        .col(id())
        .col(string_len("kind", 32))
        .col(choice("state"))
        .col(json_binary("input"))
        .col(json_binary_null("report"))
        .col(big_integer("done"))
        .col(big_integer_null("total"))
        .col(instant("due_at"))
        .col(instant_null("enqueued_at"))
        .col(instant_null("lease_until"))
        .col(big_integer("fence"))
        .col(instant_null("started_at"))
        .col(instant_null("finished_at"));
    manager.create_table(created(&mut job).to_owned()).await?;
    manager.create_index(index("job", &["state", "due_at"])).await?;

    manager
        .create_table(
            Table::create()
                .table("idempotency_key")
                .col(uuid("user_id"))
                .col(string_len("key", 255))
                .col(string_len("operation", 64))
                .col(string_len("input_sha256", 64))
                .col(uuid_null("outcome"))
                .col(instant("created_at"))
                .primary_key(Index::create().col("user_id").col("key"))
                .foreign_key(&mut reference("idempotency_key", "user_id", "user_account"))
                .to_owned(),
        )
        .await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    drop_all(manager, &["organisation", "user_account", "file", "job", "idempotency_key"]).await
}
