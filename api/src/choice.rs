//! Choices: the API's enums, each the mirror of one of `entity`.

/// Declares a GraphQL enum that mirrors an enum of `entity`; the catalogue refers to it by its name.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident mirrors $path:literal {
        $($(#[$value_doc:meta])* $value:ident,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, async_graphql::Enum)]
        #[graphql(remote = $path)]
        pub enum $name { $($(#[$value_doc])* $value,)+ }
    };
}
pub(crate) use choice;
