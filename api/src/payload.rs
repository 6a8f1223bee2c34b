//! What mutations take and give: changes of fields; the record, or why there is none.

use async_graphql::MaybeUndefined;

use async_graphql::{ID, SimpleObject};
use uuid::Uuid;

use crate::error::UserError;

/// What came of removing a record.
#[derive(SimpleObject)]
pub struct DeletedPayload {
    /// The id of what was removed; null when that was refused.
    pub deleted_id: Option<ID>,
    /// Why nothing was changed; empty on success.
    pub user_errors: Vec<UserError>,
}

impl DeletedPayload {
    /// What came of removing the record with the id.
    pub fn new(id: ID, outcome: Result<Uuid, Vec<UserError>>) -> Self {
        match outcome {
            Ok(_) => Self { deleted_id: Some(id), user_errors: Vec::new() },
            Err(user_errors) => Self::refused(user_errors),
        }
    }

    /// Nothing was removed.
    #[must_use]
    pub fn refused(user_errors: Vec<UserError>) -> Self {
        Self { deleted_id: None, user_errors }
    }
}

/// Declares a mutation's payload: `{ <record>, userErrors }`, made of the outcome of a write.
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $(#[$field_doc:meta])* $field:ident: $entity:ty }) => {
        $(#[$doc])*
        #[derive(async_graphql::SimpleObject)]
        pub struct $name {
            $(#[$field_doc])*
            pub $field: $crate::read::Fetched<$entity>,
            /// Why nothing was changed; empty on success.
            pub user_errors: Vec<$crate::error::UserError>,
        }

        impl From<Result<uuid::Uuid, Vec<$crate::error::UserError>>> for $name {
            fn from(outcome: Result<uuid::Uuid, Vec<$crate::error::UserError>>) -> Self {
                use $crate::read::Fetched;
                match outcome {
                    Ok(id) => Self { $field: Fetched::of(id), user_errors: Vec::new() },
                    Err(user_errors) => Self { $field: Fetched::nothing(), user_errors },
                }
            }
        }
    };
}
pub(crate) use payload;

/// What a field of an input changes: the outer `None` keeps it, an inner `None` clears it.
#[expect(clippy::option_option, reason = "absent, null and a value are three things")]
pub fn change<T>(given: MaybeUndefined<T>) -> Option<Option<T>> {
    match given {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}
