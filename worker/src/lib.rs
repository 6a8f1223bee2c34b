//! What happens later: the relay, the engine, the feed, the sender, and what they write.
//!
//! Invariant: nothing in here decides a business rule; it asks `entity`. What it does twice has the
//! effect of once.

pub mod access;
pub mod automation;
pub mod collaboration;
pub mod config;
pub mod customers;
pub mod document;
pub mod engine;
pub mod feed;
pub mod finance;
pub mod health;
mod http;
pub mod letter;
pub mod link;
pub mod mail;
pub mod marketing;
pub mod observe;
pub mod printing;
pub mod relay;
pub mod runtime;
pub mod sealer;
pub mod sender;
pub mod sent;
pub mod sms;
pub mod store;
pub mod tidier;
pub mod ways;
pub mod webhook;
