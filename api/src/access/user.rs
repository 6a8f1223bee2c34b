//! The people who work with Rapport.

use async_graphql::{Context, ID, Object};
use entity::access::user;

use crate::choice::choice;
use crate::context::Ask;
use crate::error::Fault;
use crate::http::errors::Code;
use crate::id::global;
use crate::loader::load;

choice! {
    /// What a user works as, which decides what they may do.
    Role mirrors entity::access::Role as "entity::access::Role" {
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

/// A user of Rapport: somebody who works in the organisation.
#[derive(Clone, Debug)]
pub struct User(pub user::Model);

/// A user of Rapport: somebody who works in the organisation.
#[Object]
impl User {
    /// Their id.
    pub(crate) async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// What they are called.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What they log in with.
    async fn email(&self) -> &str {
        &self.0.email
    }

    /// What they work as.
    async fn role(&self) -> Role {
        self.0.role.into()
    }
}

/// Reading users.
#[derive(Default)]
pub struct UserQuery;

/// Reading users.
#[Object]
impl UserQuery {
    /// The user whose token the request carries.
    async fn me(&self, ctx: &Context<'_>) -> Result<User, Fault> {
        let viewer = ctx.viewer()?;
        let row = load(ctx, viewer.user).await?;
        row.map(User).ok_or_else(|| Fault::coded(Code::Unauthenticated, "the user is gone"))
    }
}
