//! The people to talk to at a customer.

use entity::customers::contact;

use crate::edit::{form, records};

form! {
    /// A person to talk to at a customer.
    ContactInput,
    /// A change of a contact. What is absent stays; what is null is cleared.
    UpdateContactInput,
    of contact:
    needs {
        /// What they are called, up to 200 characters.
        name: String,
    }
    defaults {
        /// Whether receipts and statements go to them instead of the customer's own address.
        billing: bool = "false",
    }
    may {
        /// What they do there.
        role: String,
        /// Where mail reaches them.
        email: String,
        /// Where calls reach them.
        phone: String,
    }
}

records! {
    /// Changing contacts.
    ContactMutation of contact by WriteCustomers;
    add create_contact(ContactInput) -> CreateContactPayload: "Adds a contact to a customer.";
    update update_contact(UpdateContactInput) -> UpdateContactPayload: "Changes a contact.";
    remove delete_contact -> DeleteContactPayload: "Removes a contact for good.";
}
