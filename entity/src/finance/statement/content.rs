//! What a statement lists, as it is kept: numbers of documents, days and amounts, and nothing that says who somebody is.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::finance::ageing::Buckets;

/// What a statement lists. Amounts are in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// What has moved the balance, in the order of the days.
    pub movements: Vec<Movement>,
    /// What is still to be paid, what is due first first.
    pub items: Vec<Item>,
    /// What is owed by age, in the usual buckets.
    pub ageing: Vec<i64>,
    /// What was received and settles no invoice: zero or negative.
    pub unapplied: i64,
}

/// What has moved a balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// The day it counts for.
    pub on: NaiveDate,
    /// What it is.
    pub what: What,
    /// The number of its document; none for what was imported without one.
    pub number: Option<String>,
    /// The number of the invoice that it takes back, or that it is charged for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Whether the customer disputes it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disputed: bool,
    /// By how much: what is owed more is positive, a debit.
    pub amount: i64,
}

/// What moves balances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// An invoice.
    Invoice,
    /// A document that takes one back.
    CreditNote,
    /// Money that came in.
    Payment,
    /// Money that was taken back.
    Reversal,
    /// A fee for an invoice that was not paid in time.
    LateFee,
    /// Interest for an invoice that was not paid in time.
    Interest,
    /// An invoice was given up.
    WriteOff,
    /// An invoice that was given up is owed again.
    Reinstatement,
}

/// An invoice of which something is still to be paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its number.
    pub number: Option<String>,
    /// Its date.
    pub issued_on: NaiveDate,
    /// When it has or had to be paid.
    pub due_on: NaiveDate,
    /// What it comes to.
    pub total: i64,
    /// What is still to be paid of it.
    pub open: i64,
    /// Whether the customer disputes it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disputed: bool,
    /// The day by which the customer has promised to pay it, or the next instalment of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<NaiveDate>,
}

impl Item {
    /// How many days past due it is on a day.
    #[must_use]
    pub fn days_overdue(&self, on: NaiveDate) -> i64 {
        (on - self.due_on).num_days()
    }
}

/// What is owed on `items` at the end of a day, by age.
pub(super) fn ageing(items: &[Item], on: NaiveDate) -> Vec<i64> {
    let owed = |range: crate::finance::ageing::Range| {
        let within = items.iter().filter(|item| range.contains(item.days_overdue(on)));
        within.map(|item| item.open).sum()
    };
    Buckets::default().ranges().into_iter().map(owed).collect()
}
