//! The backend that apalis polls: the near end of either feeder, and the acknowledgements back to it.
//!
//! Invariant: an entry is acknowledged when its handler has ended, however it ended. An entry whose
//! handler was never begun, or was cut off with its process, is not.

use std::collections::HashSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use apalis::layers::catch_panic::PanicError;
use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::error::BoxDynError;
use apalis_core::task::{ExecutionContext, Task};
use apalis_core::worker::context::WorkerContext;
use apalis_core::worker::ext::ack::{Acknowledge, AcknowledgeLayer};
use futures::FutureExt;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::AbortOnDropHandle;

use super::{CHANNEL, Due, End, Feed, reader, upkeep};

/// Counts an entry by how it ended.
pub(super) fn count(outcome: &'static str) {
    metrics::counter!("rapport_feed_entries_total", "outcome" => outcome).increment(1);
}

/// The entries that this process holds and has not acknowledged; `room` is how many more it may take.
pub(super) struct Flight {
    ids: Mutex<HashSet<String>>,
    pub(super) room: Semaphore,
}

impl Flight {
    /// Takes an entry up; false if it is in flight already.
    pub(super) fn begin(&self, id: &str) -> bool {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned())
    }

    /// Makes room for others.
    pub(super) fn end(&self, ids: &[String]) {
        let mut held = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = ids.iter().filter(|id| held.remove(*id)).count();
        self.room.add_permits(ended);
    }

    pub(super) fn ids(&self) -> Vec<String> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

pub(super) struct Source {
    tasks: mpsc::Receiver<Task<Due>>,
    ack: Ack,
    stream: Option<StreamTasks>,
    shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// What runs beside a Redis stream. Dropping it ends both at once, without acknowledging anything.
struct StreamTasks {
    reader: AbortOnDropHandle<()>,
    upkeep: AbortOnDropHandle<()>,
    finish: CancellationToken,
}

impl Source {
    /// Begins to read, at most `prefetch` entries ahead of their acknowledgement, until `shutdown`.
    pub(super) fn open(feed: Feed, prefetch: usize, shutdown: CancellationToken) -> Self {
        let stopped = Box::pin(shutdown.clone().cancelled_owned());
        let stream = match feed.0 {
            End::Embedded(tasks) => {
                return Self { tasks, ack: Ack(None), stream: None, shutdown: stopped };
            }
            End::Redis(stream) => stream,
        };
        let flight = Arc::new(Flight { ids: Mutex::default(), room: Semaphore::new(prefetch) });
        let (entries, tasks) = mpsc::channel(CHANNEL);
        let (done, acks) = mpsc::unbounded_channel();
        let finish = CancellationToken::new();
        let reader = reader::run(stream.clone(), flight.clone(), entries, done.clone(), shutdown);
        let upkeep = upkeep::run(stream, flight, acks, finish.clone());
        let stream = StreamTasks {
            reader: AbortOnDropHandle::new(tokio::spawn(reader)),
            upkeep: AbortOnDropHandle::new(tokio::spawn(upkeep)),
            finish,
        };
        Self { tasks, ack: Ack(Some(done)), stream: Some(stream), shutdown: stopped }
    }
}

impl Backend for Source {
    type Task = Task<Due>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Option<Result<Task<Due>, Infallible>>> {
        let task = match self.shutdown.poll_unpin(cx) {
            Poll::Ready(()) => None,
            Poll::Pending => ready!(self.tasks.poll_recv(cx)),
        };
        if task.is_none() {
            // The end of a backend alone does not end its worker. It is running, so it can be stopped.
            let _ = worker.stop();
        }
        Poll::Ready(task.map(Ok))
    }

    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        self.tasks.close();
        if let Some(stream) = &mut self.stream {
            stream.reader.abort();
            stream.finish.cancel();
            if let Err(error) = ready!(stream.upkeep.poll_unpin(cx)) {
                tracing::error!(%error, "the feed's upkeep ended early");
            }
            self.stream = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Source {
    type Args = Due;
    type Id = String;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = AcknowledgeLayer<Ack>;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        AcknowledgeLayer::new(self.ack.clone())
    }
}

/// Passes the ids of entries whose handler has ended to the upkeep. Within the process there is nobody
/// to tell.
#[derive(Clone)]
pub(super) struct Ack(Option<mpsc::UnboundedSender<String>>);

impl Acknowledge<()> for Ack {
    type Error = Infallible;
    type Future = std::future::Ready<Result<(), Infallible>>;

    fn ack(&mut self, result: &Result<(), BoxDynError>, entry: &ExecutionContext) -> Self::Future {
        count(match result {
            Ok(()) => "done",
            Err(error) if error.is::<PanicError>() => "panicked",
            Err(_) => "failed",
        });
        if let (Some(done), Some(id)) = (&self.0, entry.task_id()) {
            // The upkeep outlives all handlers; if it is gone, so is this worker.
            let _ = done.send(id.to_string());
        }
        std::future::ready(Ok(()))
    }
}
