//! Lists: typed filters and orders that are declared once per entity, and keyset pages.
//!
//! ```text
//! list! {
//!     customer as Customer in CustomerConnection of CustomerEdge;
//!     filter CustomerFilter { /// Its name. display_name: StringFilter => DisplayName, }
//!     order CustomerOrder by CustomerOrderField { /// By name. DisplayName, }
//! }
//! ```
//!
//! Invariant: a page is found by the values of its order and the id, never by counting rows, so what
//! is added or removed meanwhile shifts nothing.

mod cursor;
mod filter;
mod page;

pub use filter::{
    BooleanFilter, DateFilter, DateTimeFilter, EnumFilter, FieldFilter, IdFilter, MoneyFilter,
    StringFilter,
};
pub use page::{Direction, Listed, NullsOrder, Page, PageArgs, PageInfo, page};

/// Declares an entity's filter, its order, and how they become SQL.
macro_rules! list {
    (
        $module:ident as $node:ident in $connection:ident of $edge:ident;
        $(#[$filter_doc:meta])*
        filter $filter:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty => $column:ident,)+ }
        $(#[$order_doc:meta])*
        order $order:ident by $by:ident { $($(#[$by_doc:meta])* $by_column:ident,)+ }
    ) => {
        #[doc = concat!("A `", stringify!($node), "` in a list.")]
        #[derive(Clone, Debug, async_graphql::SimpleObject)]
        pub struct $edge {
            /// Its place in the list, for `after` and `before`.
            pub cursor: String,
            /// The record.
            pub node: $node,
        }

        #[doc = concat!("A page of a list of `", stringify!($node), "`.")]
        #[derive(Clone, Debug, async_graphql::SimpleObject)]
        pub struct $connection {
            /// The page's records with their cursors.
            pub edges: Vec<$edge>,
            /// The page's records.
            pub nodes: Vec<$node>,
            /// Where the page lies in the list.
            pub page_info: $crate::list::PageInfo,
            /// How many records the whole list has. Costs a statement of its own, and only when it is
            /// asked for.
            pub total_count: i32,
        }

        impl From<$crate::list::Page<$node>> for $connection {
            fn from(page: $crate::list::Page<$node>) -> Self {
                let edge = |(cursor, node): &(String, $node)| $edge {
                    cursor: cursor.clone(),
                    node: node.clone(),
                };
                Self {
                    edges: page.rows.iter().map(edge).collect(),
                    nodes: page.rows.into_iter().map(|(_, node)| node).collect(),
                    page_info: page.info,
                    total_count: page.total,
                }
            }
        }

        $(#[$filter_doc])*
        #[derive(Clone, Debug, Default, async_graphql::InputObject)]
        pub struct $filter {
            $($(#[$field_doc])* pub $field: Option<$kind>,)+
            /// All of these have to hold.
            pub and: Option<Vec<$filter>>,
            /// At least one of these has to hold.
            pub or: Option<Vec<$filter>>,
            /// This must not hold.
            pub not: Option<Box<$filter>>,
        }

        impl $filter {
            /// What the filter means in SQL.
            #[must_use]
            pub fn condition(&self) -> sea_orm::Condition {
                use $module as entity;
                use $crate::list::FieldFilter;
                let mut all = sea_orm::Condition::all();
                $(if let Some(filter) = &self.$field {
                    all = all.add(filter.on(entity::Entity, entity::Column::$column));
                })+
                for filter in self.and.iter().flatten() {
                    all = all.add(filter.condition());
                }
                if let Some(filters) = &self.or {
                    let any = sea_orm::Condition::any();
                    all = all.add(filters.iter().fold(any, |any, one| any.add(one.condition())));
                }
                if let Some(filter) = &self.not {
                    all = all.add(filter.condition().not());
                }
                all
            }
        }

        impl $crate::list::FieldFilter for $filter {
            /// As a filter on a column that refers to the entity.
            fn on<E: sea_orm::EntityTrait>(&self, from: E, column: E::Column) -> sea_orm::Condition {
                use sea_orm::sea_query::{Expr, ExprTrait};
                use sea_orm::{EntityTrait, QueryFilter, QuerySelect, QueryTrait};
                use $module as entity;
                let ids = entity::Entity::find().select_only().column(entity::Column::Id);
                let ids = ids.filter(self.condition()).into_query();
                sea_orm::Condition::all().add(Expr::col((from, column)).in_subquery(ids))
            }
        }

        #[doc = concat!("What a list of `", stringify!($node), "` can be ordered by.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, async_graphql::Enum)]
        pub enum $by { $($(#[$by_doc])* $by_column,)+ }

        $(#[$order_doc])*
        #[derive(Clone, Copy, Debug, async_graphql::InputObject)]
        pub struct $order {
            /// By what.
            pub field: $by,
            /// In which direction.
            #[graphql(default_with = "crate::list::Direction::Asc")]
            pub direction: $crate::list::Direction,
            /// Where records without a value stand.
            #[graphql(default_with = "crate::list::NullsOrder::Last")]
            pub nulls: $crate::list::NullsOrder,
        }

        impl $crate::list::Listed for $order {
            type Entity = $module::Entity;

            fn condition_of(filter: &Self::Filter) -> sea_orm::Condition {
                filter.condition()
            }

            type Filter = $filter;
            type Node = $node;
            type Connection = $connection;

            fn id() -> <$module::Entity as sea_orm::EntityTrait>::Column {
                $module::Column::Id
            }

            fn column(&self) -> <$module::Entity as sea_orm::EntityTrait>::Column {
                match self.field { $($by::$by_column => $module::Column::$by_column,)+ }
            }

            fn direction(&self) -> $crate::list::Direction {
                self.direction
            }

            fn nulls(&self) -> $crate::list::NullsOrder {
                self.nulls
            }
        }
    };
}
pub(crate) use list;
