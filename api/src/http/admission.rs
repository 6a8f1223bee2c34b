//! How much the server does at once.
//!
//! Invariant: nobody waits in a line. Work beyond the limit is refused within a moment, so that what was
//! admitted keeps its speed and balancers and clients can go elsewhere.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::failure::Failure;

/// When whoever was refused may try again.
pub const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The places for work that runs at once, and the work that has one. Clones share both.
#[derive(Clone, Debug)]
pub struct Admission {
    places: Arc<Semaphore>,
    running: TaskTracker,
}

impl Admission {
    /// At most `places` pieces of work at once.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), running: TaskTracker::new() }
    }

    /// Takes a place, given back when it is dropped.
    ///
    /// # Errors
    /// 503 with `Retry-After` if none is free.
    pub fn enter(&self) -> Result<OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Failure::overloaded(TRY_AGAIN_AFTER))
    }

    /// The work in progress, also that whose client has left.
    #[must_use]
    pub fn running(&self) -> &TaskTracker {
        &self.running
    }
}
