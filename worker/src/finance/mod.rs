//! Receivables, later: what a file of them takes too long for.

pub mod import;
