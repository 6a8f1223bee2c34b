//! The read executor: a selection set becomes a plan, the plan one statement for each relation and
//! level, and the answer's JSON is written straight from the rows.
//!
//! ```text
//! register   the catalogue as schema types
//! plan       what is asked, and who may          load   the statements          write   the JSON
//! ```
//!
//! Invariant: every read of a record in the API goes through here, so that row access, guards, pages and
//! the number of statements hold by construction.

mod custom;
mod exports;
mod fetched;
mod groups;
mod input;
mod keyed;
mod load;
mod plan;
mod register;
mod request;
mod roots;
mod search;
mod timeline;
mod write;

pub use exports::{ExportFormat, Exports};
pub use fetched::{Among, Fetched, Together};
pub use input::FilterOf;
pub use roots::Roots;
