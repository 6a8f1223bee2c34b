//! The wake-up.

use tokio::time::timeout;

use super::SOON;
use super::server::RedisServer;
use crate::feed::{Changes, Follower, Signal};
use std::time::Duration;
use uuid::Uuid;

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
    assert!(hears(&mut relay, SOON).await, "after subscribing anew");
    while hears(&mut relay, QUIET).await {}
    api.raise();
    assert!(hears(&mut relay, SOON).await);
}

/// All that a follower hears within a moment, together.
async fn told(follower: &mut Follower, within: Duration) -> Changes {
    let mut all = Changes::default();
    while let Ok(changes) = timeout(within, follower.next()).await {
        all.merge(Changes::clone(&changes));
        if within == SOON {
            break;
        }
    }
    all
}

#[tokio::test]
async fn followers_hear_what_changed_or_that_they_missed_it() {
    let signal = Signal::embedded();
    let (mut quick, mut slow) = (signal.follow(), signal.follow());
    let (lan, minh, job) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    signal.tell(Changes::customers([lan, minh]));
    signal.tell(Changes::job(job));
    let both = told(&mut quick, QUIET).await;
    assert_eq!(both.customers, [lan, minh].into());
    assert_eq!(both.jobs, [job].into());
    for number in 0..1_000_u128 {
        signal.tell(Changes::customers([Uuid::from_u128(number)]));
        tokio::task::yield_now().await;
    }
    let all = told(&mut slow, QUIET).await;
    assert!(all.missed || all.customers.len() == 1_000, "{all:?}");
    let mut crowd = Changes::default();
    crowd.merge(Changes::customers((0..2_001).map(Uuid::from_u128)));
    assert_eq!(crowd, Changes::missed());
}

#[tokio::test]
async fn changes_cross_processes_and_what_redis_lost_is_said_to_be_missed() {
    let Some(mut server) = RedisServer::start().await else {
        return;
    };
    let worker = Signal::redis(&server.url(), "rapport").unwrap();
    let api = Signal::redis(&server.url(), "rapport").unwrap();
    let mut follower = api.follow();
    assert!(told(&mut follower, SOON).await.missed, "after subscribing it looks once");
    worker.tell(Changes::customers([Uuid::from_u128(1)]));
    assert_eq!(told(&mut follower, SOON).await, Changes::customers([Uuid::from_u128(1)]));

    server.kill();
    worker.tell(Changes::customers([Uuid::from_u128(2)]));
    server.restart().await;
    let heard = timeout(SOON, follower.next()).await.expect("it hears again");
    assert!(heard.missed);
}
