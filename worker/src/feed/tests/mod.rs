//! The same promises on both feeders, and those that only a Redis that fails can break.

mod embedded;
mod failures;
mod redis;
mod server;
mod signal;

use std::collections::HashSet;
use std::convert::Infallible;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Due, DueKind, Feed, FeedError, run};

fn due(row: u32) -> Due {
    Due { kind: DueKind::Message, ids: vec![Uuid::from_u128(row.into())] }
}

fn dues(rows: Range<u32>) -> Vec<Due> {
    rows.map(due).collect()
}

fn row(due: &Due) -> u32 {
    u32::try_from(due.ids[0].as_u128()).unwrap()
}

/// The rows that handlers have seen, each as often as they did.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<u32>>>);

impl Seen {
    fn add(&self, due: &Due) {
        self.0.lock().unwrap().push(row(due));
    }

    fn rows(&self) -> HashSet<u32> {
        self.0.lock().unwrap().iter().copied().collect()
    }

    fn times(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Waits until all of `rows` were seen, and fails after `limit`.
    async fn all(&self, rows: Range<u32>, limit: Duration) {
        let wanted: HashSet<u32> = rows.collect();
        let begun = Instant::now();
        while !wanted.is_subset(&self.rows()) {
            let missing = wanted.difference(&self.rows()).count();
            assert!(begun.elapsed() < limit, "{missing} rows were not seen within {limit:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A running worker that notes what it sees.
struct Worker {
    seen: Seen,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), FeedError>>,
}

impl Worker {
    /// Notes every row and is done.
    fn start(feed: Feed, concurrency: usize) -> Self {
        Self::with(feed, concurrency, |_| async { Ok::<_, Infallible>(()) })
    }

    /// Notes every row and then does `work`.
    fn with<H, F, E>(feed: Feed, concurrency: usize, work: H) -> Self
    where
        H: Fn(Due) -> F + Clone + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<apalis_core::error::BoxDynError> + Send + 'static,
    {
        let (seen, shutdown) = (Seen::default(), CancellationToken::new());
        let noted = seen.clone();
        let handler = move |due: Due| {
            noted.add(&due);
            work(due)
        };
        let task = tokio::spawn(run(feed, concurrency, handler, shutdown.clone()));
        Self { seen, shutdown, task }
    }

    /// Stops as a process does that is told to.
    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Dies as a process does that is killed: nothing more is said to anybody.
    async fn die(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// Never done.
async fn stuck(_: Due) -> Result<(), Infallible> {
    std::future::pending().await
}

const SOON: Duration = Duration::from_secs(30);
