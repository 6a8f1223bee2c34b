//! Customers and who belongs to them.

mod address;
mod contact;
mod custom_field;
mod customer;
mod history;
mod import;
mod overview;

pub use address::{AddressInput, AddressKind, AddressMutation};
pub use contact::{ContactInput, ContactMutation};
pub use custom_field::{CustomFieldInput, CustomFieldMutation, CustomFieldType, Sensitivity};
pub use customer::{
    BulkCustomerChangeInput, Channel, CustomerBulkMutation, CustomerDuplicateQuery, CustomerKind,
    CustomerMergeMutation, CustomerMutation, CustomerRemovalMutation, CustomerUpsertMutation,
    LifecycleStage,
};
pub use history::HistoryMutation;
pub use import::CustomerImportMutation;
pub use overview::OverviewQuery;
