//! Sessions, API keys, second factors, resets of passwords, and how often somebody has tried.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, binary, json_binary, string_len, string_len_null, uuid,
    uuid_null,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::column::{
    choice_null, created, drop_all, id, index, instant, instant_null, reference, unique,
};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    sessions(manager).await?;
    keys(manager).await?;
    factors(manager).await?;
    resets(manager).await?;
    manager
        .create_table(
            Table::create()
                .table("throttle")
                .col(string_len("bucket", 80).primary_key().take())
                .col(big_integer("full_at_us"))
                .to_owned(),
        )
        .await?;
    manager.create_index(index("throttle", &["full_at_us"])).await?;

    // Messages go to users, too.
    let mut alter = Table::alter();
    alter.table("message").add_column(uuid_null("user_id"));
    manager.alter_table(alter).await?;
    manager.create_index(index("message", &["user_id"])).await?;
    if manager.get_database_backend() == DbBackend::Postgres {
        manager.create_foreign_key(reference("message", "user_id", "user_account")).await?;
    }
    customer_of_message(manager, Null::Allowed).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    db.execute_unprepared("DELETE FROM message WHERE customer_id IS NULL").await?;
    customer_of_message(manager, Null::Refused).await?;
    if manager.get_database_backend() == DbBackend::Postgres {
        let drop = ForeignKey::drop().name("message_user_id_fkey").table("message").to_owned();
        manager.drop_foreign_key(drop).await?;
    }
    let drop = Index::drop().name("message_user_id_idx").table("message").to_owned();
    manager.drop_index(drop).await?;
    let mut alter = Table::alter();
    manager.alter_table(alter.table("message").drop_column("user_id").to_owned()).await?;
    let tables = [
        "user_session",
        "refresh_token",
        "api_key",
        "second_factor",
        "recovery_code",
        "password_reset",
        "throttle",
    ];
    drop_all(manager, &tables).await
}

async fn sessions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut session = Table::create();
    session
        .table("user_session")
        .col(id())
        .col(uuid("user_id"))
        .col(string_len_null("user_agent", 255))
        .col(string_len_null("address", 45))
        .col(instant("created_at"))
        .col(instant("seen_at"))
        .col(instant("expires_at"))
        .col(instant_null("ended_at"))
        .col(choice_null("ending"))
        .foreign_key(&mut reference("user_session", "user_id", "user_account"));
    manager.create_table(session).await?;
    manager.create_index(index("user_session", &["user_id", "id"])).await?;
    manager.create_index(index("user_session", &["expires_at"])).await?;

    let mut token = Table::create();
    token
        .table("refresh_token")
        .col(string_len("secret_sha256", 64).primary_key().take())
        .col(uuid("session_id"))
        .col(instant("created_at"))
        .col(instant_null("rotated_at"))
        .foreign_key(&mut reference("refresh_token", "session_id", "user_session"));
    manager.create_table(token).await?;
    manager.create_index(index("refresh_token", &["session_id"])).await
}

async fn keys(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut key = Table::create();
    key.table("api_key")
        .col(id())
        .col(uuid("user_id"))
        .col(string_len("name", 100))
        .col(string_len("visible", 16))
        .col(string_len("secret_sha256", 64))
        .col(json_binary("permissions"))
        .col(instant_null("expires_at"))
        .col(instant_null("revoked_at"))
        .col(instant_null("used_at"))
        .foreign_key(&mut reference("api_key", "user_id", "user_account"));
    manager.create_table(created(&mut key).to_owned()).await?;
    manager.create_index(unique("api_key", &["secret_sha256"])).await?;
    manager.create_index(index("api_key", &["user_id", "id"])).await
}

async fn factors(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut factor = Table::create();
    factor
        .table("second_factor")
        .col(uuid("user_id").primary_key().take())
        .col(binary("sealed_secret"))
        .col(instant("created_at"))
        .col(instant_null("confirmed_at"))
        .col(big_integer_null("last_step"))
        .foreign_key(&mut reference("second_factor", "user_id", "user_account"));
    manager.create_table(factor).await?;

    let mut code = Table::create();
    code.table("recovery_code")
        .col(uuid("user_id"))
        .col(string_len("secret_sha256", 64))
        .col(instant_null("used_at"))
        .primary_key(Index::create().col("user_id").col("secret_sha256"))
        .foreign_key(&mut reference("recovery_code", "user_id", "user_account"));
    manager.create_table(code).await
}

async fn resets(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut reset = Table::create();
    reset
        .table("password_reset")
        .col(id())
        .col(string_len("email", 320))
        .col(uuid_null("user_id"))
        .col(string_len_null("secret_sha256", 64))
        .col(instant("requested_at"))
        .col(instant("expires_at"))
        .col(instant_null("used_at"))
        .foreign_key(&mut reference("password_reset", "user_id", "user_account"));
    manager.create_table(reset).await?;
    manager.create_index(unique("password_reset", &["secret_sha256"])).await?;
    manager.create_index(index("password_reset", &["user_id"])).await?;
    manager.create_index(index("password_reset", &["expires_at"])).await
}

/// Whether a column may be null.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Null {
    Allowed,
    Refused,
}

/// Says whether a message may be without a customer. SQLite takes such a change in the text of the schema
/// (<https://www.sqlite.org/lang_altertable.html>, “the following simpler procedure”).
async fn customer_of_message(manager: &SchemaManager<'_>, null: Null) -> Result<(), DbErr> {
    let db = manager.get_connection();
    if manager.get_database_backend() == DbBackend::Postgres {
        let verb = if null == Null::Allowed { "DROP" } else { "SET" };
        let sql = format!("ALTER TABLE message ALTER COLUMN customer_id {verb} NOT NULL");
        return db.execute_unprepared(&sql).await.map(|_| ());
    }
    let (strict, lenient) =
        ("\"customer_id\" uuid_text NOT NULL", "\"customer_id\" uuid_text NULL");
    let (from, to) = match null {
        Null::Allowed => (strict, lenient),
        Null::Refused => (lenient, strict),
    };
    db.execute_unprepared(&format!(
        "PRAGMA writable_schema = ON; \
         UPDATE sqlite_schema SET sql = replace(sql, '{from}', '{to}') \
         WHERE type = 'table' AND name = 'message'; \
         PRAGMA writable_schema = RESET"
    ))
    .await
    .map(|_| ())
}
