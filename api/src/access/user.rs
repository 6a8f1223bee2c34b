//! The people who work with Rapport.

use async_graphql::{Context, Object};
use entity::access::user;

use crate::choice::choice;
use crate::context::Ask;
use crate::error::Fault;
use crate::read::Fetched;

choice! {
    /// What a user works as, which decides what they may do.
    Role mirrors "entity::access::Role" {
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

/// Reading users.
#[derive(Default)]
pub struct UserQuery;

/// Reading users.
#[expect(clippy::unused_async, reason = "async-graphql wants resolvers to be async")]
#[Object]
impl UserQuery {
    /// The user whose token the request carries.
    async fn me(&self, ctx: &Context<'_>) -> Result<Fetched<user::Entity>, Fault> {
        Ok(Fetched::of(ctx.viewer()?.user))
    }
}
