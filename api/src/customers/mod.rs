//! Customers and who belongs to them.

mod address;
mod contact;
mod customer;

pub use address::{AddressInput, AddressKind};
pub use contact::ContactInput;
pub use customer::{Channel, CustomerKind, CustomerMutation, LifecycleStage};
