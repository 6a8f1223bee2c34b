//! What a document says, before any language is chosen.
//!
//! Invariant: facts hold everything that a document needs. Rendering reads no clock and no database, so the
//! same facts always give the same bytes, and facts can be frozen with the message they belong to.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use entity::access::organisation;
use entity::collaboration::notification::Notice;
use entity::finance::dunning::Asked;
use entity::finance::statement;
use entity::money::Money;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// All that a receipt, or the document that cancels one, says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptFacts {
    /// Which of the two it is.
    #[serde(flatten)]
    pub kind: Kind,
    /// Whether it repeats a document that was sent before. It is then marked as a copy.
    pub copy: bool,
    /// BCP 47 tag of the language that the customer reads, such as `vi` or `en-GB`.
    pub language: String,
    /// The number of this document in its series.
    pub number: String,
    /// The day it was issued on, in the organisation's zone.
    pub issued_on: NaiveDate,
    /// Who received the money.
    pub organisation: Party,
    /// Who paid.
    pub customer: Party,
    /// The money.
    pub payment: Payment,
    /// The invoices it settled, in the order in which they are to be listed.
    pub lines: Vec<Line>,
    /// What was left over and is kept as the customer's credit; zero if nothing was.
    pub unapplied: Money,
}

/// All that a mail for choosing a new password says, apart from its link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResetFacts {
    /// BCP 47 tag of the language that the user reads.
    pub language: String,
    /// What the user is called.
    pub name: String,
    /// How many minutes the link is good for a new password.
    pub minutes: i64,
    /// How many days it is good for the first one.
    pub days: i64,
    /// For whom the user works.
    pub organisation: Party,
}

/// All that the mail of notifications says, apart from its link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeFacts {
    /// BCP 47 tag of the language that the user reads.
    pub language: String,
    /// What they tell, the oldest first.
    pub notices: Vec<Notice>,
    /// What the user is called.
    pub name: String,
    /// For whom the user works.
    pub organisation: Party,
}

/// What is new about an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// It is.
    Invited,
    /// It was known, and is another one now.
    Changed,
    /// It does not take place.
    Cancelled,
}

/// All that a mail about an appointment says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingFacts {
    /// BCP 47 tag of the language that who takes part reads.
    pub language: String,
    /// What who takes part is called.
    pub name: String,
    /// Who invites.
    pub organizer: Option<String>,
    /// What it is about.
    pub subject: String,
    /// What there is to say about it.
    pub description: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// When it begins, on the clock of its zone.
    pub starts: NaiveDateTime,
    /// When it ends, on that clock.
    pub ends: NaiveDateTime,
    /// That zone.
    pub time_zone: String,
    /// Whether it takes whole days.
    pub all_day: bool,
    /// Whether it comes again.
    pub repeats: bool,
    /// What is new about it.
    pub news: News,
    /// The text of the calendar file.
    pub calendar: String,
    /// Who writes.
    pub organisation: Party,
}

/// All that a letter says that people have written for customers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterFacts {
    /// BCP 47 tag of the language that it is written in.
    pub language: String,
    /// Its subject line, which a text message does not have: a wording.
    pub subject: Option<String>,
    /// Its text: a wording, with an empty line between paragraphs.
    pub text: String,
    /// Whether it goes without diacritics as a text message.
    #[serde(default)]
    pub plain: bool,
    /// What who is written to is called.
    pub addressee: String,
    /// The day it is written on, where the customer is.
    pub written_on: NaiveDate,
    /// The IANA zone that the customer lives in.
    pub time_zone: String,
    /// The number that the customer is known by.
    pub number: Option<String>,
    /// Who writes.
    pub organisation: Party,
    /// The customer.
    pub customer: Party,
    /// The fields that it names of the record that it is about.
    pub record: BTreeMap<String, Said>,
    /// What it asks for, if it is a notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// What goes with it beside itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enclosed: Vec<Enclosed>,
}

/// A document that goes with a letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Enclosed {
    /// A copy of an invoice.
    Invoice(InvoiceFacts),
    /// A statement of what is open.
    Statement(StatementFacts),
}

