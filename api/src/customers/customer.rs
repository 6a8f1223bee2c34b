//! Customers: their choices, and changing them. What is read of them is in the catalogue.

mod bulk;
mod merge;
mod mutation;
mod removal;
mod upsert;

use crate::choice::choice;

pub use bulk::{BulkCustomerChangeInput, CustomerBulkMutation};
pub use merge::{CustomerDuplicateQuery, CustomerMergeMutation};
pub use mutation::CustomerMutation;
pub use removal::CustomerRemovalMutation;
pub use upsert::{CustomerMatch, CustomerUpsertMutation};

choice! {
    /// What kind of party a customer is.
    CustomerKind mirrors "entity::customers::customer::Kind" {
        /// A company, an authority, an association.
        Organisation,
        /// A natural person.
        Person,
    }
}

choice! {
    /// How far the relation with a customer has come.
    LifecycleStage mirrors "entity::customers::customer::LifecycleStage" {
        /// Has bought nothing yet.
        Prospect,
        /// Has bought.
        Customer,
        /// Buys again and again.
        Regular,
        /// Has not bought for long.
        Lapsed,
    }
}

choice! {
    /// A way to reach a customer.
    Channel mirrors "entity::customers::customer::Channel" {
        /// E-mail.
        Email,
        /// Text message.
        Sms,
        /// Telephone call.
        Phone,
        /// Letter by post.
        Letter,
        /// Fax.
        Fax,
        /// The web site.
        Web,
        /// A shop or branch.
        Store,
        /// A visit at the customer's.
        FieldVisit,
    }
}
