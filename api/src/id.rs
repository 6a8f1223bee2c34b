//! Ids as they go in and out: opaque, prefixed, and meaning nothing when they are malformed.

use async_graphql::ID;
use entity::id::Id;

use crate::error::UserError;

/// The id that an argument means.
///
/// # Errors
/// `NOT_FOUND` at `path`: a malformed id answers like one that names nothing.
pub fn parse<I: Id>(given: &ID, path: &[&str]) -> Result<I, Vec<UserError>> {
    I::parse(given).ok_or_else(|| vec![UserError::not_found(path)])
}
