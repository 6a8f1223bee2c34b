//! Choices: the API's enums, each the mirror of one of `entity`.

/// Declares a GraphQL enum that mirrors an enum of `entity`, and can be compared with its column.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident mirrors $entity:ty as $path:literal {
        $($(#[$value_doc:meta])* $value:ident,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, async_graphql::Enum)]
        #[graphql(remote = $path)]
        pub enum $name { $($(#[$value_doc])* $value,)+ }

        impl From<$name> for sea_orm::Value {
            fn from(choice: $name) -> Self {
                sea_orm::ActiveEnum::to_value(&<$entity>::from(choice)).into()
            }
        }
    };
}
pub(crate) use choice;
