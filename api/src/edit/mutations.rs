//! The mutations that add, change, delete and restore records.

/// Declares the mutations of a kind of record by the permission that they take, each with its payload and what there is
/// to say about it: `create`, or `add` to a customer; `update`; `remove` from a customer for good, or `delete` and
/// `restore`. What a kind does in a way of its own is left out.
macro_rules! records {
    (
        $(#[$doc:meta])* $name:ident of $kind:ident by $permission:ident;
        $(create $create:ident($create_input:ident) -> $create_payload:ident: $create_doc:tt;)?
        $(add $add:ident($add_input:ident) -> $add_payload:ident: $add_doc:tt;)?
        $(update $update:ident($update_input:ident) -> $update_payload:ident: $update_doc:tt;)?
        $(remove $remove:ident -> $remove_payload:ident: $remove_doc:tt;)?
        $(delete $delete:ident -> $delete_payload:ident: $delete_doc:tt;
          restore $restore:ident -> $restore_payload:ident: $restore_doc:tt;)?
    ) => {
        $($crate::payload::payload! {
            /// What came of adding a record.
            $create_payload {
                /// The new record; null when it was refused.
                $kind: $kind::Entity
            }
        })?

        $($crate::payload::payload! {
            /// What came of adding a record to a customer.
            $add_payload {
                /// The new record; null when it was refused.
                $kind: $kind::Entity
            }
        })?

        $($crate::payload::payload! {
            /// What came of changing a record.
            $update_payload {
                /// The record as it is now; null when the change was refused.
                $kind: $kind::Entity
            }
        })?

        $($crate::payload::payload! {
            /// What came of removing a record.
            $remove_payload {
                /// The customer whose it was; null when the removal was refused.
                customer: entity::customers::customer::Entity
            }
        })?

        $($crate::payload::payload! {
            /// What came of deleting a record.
            $delete_payload {
                /// The record, which says since when it is deleted; null when that was refused.
                $kind: $kind::Entity
            }
        }

        $crate::payload::payload! {
            /// What came of taking a deletion back.
            $restore_payload {
                /// The record, which is in lists again; null when that was refused.
                $kind: $kind::Entity
            }
        })?

        $(#[$doc])*
        #[derive(Default)]
        pub struct $name;

        $(#[$doc])*
        #[async_graphql::Object]
        impl $name {
            $(#[doc = $create_doc]
            #[graphql(guard = $crate::context::Can(entity::access::Permission::$permission))]
            async fn $create(
                &self,
                ctx: &async_graphql::Context<'_>,
                #[graphql(desc = "The record.")] input: $create_input,
                #[graphql(
                    desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's record."
                )]
                idempotency_key: Option<String>,
            ) -> Result<$create_payload, $crate::error::Fault> {
                let key = idempotency_key.as_deref();
                let once = $crate::context::Once::new(key, stringify!($create), &input);
                let outcome = $crate::edit::create::<$kind::Entity>(ctx, once, input.row());
                Ok(outcome.await?.into())
            })?

            $(#[doc = $add_doc]
            #[graphql(guard = $crate::context::Can(entity::access::Permission::$permission))]
            async fn $add(
                &self,
                ctx: &async_graphql::Context<'_>,
                #[graphql(desc = "The customer's id.")] customer_id: async_graphql::ID,
                #[graphql(desc = "The record.")] input: $add_input,
                #[graphql(
                    desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's record."
                )]
                idempotency_key: Option<String>,
            ) -> Result<$add_payload, $crate::error::Fault> {
                let key = idempotency_key.as_deref();
                let once = $crate::context::Once::new(key, stringify!($add), &input)
                    .about(&customer_id)
                    .within(entity::access::Permission::$permission, &customer_id, &["customerId"]);
                let row = $crate::id::parse(&customer_id, &["customerId"]).and_then(|customer| {
                    let customer_id = sea_orm::ActiveValue::Set(customer);
                    Ok($kind::ActiveModel { customer_id, ..input.row()? })
                });
                Ok($crate::edit::create::<$kind::Entity>(ctx, once, row).await?.into())
            })?

            $(#[doc = $update_doc]
            #[graphql(guard = $crate::context::Can(entity::access::Permission::$permission))]
            async fn $update(
                &self,
                ctx: &async_graphql::Context<'_>,
                #[graphql(desc = "The record's id.")] id: async_graphql::ID,
                #[graphql(desc = "What changes.")] input: $update_input,
                #[graphql(
                    desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
                )]
                expected_version: Option<i32>,
            ) -> Result<$update_payload, $crate::error::Fault> {
                let target = $crate::edit::target!($permission, $update, id, expected_version);
                Ok(target.update::<$kind::Entity>(ctx, input.row()).await?.into())
            })?

            $(#[doc = $remove_doc]
            #[graphql(guard = $crate::context::Can(entity::access::Permission::$permission))]
            async fn $remove(
                &self,
                ctx: &async_graphql::Context<'_>,
                #[graphql(desc = "The record's id.")] id: async_graphql::ID,
                #[graphql(
                    desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
                )]
                expected_version: Option<i32>,
            ) -> Result<$remove_payload, $crate::error::Fault> {
                let target = $crate::edit::target!($permission, $remove, id, expected_version);
                Ok(target.remove::<$kind::Entity>(ctx).await?.into())
            })?

            $(#[doc = $delete_doc]
            #[graphql(guard = $crate::context::Can(entity::access::Permission::$permission))]
            async fn $delete(
                &self,
                ctx: &async_graphql::Context<'_>,
                #[graphql(desc = "The record's id.")] id: async_graphql::ID,
                #[graphql(
                    desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
                )]
                expected_version: Option<i32>,
            ) -> Result<$delete_payload, $crate::error::Fault> {
                let target = $crate::edit::target!($permission, $delete, id, expected_version);
                Ok(target.delete::<$kind::Entity>(ctx, true).await?.into())
            }

            #[doc = $restore_doc]
            #[graphql(guard = $crate::context::Can(entity::access::Permission::$permission))]
            async fn $restore(
                &self,
                ctx: &async_graphql::Context<'_>,
                #[graphql(desc = "The record's id.")] id: async_graphql::ID,
                #[graphql(
                    desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
                )]
                expected_version: Option<i32>,
            ) -> Result<$restore_payload, $crate::error::Fault> {
                let target = $crate::edit::target!($permission, $restore, id, expected_version);
                Ok(target.delete::<$kind::Entity>(ctx, false).await?.into())
            })?
        }
    };
}
pub(crate) use records;

/// The record that a mutation touches.
macro_rules! target {
    ($permission:ident, $operation:ident, $id:ident, $version:ident) => {
        $crate::edit::Target {
            permission: entity::access::Permission::$permission,
            operation: stringify!($operation),
            id: &$id,
            expected_version: $version,
        }
    };
}
pub(crate) use target;
