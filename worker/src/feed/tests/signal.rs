//! The wake-up.

use tokio::time::timeout;

use super::SOON;
use super::server::RedisServer;
use crate::feed::Signal;
use std::time::Duration;

const QUIET: Duration = Duration::from_millis(200);

async fn hears(signal: &mut Signal, within: Duration) -> bool {
    timeout(within, signal.wait()).await.is_ok()
}

#[tokio::test]
async fn signals_raised_while_nobody_listens_become_one_for_every_clone() {
    let mut relay = Signal::embedded();
    let mut other = relay.clone();
    let api = relay.clone();
    for _ in 0..1_000 {
        api.raise();
    }
    for signal in [&mut relay, &mut other] {
        assert!(hears(signal, SOON).await);
        assert!(!hears(signal, QUIET).await);
    }
    api.raise();
    assert!(hears(&mut relay, SOON).await);
}

#[tokio::test]
async fn a_signal_crosses_processes_and_survives_a_restart_of_redis() {
    let Some(mut server) = RedisServer::start().await else {
        return;
    };
    let api = Signal::redis(&server.url(), "rapport").unwrap();
    let mut relay = Signal::redis(&server.url(), "rapport").unwrap();
    let mut stranger = Signal::redis(&server.url(), "other").unwrap();
    assert!(hears(&mut relay, SOON).await, "after subscribing it looks once");
    assert!(hears(&mut stranger, SOON).await);
    api.raise();
    assert!(hears(&mut relay, SOON).await);
    assert!(!hears(&mut stranger, QUIET).await, "another installation is not disturbed");

    server.kill();
    api.raise();
    assert!(!hears(&mut relay, QUIET).await);
    server.restart().await;
    assert!(hears(&mut relay, Duration::from_secs(10)).await, "after subscribing anew");
    while hears(&mut relay, QUIET).await {}
    api.raise();
    assert!(hears(&mut relay, SOON).await);
}
