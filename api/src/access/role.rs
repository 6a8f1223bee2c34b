//! Creating, changing and removing roles.

use async_graphql::{Context, ID, InputObject, Object};
use entity::access::Permission as Needed;
use entity::access::role::{self, Grants};
use entity::id::RoleId;
use futures::FutureExt;

use super::{Permission, Scope};
use crate::choice::choice;
use crate::context::{Ask, Can, Once, write};
use crate::error::Fault;
use crate::id::parse;
use crate::payload::{DeletedPayload, payload};

choice! {
    /// A role that Rapport brings along.
    RoleKey mirrors "entity::access::Role" {
        /// Everything.
        Administrator,
        /// Customers, invoices, payments, receipts and imports.
        Accountant,
        /// Customers.
        Sales,
        /// Looks, and changes nothing.
        Auditor,
    }
}

/// What a role lets its users do in one respect.
#[derive(Clone, Debug, InputObject)]
pub struct GrantInput {
    /// What.
    pub permission: Permission,
    /// With whose records.
    pub scope: Scope,
}

/// A role to be.
#[derive(Clone, Debug, InputObject)]
pub struct CreateRoleInput {
    /// What it is called, up to 100 characters; unique.
    pub name: String,
    /// What it lets its users do. What is missing it does not; of two for one permission the last counts.
    #[graphql(validator(max_items = 100))]
    pub grants: Vec<GrantInput>,
}

/// A change of a role. What is absent stays.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateRoleInput {
    /// What it is called, up to 100 characters; unique.
    pub name: Option<String>,
    /// What it lets its users do from now on, in place of what it did.
    #[graphql(validator(max_items = 100))]
    pub grants: Option<Vec<GrantInput>>,
}

fn grants(given: Vec<GrantInput>) -> Grants {
    given.into_iter().map(|grant| (grant.permission.into(), grant.scope.into())).collect()
}

payload! {
    /// What came of creating a role.
    CreateRolePayload {
        /// The new role; null when it was refused.
        role: role::Entity
    }
}

payload! {
    /// What came of changing a role.
    UpdateRolePayload {
        /// The role as it is now; null when the change was refused.
        role: role::Entity
    }
}

/// Changing roles.
#[derive(Default)]
pub struct RoleMutation;

/// Changing roles.
#[Object]
impl RoleMutation {
    /// Adds a role.
    #[graphql(guard = "Can(Needed::ManageUsers)")]
    async fn create_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The role.")] input: CreateRoleInput,
    ) -> Result<CreateRolePayload, Fault> {
        let once = Once::new(None, "createRole", &input);
        let (name, grants) = (input.name, grants(input.grants));
        let viewer = ctx.viewer()?;
        let outcome = write(ctx, once, move |txn, _, now| {
            let (name, grants, viewer) = (name.clone(), grants.clone(), viewer.clone());
            async move { Ok(role::create(txn, &name, &grants, &viewer, now).await?.id.into()) }
                .boxed()
        });
        outcome.await.map(CreateRolePayload::from)
    }

    /// Changes one of your own roles; what its users may do changes with their next request.
    #[graphql(guard = "Can(Needed::ManageUsers)")]
    async fn update_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The role's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdateRoleInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<UpdateRolePayload, Fault> {
        let once = Once::new(None, "updateRole", &input).about(&id);
        let id = match parse::<RoleId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let (name, grants) = (input.name, input.grants.map(grants));
        let viewer = ctx.viewer()?;
        let outcome = write(ctx, once, move |txn, _, now| {
            let (name, grants, viewer) = (name.clone(), grants.clone(), viewer.clone());
            async move {
                let row = role::update(txn, id, name, grants, expected_version, &viewer, now);
                Ok(row.await?.id.into())
            }
            .boxed()
        });
        outcome.await.map(UpdateRolePayload::from)
    }

    /// Removes one of your own roles that no user has.
    #[graphql(guard = "Can(Needed::ManageUsers)")]
    async fn delete_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The role's id.")] id: ID,
    ) -> Result<DeletedPayload, Fault> {
        let once = Once::new(None, "deleteRole", &String::new()).about(&id);
        let role = match parse::<RoleId>(&id, &["id"]) {
            Ok(role) => role,
            Err(errors) => return Ok(DeletedPayload::refused(errors)),
        };
        let outcome = write(ctx, once, move |txn, _, _| {
            async move { role::delete(txn, role).await.map(|()| role.into()) }.boxed()
        });
        Ok(DeletedPayload::new(id, outcome.await?))
    }
}
