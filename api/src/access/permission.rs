//! What users may do, and with whose records.

use async_graphql::{Context, Object, SimpleObject};
use sea_orm::Iterable;

use crate::choice::choice;
use crate::context::Ask;
use crate::error::Fault;

choice! {
    /// One thing that a user may do: an action on a kind of resource.
    Permission mirrors "entity::access::Permission" {
        /// See customers, contacts and addresses.
        ReadCustomers,
        /// Create and change customers.
        WriteCustomers,
        /// Remove deleted customers for good.
        PurgeCustomers,
        /// Define custom fields.
        DefineFields,
        /// See invoices, payments, receipts, balances and messages.
        ReadFinance,
        /// Issue and void invoices.
        WriteInvoices,
        /// Record, allocate and reverse payments, resend receipts, and print letters.
        WritePayments,
        /// Collect what is owed: take down disputes and promises to pay, and say who gets no notices.
        Collect,
        /// Set credit limits and let customers over them, approve notices, write off what is not paid, and hand it over.
        ManageCredit,
        /// See products.
        ReadProducts,
        /// Create, change and delete products.
        WriteProducts,
        /// See orders.
        ReadOrders,
        /// Take orders down, and call them off.
        WriteOrders,
        /// See tasks: those of the users and of the customers whose records they reach.
        ReadTasks,
        /// Create, change, complete and delete tasks.
        WriteTasks,
        /// See calls: those of the users and of the customers whose records they reach.
        ReadCalls,
        /// Plan, change, make and delete calls.
        WriteCalls,
        /// See appointments: those of the users and of the customers whose records they reach. Who takes part in one
        /// sees it anyway.
        ReadAppointments,
        /// Make, change, call off and delete appointments.
        WriteAppointments,
        /// Say how customers may be reached: at which times, how often, by which laws.
        WriteContactRules,
        /// Make segments of customers.
        WriteSegments,
        /// Import files, and follow the jobs. Importing takes the permissions to write what is
        /// imported, too, all of these with all records.
        Import,
        /// Manage users, roles, teams and positions. Nobody gives what they may not do themselves, and whose
        /// records others reach, by teams, positions and deputies, is decided by who reaches all.
        ManageUsers,
        /// See who changed what.
        ReadAudit,
        /// Tell other systems what happens, with the records that it happens to, of whatever kind.
        ManageWebhooks,
        /// See workflows, and what they did.
        ReadWorkflows,
        /// Draft workflows.
        WriteWorkflows,
        /// Publish workflows, let them stand still, and start, repeat and call off their runs.
        RunWorkflows,
        /// Publish workflows that send customers something.
        ApproveSends,
    }
}

choice! {
    /// With whose records: those of a customer belong to who looks after it.
    Scope mirrors "entity::access::Scope" {
        /// With none.
        None,
        /// With their own, those of users who are away and whose deputy they are, and those that are shared
        /// with them.
        Own,
        /// Also with those of their teams, and of whoever reports to them with their teams.
        Team,
        /// With all, also with those that nobody looks after.
        All,
    }
}

/// What the viewer may do in one respect.
#[derive(SimpleObject)]
pub struct ViewerPermission {
    /// What.
    pub permission: Permission,
    /// With whose records; `NONE` where they may not.
    pub scope: Scope,
}

/// What the viewer may do.
#[derive(Default)]
pub struct PermissionQuery;

/// What the viewer may do.
#[expect(clippy::unused_async, reason = "async-graphql wants resolvers to be async")]
#[Object]
impl PermissionQuery {
    /// What you may do, so that a frontend shows what there is to do: one entry for each permission.
    async fn permissions(&self, ctx: &Context<'_>) -> Result<Vec<ViewerPermission>, Fault> {
        let viewer = ctx.viewer()?;
        let all = <entity::access::Permission as Iterable>::iter();
        let all = all.map(|permission| ViewerPermission {
            permission: permission.into(),
            scope: viewer.scope(permission).into(),
        });
        Ok(all.collect())
    }
}