/// All that the copy of an invoice says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceFacts {
    /// BCP 47 tag of the language that the customer reads.
    pub language: String,
    /// Who sold.
    pub organisation: Party,
    /// Who bought.
    pub customer: Party,
    /// Its number.
    pub number: String,
    /// The customer's order number or the like.
    pub reference: Option<String>,
    /// Its date.
    pub issued_on: NaiveDate,
    /// The day it is due on.
    pub due_on: NaiveDate,
    /// What was sold; none of an invoice that was imported without its lines.
    pub lines: Vec<Sold>,
    /// What all of it comes to without tax.
    pub net: Money,
    /// The tax.
    pub tax: Money,
    /// Both together.
    pub total: Money,
    /// What was paid and credited of it.
    pub settled: Money,
    /// What is still to be paid.
    pub open: Money,
}

/// A line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sold {
    /// What was sold.
    pub description: String,
    /// How much of it.
    pub quantity: Decimal,
    /// The price of one, without tax.
    pub unit_price: Money,
    /// The tax rate in percent.
    pub tax_percent: Decimal,
    /// What it comes to without tax.
    pub net: Money,
}

/// A value that a letter names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Said {
    /// Text.
    Text(String),
    /// A number.
    Number(Decimal),
    /// Yes or no.
    Truth(bool),
    /// A calendar day.
    Day(NaiveDate),
    /// An instant.
    Instant(DateTime<Utc>),
    /// An amount.
    Money(Money),
}

/// A receipt, or the cancellation of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// A payment was received.
    Receipt,
    /// The payment was reversed, which cancels its receipt.
    Cancellation {
        /// The receipt that no longer holds.
        cancels: Cancelled,
        /// Why the payment was reversed, in the words of whoever did it.
        reason: Option<String>,
    },
}

/// A receipt that was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// Its number.
    pub number: String,
    /// The day it was issued on.
    pub issued_on: NaiveDate,
}

/// One side of the payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Full name.
    pub name: String,
    /// Postal address, line by line; may be empty.
    pub address_lines: Vec<String>,
    /// Tax number, if it has one.
    pub tax_number: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number, as it is to be printed.
    pub phone: Option<String>,
}

impl From<organisation::Model> for Party {
    fn from(organisation: organisation::Model) -> Self {
        Self {
            name: organisation.name,
            address_lines: organisation.address.lines().map(str::to_owned).collect(),
            tax_number: organisation.tax_number,
            email: Some(organisation.email),
            phone: organisation.phone,
        }
    }
}

/// Money that came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The day it came in.
    pub received_on: NaiveDate,
    /// How, as a code such as `BANK_TRANSFER`. A code without a label in the language reads as `OTHER`.
    pub method: String,
    /// What the payer or the bank wrote on it.
    pub reference: Option<String>,
    /// How much.
    pub amount: Money,
}

/// What a payment did to one invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The invoice's number.
    pub invoice_number: String,
    /// The day the invoice was issued on.
    pub issued_on: NaiveDate,
    /// The day it is due on.
    pub due_on: NaiveDate,
    /// Its whole amount.
    pub total: Money,
    /// What this payment settled of it; of a cancellation, what is no longer settled.
    pub applied: Money,
    /// What is left to pay on it afterwards.
    pub remaining: Money,
}

/// All that a statement of account says, and the mail that it comes with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementFacts {
    /// BCP 47 tag of the language that the customer reads.
    pub language: String,
    /// Who is owed.
    pub organisation: Party,
    /// Who owes.
    pub customer: Party,
    /// What it lists.
    pub kind: statement::Kind,
    /// Its first day; none of open items.
    pub from: Option<NaiveDate>,
    /// Its last day.
    pub until: NaiveDate,
    /// The day it was made on, in the organisation's zone.
    pub issued_on: NaiveDate,
    /// Which one for the last day, counted from one.
    pub revision: i32,
    /// What was owed before the first day; none of open items.
    pub opening: Option<Money>,
    /// What was posted for days before the first since the statement before.
    pub adjustment: Money,
    /// What was owed at the end of the last day.
    pub closing: Money,
    /// What of it was overdue.
    pub overdue: Money,
    /// What it lists; the mail does without movements and items.
    pub content: statement::Content,
    /// The addresses that get a copy of the mail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<String>,
}
