//! The people to talk to at a customer.

use async_graphql::{ID, InputObject, Object};
use entity::customers::contact::{self, NewContact};

use crate::id::global;

/// A person to talk to at a customer.
#[derive(Clone, Debug)]
pub struct Contact(pub contact::Model);

/// A person to talk to at a customer.
#[Object]
impl Contact {
    /// Its id.
    async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// What they are called.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What they do there; null when it is not known.
    async fn role(&self) -> Option<&str> {
        self.0.role.as_deref()
    }

    /// Where mail reaches them; null when it is not known.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Where calls reach them; null when it is not known.
    async fn phone(&self) -> Option<&str> {
        self.0.phone.as_deref()
    }

    /// Whether receipts and statements go to them instead of the customer's own address.
    async fn billing(&self) -> bool {
        self.0.billing
    }
}

/// A person to talk to at a customer.
#[derive(Clone, Debug, InputObject)]
pub struct ContactInput {
    /// What they are called.
    pub name: String,
    /// What they do there.
    pub role: Option<String>,
    /// Where mail reaches them.
    pub email: Option<String>,
    /// Where calls reach them.
    pub phone: Option<String>,
    /// Whether receipts and statements go to them instead of the customer's own address.
    #[graphql(default)]
    pub billing: bool,
}

impl From<ContactInput> for NewContact {
    fn from(input: ContactInput) -> Self {
        let ContactInput { name, role, email, phone, billing } = input;
        Self { name, role, email, phone, billing }
    }
}
