//! What proves Rapport from outside: the whole of it in a test's process, throw-away servers, the
//! clients that press on them, and the chaos run. The product knows nothing of it.

pub mod app;
pub mod bucket;
pub mod chaos;
pub mod graphql;
pub mod pdf;
pub mod receiver;
pub mod socket;
pub mod stack;
