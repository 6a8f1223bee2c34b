//! Customers and who belongs to them.

mod address;
mod contact;
mod customer;

pub use address::{AddressInput, AddressKind, AddressMutation};
pub use contact::{ContactInput, ContactMutation};
pub use customer::{
    Channel, CustomerBulkMutation, CustomerKind, CustomerMutation, CustomerRemovalMutation,
    CustomerUpsertMutation, LifecycleStage,
};
