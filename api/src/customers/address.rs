//! Where a customer is.

use entity::customers::address;

use crate::choice::choice;
use crate::edit::{form, records};

choice! {
    /// What an address is for.
    AddressKind mirrors "entity::customers::address::Kind" {
        /// It stands on invoices and receipts.
        Billing,
        /// Goods go there.
        Shipping,
    }
}

form! {
    /// A postal address of a customer.
    AddressInput,
    /// A change of an address. What is absent stays; what is null is cleared.
    UpdateAddressInput,
    of address:
    needs {
        /// Street and house, building, ward: a line each, separated by line breaks.
        lines: String,
    }
    defaults {
        /// What it is for.
        kind: AddressKind = "AddressKind::Billing",
    }
    may {
        /// Town or province.
        city: String,
        /// State or district.
        region: String,
        /// Postal code.
        postcode: String,
        /// ISO 3166-1 code of two letters, such as `VN`.
        country: String,
    }
}

records! {
    /// Changing addresses.
    AddressMutation of address by WriteCustomers;
    add create_address(AddressInput) -> CreateAddressPayload: "Adds an address to a customer.";
    update update_address(UpdateAddressInput) -> UpdateAddressPayload: "Changes an address.";
    remove delete_address -> DeleteAddressPayload: "Removes an address for good.";
}
