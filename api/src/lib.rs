//! Now: GraphQL over HTTP, who may, and the shape of requests and answers.
//!
//! Invariant: nothing in here sends mail or fills a queue. It writes rows; what it tells the workers
//! is a signal, and losing one costs latency, never work.

pub mod access;
pub mod automation;
mod choice;
pub mod cli;
mod collaboration;
pub mod config;
pub mod context;
pub mod customers;
pub mod download;
pub mod edit;
pub mod error;
pub mod files;
pub mod finance;
pub mod http;
mod id;
pub mod live;
mod payload;
pub mod read;
mod sales;
pub mod scalar;
pub mod schema;
pub mod serve;
