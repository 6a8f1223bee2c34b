//! The worker on a feed: apalis with a bounded number of handlers at a time, each a task of its own.
//!
//! Invariant: neither an error nor a panic of a handler stops it; it stops when it is told to, takes
//! nothing new from then on, and lets what is in flight finish.

use std::time::{Duration, Instant};

use apalis::layers::WorkerBuilderExt;
use apalis::layers::catch_panic::{CatchPanicLayer, PanicError};
use apalis_core::error::BoxDynError;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::ext::parallelize::ParallelizeExt;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::source::Source;
use super::{Due, End, Feed, FeedError};

/// How long handlers in flight may go on after the shutdown signal.
const GRACE: Duration = Duration::from_secs(30);

/// Works on the feed's entries, at most `concurrency` at a time, until `shutdown`. Handlers that are
/// not done 30 s after it are cut off, and others work on their rows again.
///
/// What a handler returns is logged and counted only: it writes into the rows what is to happen next.
///
/// # Errors
/// `Worker` if the worker ends by itself, which is a fault.
pub async fn run<H, F, E>(
    feed: Feed,
    concurrency: usize,
    handler: H,
    shutdown: CancellationToken,
) -> Result<(), FeedError>
where
    H: Fn(Due) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<BoxDynError> + Send + 'static,
{
    let name = match &feed.0 {
        End::Embedded(_) => "embedded".to_owned(),
        End::Redis(stream) => stream.consumer().to_owned(),
    };
    let worker = WorkerBuilder::new(name)
        .backend(Source::open(feed, concurrency * 2, shutdown.clone()))
        .concurrency(concurrency)
        .parallelize(spawn)
        .enable_tracing()
        .layer(CatchPanicLayer::with_panic_handler(panic_message))
        .build(move |due: Due| timed(handler(due)));
    tokio::select! {
        ended = worker.run().boxed() => match ended {
            Ok(()) if shutdown.is_cancelled() => Ok(()),
            Ok(()) => Err(FeedError::Closed),
            Err(error) => Err(FeedError::Worker(error)),
        },
        () = grace_over(&shutdown) => {
            tracing::warn!("handlers were cut off: they went on too long after the shutdown");
            Ok(())
        }
    }
}

async fn grace_over(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

/// Like `tokio::spawn`, but a handler does not outlive its worker.
fn spawn<F>(future: F) -> AbortOnDropHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    AbortOnDropHandle::new(tokio::spawn(future))
}

async fn timed<F: Future>(handling: F) -> F::Output {
    let begun = Instant::now();
    let outcome = handling.await;
    metrics::histogram!("rapport_feed_handle_seconds").record(begun.elapsed().as_secs_f64());
    outcome
}

fn panic_message(panic: &Box<dyn std::any::Any + Send>) -> PanicError {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    PanicError(text.unwrap_or_else(|| "a panic without a message".to_owned()))
}
