//! Letters by post, and which of them were printed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{string_len_null, uuid_null};
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::instant_null;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for column in [uuid_null("print_job_id"), instant_null("printed_at")] {
        let add = Table::alter().table("message").add_column(column).to_owned();
        manager.alter_table(add).await?;
    }
    // SQLite has columns without lengths, and cannot change them. A letter's address is longer than others.
    if manager.get_database_backend() == DbBackend::Postgres {
        let recipient = string_len_null("recipient", 512);
        let widen = Table::alter().table("message").modify_column(recipient).to_owned();
        manager.alter_table(widen).await?;
    }
    let waiting = "CREATE INDEX message_unprinted_idx ON message (id) \
                   WHERE channel = 'LETTER' AND state = 'ACCEPTED' AND printed_at IS NULL";
    let printed = "CREATE INDEX message_print_job_id_idx ON message (print_job_id) \
                   WHERE print_job_id IS NOT NULL";
    for index in [waiting, printed] {
        manager.get_connection().execute_unprepared(index).await?;
    }
    Ok(())
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for index in ["message_unprinted_idx", "message_print_job_id_idx"] {
        let drop = Index::drop().table("message").name(index).to_owned();
        manager.drop_index(drop).await?;
    }
    for column in ["print_job_id", "printed_at"] {
        let drop = Table::alter().table("message").drop_column(column).to_owned();
        manager.alter_table(drop).await?;
    }
    // What is wider than before stays so, since letters may have filled it.
    Ok(())
}
