//! What a figure is. Invariant: a figure without a limit beside it is no figure.

use std::time::Duration;

use futures::future::LocalBoxFuture;

use crate::house::House;

/// Why nothing could be measured.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One line of the table.
pub struct Figure {
    /// What Rapport does.
    pub name: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// What the limit is.
    pub limit: &'static str,
    /// Takes both.
    pub measure: for<'a> fn(&'a House, Scale) -> LocalBoxFuture<'a, Result<Reading, Failure>>,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// Both, in the figure's unit.
    Taken {
        /// Rapport.
        measured: f64,
        /// The limit.
        limit: f64,
        /// What else there is to say.
        note: Option<String>,
    },
    /// Neither, and what is missing.
    Missing(String),
}

/// How much is done for a figure.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Rows of a file that is imported.
    pub rows: usize,
    /// Open invoices to pay, more than can be paid in the time.
    pub invoices: usize,
    /// Payments whose receipts are delivered.
    pub receipts: usize,
    /// Customers whose lists are read, with all that hangs on them.
    pub customers: usize,
    /// Customers in the list of a million.
    pub million: usize,
    /// How often Rapport and its limit take turns.
    pub rounds: usize,
    /// How long each turn is.
    pub turn: Duration,
    /// After which something that has no turns is cut off, and counted as far as it came.
    pub patience: Duration,
}

impl Scale {
    /// For figures to believe.
    pub const FULL: Self = Self {
        rows: 20_000,
        invoices: 24_000,
        receipts: 1_000,
        customers: 100_000,
        million: 1_000_000,
        rounds: 3,
        turn: Duration::from_secs(3),
        patience: Duration::from_secs(30),
    };

    /// To see that everything works.
    pub const QUICK: Self = Self {
        rows: 1_000,
        invoices: 1_200,
        receipts: 48,
        customers: 2_000,
        million: 20_000,
        rounds: 1,
        turn: Duration::from_secs(1),
        patience: Duration::from_secs(8),
    };
}
