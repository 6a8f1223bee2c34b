//! Through a Redis that works.

use super::server::{KEY, RedisServer};
use super::*;

const LEASE: Duration = Duration::from_secs(15);

#[tokio::test]
async fn each_published_row_is_handled_once_and_nothing_is_left() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let (publisher, feed) = server.feed(LEASE);
    publisher.publish(&dues(0..500)).await.unwrap();
    let worker = Worker::start(feed, 4);
    publisher.publish(&dues(500..1_000)).await.unwrap();
    worker.seen.all(0..1_000, SOON).await;
    server.settled().await;
    assert_eq!(worker.seen.times(), 1_000);
    worker.stop().await;
    let consumers: Vec<::redis::Value> =
        server.run(&format!("XINFO CONSUMERS {KEY} workers")).await;
    assert!(consumers.is_empty(), "a worker that stopped leaves its name behind");
}

#[tokio::test]
async fn two_workers_share_the_rows() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let (publisher, feed) = server.feed(LEASE);
    let (_, other) = server.feed(LEASE);
    let pause = |_| async {
        sleep(Duration::from_millis(5)).await;
        Ok::<_, Infallible>(())
    };
    let (one, two) = (Worker::with(feed, 2, pause), Worker::with(other, 2, pause));
    publisher.publish(&dues(0..200)).await.unwrap();
    sleep(Duration::from_millis(200)).await;
    server.settled().await;
    assert_eq!(one.seen.times() + two.seen.times(), 200);
    assert!(one.seen.times() > 0 && two.seen.times() > 0);
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn a_handler_that_panics_or_fails_does_not_stop_the_worker_and_is_acknowledged() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let (publisher, feed) = server.feed(LEASE);
    let worker = Worker::with(feed, 2, |due| async move {
        assert_ne!(row(&due) % 3, 0, "a panic, as the test wants it");
        if row(&due) % 3 == 1 { Err("a failure") } else { Ok(()) }
    });
    publisher.publish(&dues(0..30)).await.unwrap();
    worker.seen.all(0..30, SOON).await;
    server.settled().await;
    worker.stop().await;
}

#[tokio::test]
async fn a_busy_worker_holds_no_more_than_twice_what_it_works_on() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let (publisher, feed) = server.feed(LEASE);
    let worker = Worker::with(feed, 3, stuck);
    publisher.publish(&dues(0..100)).await.unwrap();
    while server.entries().await.1 < 6 || worker.seen.times() < 3 {
        sleep(Duration::from_millis(10)).await;
    }
    sleep(Duration::from_millis(500)).await;
    assert_eq!((server.entries().await, worker.seen.times()), ((100, 6), 3));
    worker.die().await;
}

#[tokio::test]
async fn an_entry_that_cannot_be_decoded_is_dropped() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let (publisher, feed) = server.feed(LEASE);
    let _: String = server.run(&format!("XADD {KEY} * due nonsense")).await;
    let _: String = server.run(&format!("XADD {KEY} * other field")).await;
    publisher.publish(&dues(0..1)).await.unwrap();
    let worker = Worker::start(feed, 1);
    worker.seen.all(0..1, SOON).await;
    server.settled().await;
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_that_stops_hands_over_what_it_had_not_begun() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    // Nobody would wait for so long a lease.
    let lease = Duration::from_hours(1);
    let (publisher, feed) = server.feed(lease);
    let slow = Worker::with(feed, 2, |_| async {
        sleep(Duration::from_millis(300)).await;
        Ok::<_, Infallible>(())
    });
    publisher.publish(&dues(0..10)).await.unwrap();
    slow.seen.all(0..2, SOON).await;
    let begun = slow.seen.clone();
    slow.stop().await;
    let handled = begun.times();
    assert_eq!(server.entries().await, (10 - handled, 2), "what had begun is finished");

    let (_, feed) = server.feed(lease);
    let next = Worker::start(feed, 2);
    server.settled().await;
    assert_eq!(handled + next.seen.times(), 10, "none is lost and none handled twice");
    next.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_rows_due_at_the_same_second_are_all_handled() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let (publisher, feed) = server.feed(LEASE);
    let begun = Instant::now();
    for first in (0..20_000).step_by(500) {
        publisher.publish(&dues(first..first + 500)).await.unwrap();
    }
    let sent = begun.elapsed();
    let worker = Worker::start(feed, 64);
    worker.seen.all(0..20_000, Duration::from_mins(1)).await;
    server.settled().await;
    assert_eq!(worker.seen.times(), 20_000);
    println!("published in {sent:?}, all handled after {:?}", begun.elapsed());
    worker.stop().await;
}
