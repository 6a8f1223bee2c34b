//! What a table was measured on.

use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};

use crate::figure::Failure;
use crate::house::House;

/// The machine, the build and the database, in a line.
pub async fn facts(house: &House) -> Result<String, Failure> {
    let cores = std::thread::available_parallelism()?;
    let server = Database::connect(house.postgres.url()).await?;
    let mut shown = Vec::new();
    for setting in ["server_version", "fsync", "synchronous_commit"] {
        let sql = Statement::from_string(DbBackend::Postgres, format!("SHOW {setting}"));
        let row = server.query_one_raw(sql).await?.ok_or("a setting is not shown")?;
        shown.push(row.try_get_by_index::<String>(0)?);
    }
    server.close().await?;
    let build = if cfg!(debug_assertions) { "dev, NOT OPTIMISED" } else { "bench, optimised" };
    Ok(format!(
        "{cores} cores (clients, servers and Rapport share them), load {}; build: {build}\n\
         PostgreSQL {}, fsync {}, synchronous_commit {}; {} connections",
        load(),
        shown[0],
        shown[1],
        shown[2],
        crate::house::CONNECTIONS
    ))
}

/// The load of the last minute, as far as the system tells.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown").to_owned()
}
