//! Dunning: asking customers for what they owe, level by level.
//!
//! ```text
//! ladder   which levels there are            next     what comes next for an invoice: a pure function
//! perform  the step `dun` of workflows       plan     from a level that is reached to a notice
//! notice   what customers are asked          item     which invoices reached which level with it
//! look     what is still owed when it leaves    setting  who is asked for nothing
//! approve  what leaves only when somebody has said so      own      which ladder asks whom
//! ```
//!
//! Invariant: an invoice reaches each level once on each channel, and is asked for only what is open and neither disputed
//! nor promised at the moment at which the notice leaves.

use chrono::TimeDelta;

pub mod approve;
pub mod item;
pub mod ladder;
mod look;
mod next;
pub mod notice;
mod own;
mod perform;
mod plan;
pub mod setting;

pub use ladder::Ladder;
pub use look::{Asked, Ladders, Look, Owed, ladders, look, look_by};
pub(crate) use look::{hold, sent};
pub use perform::Dun;
pub(crate) use plan::carry_out;
pub use plan::{Bundle, Reached};

/// How long a notice waits for others of the same customer that come a moment later.
pub const GATHERED: TimeDelta = TimeDelta::minutes(2);

/// How long a notice is worth sending.
pub const LIFETIME: TimeDelta = TimeDelta::days(14);
