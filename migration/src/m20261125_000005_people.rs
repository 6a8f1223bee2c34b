//! Roles, teams, positions, what is shared, and who is away.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, string_len, uuid, uuid_null};
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::{
    choice, choice_null, created, drop_all, id, index, instant, reference, unique, updated,
};

/// The roles that Rapport brings along: the last digits of their ids, their keys and their names.
const ROLES: [(u128, &str, &str); 4] = [
    (1, "ADMINISTRATOR", "Administrator"),
    (2, "ACCOUNTANT", "Accountant"),
    (3, "SALES", "Sales"),
    (4, "AUDITOR", "Auditor"),
];

fn role_id(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(0x019a_b9a4_6400_7000_8000_0000_0000_0000 + number)
}

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut role = Table::create();
    role.table("role").col(id()).col(choice_null("key")).col(string_len("name", 100));
    manager.create_table(updated(created(&mut role)).to_owned()).await?;
    manager.create_index(unique("role", &["key"])).await?;
    manager.create_index(unique("role", &["name"])).await?;

    let mut grant = Table::create();
    grant
        .table("role_grant")
        .col(id())
        .col(uuid("role_id"))
        .col(string_len("permission", 32))
        .col(choice("scope"))
        .foreign_key(&mut reference("role_grant", "role_id", "role"));
    manager.create_table(created(&mut grant).to_owned()).await?;
    manager.create_index(unique("role_grant", &["role_id", "permission"])).await?;

    let mut team = Table::create();
    team.table("team").col(id()).col(string_len("name", 100));
    manager.create_table(updated(created(&mut team)).to_owned()).await?;
    manager.create_index(unique("team", &["name"])).await?;

    let mut member = Table::create();
    member
        .table("team_member")
        .col(id())
        .col(uuid("team_id"))
        .col(uuid("user_id"))
        .foreign_key(&mut reference("team_member", "team_id", "team"))
        .foreign_key(&mut reference("team_member", "user_id", "user_account"));
    manager.create_table(created(&mut member).to_owned()).await?;
    manager.create_index(unique("team_member", &["team_id", "user_id"])).await?;
    manager.create_index(index("team_member", &["user_id"])).await?;

    let mut position = Table::create();
    position
        .table("position")
        .col(id())
        .col(string_len("title", 100))
        .col(uuid_null("reports_to_id"))
        .foreign_key(&mut reference("position", "reports_to_id", "position"));
    manager.create_table(updated(created(&mut position)).to_owned()).await?;
    manager.create_index(index("position", &["reports_to_id"])).await?;

    let mut share = Table::create();
    share
        .table("share")
        .col(id())
        .col(uuid("record_id"))
        .col(uuid_null("user_id"))
        .col(uuid_null("team_id"))
        .col(boolean("writable"))
        .foreign_key(&mut reference("share", "user_id", "user_account"))
        .foreign_key(&mut reference("share", "team_id", "team"));
    manager.create_table(created(&mut share).to_owned()).await?;
    manager.create_index(unique("share", &["user_id", "record_id"])).await?;
    manager.create_index(unique("share", &["team_id", "record_id"])).await?;
    manager.create_index(index("share", &["record_id"])).await?;

    let mut absence = Table::create();
    absence
        .table("absence")
        .col(id())
        .col(uuid("user_id"))
        .col(uuid("deputy_id"))
        .col(instant("starts_at"))
        .col(instant("ends_at"))
        .foreign_key(&mut reference("absence", "user_id", "user_account"))
        .foreign_key(&mut reference("absence", "deputy_id", "user_account"));
    manager.create_table(created(&mut absence).to_owned()).await?;
    manager.create_index(index("absence", &["deputy_id", "ends_at"])).await?;

    for column in ["role_id", "position_id"] {
        let mut alter = Table::alter();
        alter.table("user_account").add_column(uuid_null(column));
        manager.alter_table(alter.clone()).await?;
        manager.create_index(index("user_account", &[column])).await?;
    }
    bring_roles(manager).await?;
    if manager.get_database_backend() == DbBackend::Postgres {
        for (column, table) in [("role_id", "role"), ("position_id", "position")] {
            manager.create_foreign_key(reference("user_account", column, table)).await?;
        }
    }
    let mut alter = Table::alter();
    manager.alter_table(alter.table("user_account").drop_column("role").to_owned()).await
}

/// Adds Rapport's roles, and gives each user theirs.
async fn bring_roles(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let now = Expr::current_timestamp();
    for (number, key, name) in ROLES {
        let role = Query::insert()
            .into_table("role")
            .columns(["id", "key", "name", "created_at", "updated_at", "version"])
            .values_panic([
                role_id(number).into(),
                key.into(),
                name.into(),
                now.clone(),
                now.clone(),
                1.into(),
            ])
            .to_owned();
        manager.execute(role).await?;
        let users = Query::update()
            .table("user_account")
            .value("role_id", role_id(number))
            .and_where(Expr::col("role").eq(key))
            .to_owned();
        manager.execute(users).await?;
    }
    Ok(())
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut alter = Table::alter();
    alter.table("user_account").add_column(choice("role").default("SALES").take());
    manager.alter_table(alter.clone()).await?;
    for (number, key, _) in ROLES {
        let users = Query::update()
            .table("user_account")
            .value("role", key)
            .and_where(Expr::col("role_id").eq(role_id(number)))
            .to_owned();
        manager.execute(users).await?;
    }
    if manager.get_database_backend() == DbBackend::Postgres {
        for column in ["role_id", "position_id"] {
            let name = format!("user_account_{column}_fkey");
            let drop = ForeignKey::drop().name(name).table("user_account").to_owned();
            manager.drop_foreign_key(drop).await?;
        }
    }
    for column in ["role_id", "position_id"] {
        let name = format!("user_account_{column}_idx");
        manager.drop_index(Index::drop().name(name).table("user_account").to_owned()).await?;
        let mut alter = Table::alter();
        let alter = alter.table("user_account").drop_column(column).to_owned();
        manager.alter_table(alter).await?;
    }
    let tables = ["role", "role_grant", "team", "team_member", "position", "share", "absence"];
    drop_all(manager, &tables).await
}
