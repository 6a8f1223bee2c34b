//! Payloads of mutations: the record, or why there is none.

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
