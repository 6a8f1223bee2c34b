//! Work on passwords, which is slow on purpose.
//!
//! Invariant: few passwords are worked on at once, and few requests wait for that. All others are refused
//! before they cost anything, so that no storm of attempts to log in takes the places of those who work.

use std::sync::Arc;

use async_graphql::Context;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::context::Ask;
use crate::error::Fault;
use crate::http::errors::Code;

/// How many passwords are worked on at once: each takes 19 MiB and tens of milliseconds of a core, and
/// the others must not notice.
const AT_ONCE: usize = 2;

/// How many requests are about a password at once, those that wait among them: a small part of the requests
/// that the server takes, and no more than it works through in a second or two.
const MOST: usize = 32;

/// Where passwords are worked on. Clones share it.
#[derive(Clone, Debug)]
pub struct Hashing {
    places: Arc<Semaphore>,
    at_work: Arc<Semaphore>,
}

impl Default for Hashing {
    fn default() -> Self {
        Self::new(AT_ONCE, MOST)
    }
}

impl Hashing {
    /// `at_once` passwords are worked on at once, for `most` requests, those that wait among them.
    #[must_use]
    pub fn new(at_once: usize, most: usize) -> Self {
        let [at_work, places] = [at_once, most].map(|many| Arc::new(Semaphore::new(many)));
        Self { places, at_work }
    }
}

/// A place among those whose requests are about a password; given back when it is dropped.
pub(super) struct Place {
    at_work: Arc<Semaphore>,
    place: Arc<OwnedSemaphorePermit>,
}

/// Takes a place, before anything else is done for the request, which keeps it to its end.
///
/// # Errors
/// `OVERLOADED` if none is free.
pub(super) fn enter(ctx: &Context<'_>) -> Result<Place, Fault> {
    let Hashing { places, at_work } = &ctx.shared().hashing;
    let place = Arc::clone(places).try_acquire_owned().map_err(|_| {
        let message = "too many people are logging in at once; try again in a moment";
        Fault::coded(Code::Overloaded, message)
    })?;
    Ok(Place { at_work: Arc::clone(at_work), place: Arc::new(place) })
}

impl Place {
    /// Works on a password beside what else there is to do.
    ///
    /// # Errors
    /// The server is stopping.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let stopping = || Fault::coded(Code::Overloaded, "the server is stopping; try again");
        // They go with the work, which goes on when the request does not.
        let turn = Arc::clone(&self.at_work).acquire_owned().await.map_err(|_| stopping())?;
        let place = Arc::clone(&self.place);
        let work = move || {
            let done = work();
            drop((turn, place));
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| stopping())
    }
}
