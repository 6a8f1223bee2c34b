//! Through a Redis that fails, and with workers that die.

use super::server::{KEY, RedisServer};
use super::*;

const LEASE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn the_feed_goes_on_after_redis_was_emptied() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let (publisher, feed) = server.feed(LEASE);
    let worker = Worker::start(feed, 4);
    for round in 0..3 {
        let rows = round * 100..round * 100 + 100;
        publisher.publish(&dues(rows.clone())).await.unwrap();
        worker.seen.all(rows, SOON).await;
        let _: String = server.run("FLUSHALL").await;
    }
    // Also when it happens to a worker in the middle of its work.
    publisher.publish(&dues(300..301)).await.unwrap();
    worker.seen.all(300..301, SOON).await;
    server.settled().await;
    worker.stop().await;
}

#[tokio::test]
async fn entries_that_are_lost_while_in_flight_do_not_disturb_the_worker() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let (publisher, feed) = server.feed(LEASE);
    let worker = Worker::with(feed, 2, |_| async {
        sleep(Duration::from_millis(200)).await;
        Ok::<_, Infallible>(())
    });
    publisher.publish(&dues(0..20)).await.unwrap();
    worker.seen.all(0..2, SOON).await;
    let _: String = server.run("FLUSHALL").await;
    publisher.publish(&dues(100..110)).await.unwrap();
    worker.seen.all(100..110, SOON).await;
    server.settled().await;
    worker.stop().await;
}

#[tokio::test]
async fn the_feed_goes_on_after_redis_was_killed_and_started_again() {
    let Some(mut server) = RedisServer::start().await else {
        return;
    };
    let (publisher, feed) = server.feed(LEASE);
    let worker = Worker::start(feed, 4);
    publisher.publish(&dues(0..100)).await.unwrap();
    worker.seen.all(0..100, SOON).await;
    server.kill();

    let asked = Instant::now();
    let refused = publisher.publish(&dues(100..200)).await;
    assert!(refused.is_err(), "rows must not count as published while Redis is down");
    assert!(asked.elapsed() < Duration::from_secs(10), "took {:?}", asked.elapsed());
    sleep(Duration::from_secs(1)).await;

    server.restart().await;
    publisher.publish(&dues(100..200)).await.unwrap();
    worker.seen.all(100..200, SOON).await;
    server.settled().await;
    worker.stop().await;
}

#[tokio::test]
async fn publishing_to_a_redis_that_accepts_and_says_nothing_ends_with_a_timeout() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let settings = crate::feed::StreamSettings::new(&url, "rapport", "message", "test");
    let (publisher, _feed) = Feed::redis(settings).unwrap();
    let asked = Instant::now();
    assert!(publisher.publish(&dues(0..1)).await.is_err());
    assert!(asked.elapsed() < Duration::from_secs(10), "took {:?}", asked.elapsed());
}

#[tokio::test]
async fn a_worker_may_start_before_redis_and_stop_without_it() {
    let Some(mut server) = RedisServer::start().await else {
        return;
    };
    server.kill();
    let (publisher, feed) = server.feed(LEASE);
    let worker = Worker::start(feed, 1);
    sleep(Duration::from_millis(300)).await;
    server.restart().await;
    publisher.publish(&dues(0..1)).await.unwrap();
    worker.seen.all(0..1, SOON).await;
    server.kill();
    let asked = Instant::now();
    worker.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(30), "took {:?}", asked.elapsed());
}

#[tokio::test]
async fn what_a_dead_worker_held_is_taken_over_when_its_lease_ends() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let (publisher, feed) = server.feed(LEASE);
    let dying = Worker::with(feed, 4, stuck);
    publisher.publish(&dues(0..8)).await.unwrap();
    dying.seen.all(0..4, SOON).await;
    dying.die().await;
    assert_eq!(server.entries().await, (8, 8), "nothing is acknowledged by dying");

    let (_, feed) = server.feed(LEASE);
    let heir = Worker::start(feed, 4);
    sleep(LEASE / 4).await;
    assert_eq!(heir.seen.times(), 0, "the lease had not ended");
    heir.seen.all(0..8, SOON).await;
    server.settled().await;
    heir.stop().await;
}

#[tokio::test]
async fn the_lease_of_a_slow_worker_is_kept() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let (publisher, feed) = server.feed(LEASE);
    let slow = Worker::with(feed, 2, |_| async {
        sleep(LEASE * 3).await;
        Ok::<_, Infallible>(())
    });
    publisher.publish(&dues(0..4)).await.unwrap();
    slow.seen.all(0..2, SOON).await;
    let (_, feed) = server.feed(LEASE);
    let idle = Worker::start(feed, 4);
    slow.seen.all(0..4, SOON).await;
    sleep(LEASE * 4).await;
    server.settled().await;
    assert_eq!((slow.seen.times(), idle.seen.times()), (4, 0));
    slow.stop().await;
    idle.stop().await;
}

#[tokio::test]
async fn an_entry_that_kills_its_workers_is_dropped() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let lease = Duration::from_millis(300);
    let (publisher, _) = server.feed(lease);
    publisher.publish(&dues(0..1)).await.unwrap();
    for _ in 0..5 {
        let (_, feed) = server.feed(lease);
        let victim = Worker::with(feed, 1, stuck);
        victim.seen.all(0..1, SOON).await;
        victim.die().await;
    }
    let (_, feed) = server.feed(lease);
    let survivor = Worker::start(feed, 1);
    server.settled().await;
    assert_eq!(survivor.seen.times(), 0);
    survivor.stop().await;
    let consumers: Vec<::redis::Value> =
        server.run(&format!("XINFO CONSUMERS {KEY} workers")).await;
    assert_eq!(consumers.len(), 5, "the dead are forgotten later");
}
