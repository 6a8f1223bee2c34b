//! The chaos run: Rapport as it runs in production, clients that never stop paying, and somebody
//! who kills, freezes and restarts whatever there is.
//!
//! Invariant: the judge knows rules about facts and nothing of how Rapport works; a seed decides
//! every fault and its moment, so that a run can be repeated.

pub mod client;
pub mod evidence;
pub mod facts;
pub mod house;
pub mod journal;
pub mod judge;
pub mod report;
pub mod run;
pub mod schedule;
