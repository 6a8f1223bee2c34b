//! The servers, killed and started again. These need PostgreSQL and Redis on the machine, so they
//! run with `tests/run` only.

use super::*;

#[tokio::test]
#[ignore = "the production half runs by tests/run"]
async fn killed_servers_come_back_with_their_data_on_their_ports() {
    let dir = scratch("rapport-stack-").unwrap();
    let mut servers = Servers::start(dir.path()).await.unwrap();
    let url = servers.postgres.create_database("kept").await.unwrap();
    assert!(servers.postgres.create_database("kept").await.is_err());

    servers.postgres.kill();
    assert!(postgres::connect(&url).await.is_err());
    servers.postgres.restart().await.unwrap();
    servers.postgres.stop().await.unwrap();
    servers.postgres.restart().await.unwrap();
    postgres::connect(&url).await.unwrap().close().await.unwrap();

    servers.redis.kill();
    assert!(servers.redis.flush().await.is_err());
    servers.redis.restart().await.unwrap();
    servers.redis.stop().await.unwrap();
    servers.redis.restart().await.unwrap();
    servers.redis.flush().await.unwrap();

    let home = dir.path().to_owned();
    drop(servers);
    dir.close().unwrap();
    assert!(!home.exists());
}
