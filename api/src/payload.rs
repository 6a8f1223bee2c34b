//! Payloads of mutations: the record, or why there is none.

/// Declares a mutation's payload: `{ <record>, userErrors }`, filled from the outcome of a write.
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $(#[$field_doc:meta])* $field:ident: $record:ty }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, async_graphql::SimpleObject)]
        pub struct $name {
            $(#[$field_doc])*
            pub $field: Option<$record>,
            /// Why nothing was changed; empty on success.
            pub user_errors: Vec<$crate::error::UserError>,
        }

        impl $name {
            /// The payload after a write: the record as it is now, or what was refused.
            async fn after(
                ctx: &async_graphql::Context<'_>,
                outcome: Result<uuid::Uuid, Vec<$crate::error::UserError>>,
            ) -> Result<Self, $crate::error::Fault> {
                match outcome {
                    Ok(id) => {
                        let $field = <$record>::load(ctx, id.into()).await?;
                        Ok(Self { $field, user_errors: Vec::new() })
                    }
                    Err(user_errors) => Ok(Self { $field: None, user_errors }),
                }
            }
        }
    };
}
pub(crate) use payload;
