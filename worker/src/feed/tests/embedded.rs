//! Within the process.

use super::*;

#[tokio::test]
async fn each_published_row_is_handled() {
    let (publisher, feed) = Feed::embedded();
    let worker = Worker::start(feed, 4);
    publisher.publish(&dues(0..1_000)).await.unwrap();
    worker.seen.all(0..1_000, SOON).await;
    assert_eq!(worker.seen.times(), 1_000);
    worker.stop().await;
    assert!(matches!(publisher.publish(&dues(0..1)).await, Err(FeedError::Closed)));
}

#[tokio::test]
async fn a_handler_that_panics_or_fails_does_not_stop_the_worker() {
    let (publisher, feed) = Feed::embedded();
    let worker = Worker::with(feed, 2, |due| async move {
        assert_ne!(row(&due) % 3, 0, "a panic, as the test wants it");
        if row(&due) % 3 == 1 { Err("a failure") } else { Ok(()) }
    });
    publisher.publish(&dues(0..30)).await.unwrap();
    worker.seen.all(0..30, SOON).await;
    worker.stop().await;
}

#[tokio::test]
async fn publishing_to_workers_that_are_behind_ends_with_a_timeout() {
    let (publisher, feed) = Feed::embedded();
    let worker = Worker::with(feed, 1, stuck);
    let outcome = publisher.publish(&dues(0..1_000)).await;
    assert!(matches!(outcome, Err(FeedError::Timeout(_))), "{outcome:?}");
    worker.die().await;
}

#[tokio::test]
async fn no_more_handlers_run_at_once_than_allowed_and_the_last_ones_finish() {
    let (publisher, feed) = Feed::embedded();
    let running = Arc::new(Mutex::new((0_u32, 0_u32)));
    let noted = running.clone();
    let worker = Worker::with(feed, 3, move |_| {
        let running = noted.clone();
        async move {
            let now = {
                let mut running = running.lock().unwrap();
                running.0 += 1;
                running.1 = running.1.max(running.0);
                running.0
            };
            assert!(now <= 3);
            sleep(Duration::from_millis(50)).await;
            running.lock().unwrap().0 -= 1;
            Ok::<_, Infallible>(())
        }
    });
    publisher.publish(&dues(0..30)).await.unwrap();
    worker.seen.all(0..10, SOON).await;
    worker.stop().await;
    assert_eq!(*running.lock().unwrap(), (0, 3), "running at the end, and at most");
}
