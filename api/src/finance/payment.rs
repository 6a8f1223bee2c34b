//! Payments: their choices, and changing them. What is read of them is in the catalogue.

mod mutation;

use crate::choice::choice;

pub use mutation::PaymentMutation;

choice! {
    /// How money came in.
    PaymentMethod mirrors "entity::finance::payment::Method" {
        /// To the bank account.
        BankTransfer,
        /// In cash.
        Cash,
        /// By card.
        Card,
        /// Otherwise.
        Other,
    }
}

choice! {
    /// Whether a payment holds.
    PaymentState mirrors "entity::finance::payment::State" {
        /// It holds.
        Recorded,
        /// It was taken back: a bounced cheque, a mistake.
        Reversed,
    }
}
