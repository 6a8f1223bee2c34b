//! Customers and who belongs to them.

mod address;
mod contact;
mod customer;

pub use address::{Address, AddressInput, AddressKind};
pub use contact::{Contact, ContactInput};
pub use customer::{
    Channel, Customer, CustomerFilter, CustomerKind, CustomerMutation, CustomerQuery,
    LifecycleStage,
};
