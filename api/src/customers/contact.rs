//! The people to talk to at a customer.

use async_graphql::InputObject;
use entity::customers::contact::NewContact;

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
