//! Webhooks: other systems hear what happened.
//!
//! ```text
//! endpoint   where to, what, signed with what      delivery   each sending: an outbox with its outcome
//! payload    an event and its record as JSON       perform    what workflows send
//! ```
//!
//! Invariant: an event has at most one delivery for each endpoint. Its id is the same whenever it is
//! sent, so that a receiver that gets it twice can tell.

pub mod delivery;
pub mod endpoint;
mod payload;
mod perform;

pub(crate) use perform::post;
pub use perform::{Post, ToPost};
