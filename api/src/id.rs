//! Ids as they go in and out: opaque, prefixed, and meaning nothing when they are malformed.

use async_graphql::{ID, MaybeUndefined};
use entity::catalog::by_prefix;
use entity::id::Id;

use crate::error::{ErrorCode, UserError};

/// The id that an argument means.
///
/// # Errors
/// `NOT_FOUND` at `path`: a malformed id answers like one that names nothing.
pub fn parse<I: Id>(given: &ID, path: &[&str]) -> Result<I, Vec<UserError>> {
    I::parse(given).ok_or_else(|| {
        let Some(record) = by_prefix(I::PREFIX) else { return vec![UserError::not_found(path)] };
        let missing = entity::Error::NoSuch { kind: record.name, at: &[] };
        vec![UserError::new(ErrorCode::NotFound, &missing, path)]
    })
}

/// The ids that an argument means.
///
/// # Errors
/// As [`parse`], at the place of the first one that names nothing.
pub fn parse_all<I: Id>(given: &[ID], path: &[&str]) -> Result<Vec<I>, Vec<UserError>> {
    let parsed = given.iter().enumerate().map(|(index, id)| {
        let index = index.to_string();
        parse(id, &[path, &[index.as_str()]].concat())
    });
    parsed.collect()
}

/// The id that a change means: the outer `None` keeps what is there, the inner one clears it.
///
/// # Errors
/// Like [`parse`].
#[expect(clippy::option_option, reason = "absent, null and a value are three things")]
pub fn parse_change<I: Id>(
    given: &MaybeUndefined<ID>,
    path: &[&str],
) -> Result<Option<Option<I>>, Vec<UserError>> {
    match given {
        MaybeUndefined::Undefined => Ok(None),
        MaybeUndefined::Null => Ok(Some(None)),
        MaybeUndefined::Value(id) => parse(id, path).map(|id| Some(Some(id))),
    }
}
