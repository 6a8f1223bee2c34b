//! What is known when all is over: plain data, gathered by [`super::evidence`], weighed by
//! [`super::judge`].
//!
//! Invariant: ids are the outward ones of payments (`pay_…`) and plain UUIDs otherwise; amounts are
//! minor units.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// Everything the judge may look at. It is saved with a failing run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// What the clients asked and were told, one entry per idempotency key.
    pub requests: Vec<Asked>,
    /// The rows of `payment`.
    pub payments: Vec<Payment>,
    /// The rows of `receipt`.
    pub receipts: Vec<Receipt>,
    /// The rows of `invoice`.
    pub invoices: Vec<Invoice>,
    /// The rows of `allocation`.
    pub allocations: Vec<Allocation>,
    /// The rows of `ledger_entry`.
    pub entries: Vec<Entry>,
    /// The rows of `message`.
    pub messages: Vec<Message>,
    /// How many rows of `event` were never relayed.
    pub unrelayed_events: u64,
    /// What the mail server has on its disk.
    pub mails: Vec<Delivered>,
    /// How often the mail server said “never” to a recipient.
    pub refusals: BTreeMap<String, usize>,
    /// For each message that somebody may rightly be in doubt about: why. By Message-ID.
    pub doubts: BTreeMap<String, String>,
    /// Processes that did not stop within their grace when asked to.
    pub unstoppable: Vec<String>,
    /// Seconds from the last fault until nothing was left to do, or none if that never happened.
    pub drained_s: Option<f64>,
}

/// A request, repeated with the same key until it was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The idempotency key.
    pub key: String,
    /// What was asked.
    pub what: What,
    /// How often it was sent.
    pub sent: u32,
    /// Every final answer, in the order of arrival.
    pub answers: Vec<Answer>,
}

/// What a client can want.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// To record a payment. Its `reference` is the key.
    Pay {
        /// The amount.
        amount: i64,
    },
    /// To reverse a payment.
    Reverse {
        /// The payment's id.
        payment: String,
    },
}

/// A final answer: not a fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Answer {
    /// Done.
    Done {
        /// The payment's id.
        payment: String,
        /// The number of its receipt, where the answer names it.
        receipt: Option<String>,
    },
    /// Not done, for a reason that the data gives.
    Refused {
        /// The first user error's code.
        code: String,
    },
}

/// A row of `payment`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    /// `pay_…`.
    pub id: String,
    /// Who paid.
    pub customer_id: String,
    /// The idempotency key it was recorded under.
    pub reference: Option<String>,
    /// ISO 4217.
    pub currency: String,
    /// What was received.
    pub amount: i64,
    /// What of it settles invoices.
    pub allocated: i64,
    /// When it was taken back.
    pub reversed_on: Option<NaiveDate>,
}

/// A row of `receipt`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// A UUID.
    pub id: String,
    /// Gapless within its series and year.
    pub number: String,
    /// `RECEIPT` or `CANCELLATION`.
    pub kind: String,
    /// `pay_…`.
    pub payment_id: String,
}

/// A row of `invoice`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invoice {
    /// A UUID.
    pub id: String,
    /// Gapless within its series and year.
    pub number: String,
    /// Who owes.
    pub customer_id: String,
    /// ISO 4217.
    pub currency: String,
    /// What was asked for.
    pub total: i64,
    /// What payments have settled.
    pub paid: i64,
    /// What credit notes have taken back.
    pub credited: i64,
}

/// A row of `allocation`; a reversal takes back with a negative amount.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Allocation {
    /// `pay_…`.
    pub payment_id: String,
    /// A UUID.
    pub invoice_id: String,
    /// What settles.
    pub amount: i64,
}

/// A row of `ledger_entry`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The posting it is one side of.
    pub transaction_id: String,
    /// `RECEIVABLE`, `REVENUE`, `TAX`, `CASH` or `UNAPPLIED`.
    pub account: String,
    /// Whose account.
    pub customer_id: String,
    /// ISO 4217.
    pub currency: String,
    /// Debit positive, credit negative.
    pub amount: i64,
}

/// A row of `message`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// A UUID.
    pub id: String,
    /// What it is about: the receipt's id.
    pub subject_id: String,
    /// The message that it repeats on somebody's wish.
    pub copy_of_id: Option<String>,
    /// Where it stands.
    pub state: String,
    /// To whom.
    pub recipient: Option<String>,
    /// The part of its Message-ID before the domain.
    pub message_id: String,
}

/// A mail that was delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivered {
    /// The part of its Message-ID before the domain; none if the mail has no such header.
    pub message_id: Option<String>,
    /// The recipients of its envelope.
    pub to: Vec<String>,
}
