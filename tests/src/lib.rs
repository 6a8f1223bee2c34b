//! What proves Rapport from outside: throw-away servers, the clients that press on them, and the
//! chaos run. Nothing here is part of the product, and the product knows nothing of it.

pub mod chaos;
pub mod graphql;
pub mod stack;
