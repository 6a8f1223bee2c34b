//! Finding what a dead worker left on the wire, and what is past its time, among millions of messages.

use sea_orm_migration::prelude::*;

const LEASED: &str = "message_lease_until_idx";
const WAITING: &str = "message_expires_at_idx";

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let leased =
        format!("CREATE INDEX {LEASED} ON message (lease_until) WHERE lease_until IS NOT NULL");
    let waiting = format!(
        "CREATE INDEX {WAITING} ON message (expires_at) WHERE settled_at IS NULL AND lease_until IS NULL"
    );
    for index in [leased, waiting] {
        manager.get_connection().execute_unprepared(&index).await?;
    }
    Ok(())
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for index in [LEASED, WAITING] {
        manager.drop_index(Index::drop().table("message").name(index).to_owned()).await?;
    }
    Ok(())
}
