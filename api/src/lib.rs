//! Now: GraphQL over HTTP, who may, and the shape of requests and answers.
//!
//! Invariant: nothing in here sends mail or fills a queue. It writes rows; what it tells the workers
//! is a signal, and losing one costs latency, never work.

// That a resolver's future may go to another thread hangs on all that is in it, down to the fonts of the
// typesetter; the compiler's usual limit ends a few steps before.
#![recursion_limit = "256"]

pub mod access;
pub mod automation;
mod choice;
pub mod cli;
mod collaboration;
pub mod config;
pub mod context;
pub mod customers;
pub mod edit;
pub mod error;
pub mod files;
pub mod finance;
pub mod http;
mod id;
pub mod live;
mod marketing;
pub mod pages;
mod payload;
pub mod read;
mod sales;
pub mod scalar;
pub mod schema;
pub mod serve;
