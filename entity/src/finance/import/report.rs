//! What came of an import: for people on a terminal, and as JSON in the job.
//!
//! Invariant: every row of the file is counted once, as created, settled, unchanged, repeated or bad.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::format::{Basis, DateOrder, DecimalMark};
use crate::money::{Currency, Money};

/// How many bad rows a report names.
pub const NAMED: usize = 1_000;

/// What came of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Nothing was written; this is what would have been.
    pub dry_run: bool,
    /// Why the file could not be read at all; then the rest is empty.
    pub error: Option<String>,
    /// How the file was read.
    pub formats: Option<Formats>,
    /// Headers of columns that nothing was taken from.
    pub ignored_columns: Vec<String>,
    /// How many rows and records.
    pub counts: Counts,
    /// What was written, one per currency.
    pub sums: Vec<Sums>,
    /// The first bad rows, in the order of the file.
    pub bad_rows: Vec<BadRow>,
    /// How many bad rows there are besides these.
    pub more_bad_rows: u64,
}

/// How a file was read, and why so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formats {
    /// The encoding's name, such as `windows-1258`.
    pub encoding: String,
    /// Why this one.
    pub encoding_basis: Basis,
    /// What stands between fields.
    pub delimiter: char,
    /// In which order a day's parts stand.
    pub date_order: DateOrder,
    /// Why this one.
    pub date_basis: Basis,
    /// What separates decimals.
    pub decimal: DecimalMark,
    /// Why this one.
    pub decimal_basis: Basis,
}

/// How many rows and records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows of the file that have anything in them, without the header.
    pub rows: u64,
    /// Rows that repeat an earlier one.
    pub repeated: u64,
    /// Rows that were not taken.
    pub bad: u64,
    /// Customers that were added.
    pub customers_created: u64,
    /// Customers whose blanks were filled.
    pub customers_updated: u64,
    /// Customers that stayed as they were.
    pub customers_unchanged: u64,
    /// Invoices that were added.
    pub invoices_created: u64,
    /// Invoices that were there already and are paid now.
    pub invoices_settled: u64,
    /// Invoices that were there already.
    pub invoices_unchanged: u64,
    /// Payments that were added.
    pub payments_created: u64,
    /// Receipts that were issued.
    pub receipts_issued: u64,
}

/// What was written in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Of the invoices that were added.
    pub invoiced: Money,
    /// Of the payments that were added.
    pub paid: Money,
}

/// A row that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// The line of the file on which it begins, from 1.
    pub line: u64,
    /// The header over what is wrong; absent when it is the row as a whole.
    pub column: Option<String>,
    /// What stands there, at most 60 characters of it.
    pub value: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

impl Report {
    /// The report on a file that cannot be read.
    #[must_use]
    pub fn failed(reason: &impl fmt::Display) -> Self {
        Self { error: Some(reason.to_string()), ..Self::default() }
    }

    /// Whether anything was written, or would have been.
    #[must_use]
    pub fn changes(&self) -> bool {
        let Counts {
            customers_created, customers_updated, invoices_created, payments_created, ..
        } = self.counts;
        customers_created + customers_updated + invoices_created + payments_created > 0
    }

    /// Adds a bad row.
    pub(super) fn refuse(&mut self, row: BadRow) {
        self.counts.bad += 1;
        if self.bad_rows.len() < NAMED {
            self.bad_rows.push(row);
        } else {
            self.more_bad_rows += 1;
        }
    }

    /// Adds amounts that were written.
    pub(super) fn add(&mut self, invoiced: Money, paid: i64) {
        let currency = invoiced.currency;
        let of = |sums: &Sums| sums.invoiced.currency.code();
        let place = match self.sums.binary_search_by_key(&currency.code(), of) {
            Ok(place) => place,
            Err(place) => {
                self.sums.insert(place, Sums::none(currency));
                place
            }
        };
        let sums = &mut self.sums[place];
        sums.invoiced.minor = sums.invoiced.minor.saturating_add(invoiced.minor);
        sums.paid.minor = sums.paid.minor.saturating_add(paid);
    }
}

impl Sums {
    fn none(currency: Currency) -> Self {
        Self { invoiced: Money::new(0, currency), paid: Money::new(0, currency) }
    }
}

/// At most 60 characters of `text`.
pub(super) fn cut(text: &str) -> String {
    let mut chars = text.chars();
    let mut short: String = chars.by_ref().take(60).collect();
    if chars.next().is_some() {
        short.pop();
        short.push('…');
    }
    short
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(error) = &self.error {
            return writeln!(f, "The file was not imported: {error}");
        }
        if self.dry_run {
            writeln!(f, "Dry run: nothing was written. An import would give:\n")?;
        }
        let counts = &self.counts;
        writeln!(
            f,
            "Rows       {:>9}   {} repeated, {} bad",
            counts.rows, counts.repeated, counts.bad
        )?;
        writeln!(
            f,
            "Customers  {:>9} new   {} updated, {} unchanged",
            counts.customers_created, counts.customers_updated, counts.customers_unchanged
        )?;
        writeln!(
            f,
            "Invoices   {:>9} new   {} settled, {} unchanged",
            counts.invoices_created, counts.invoices_settled, counts.invoices_unchanged
        )?;
        writeln!(
            f,
            "Payments   {:>9} new   {} with a receipt",
            counts.payments_created, counts.receipts_issued
        )?;
        for Sums { invoiced, paid } in &self.sums {
            writeln!(f, "Sums       {invoiced} invoiced, {paid} paid")?;
        }
        if let Some(formats) = &self.formats {
            write!(f, "\n{formats}")?;
        }
        if !self.ignored_columns.is_empty() {
            let columns: Vec<_> = self.ignored_columns.iter().map(|header| cut(header)).collect();
            writeln!(f, "Ignored    {}", columns.join(", "))?;
        }
        if !self.bad_rows.is_empty() {
            writeln!(f, "\nRows that were not taken:")?;
        }
        for row in &self.bad_rows {
            writeln!(f, "{row}")?;
        }
        if self.more_bad_rows > 0 {
            writeln!(f, "  … and {} more", self.more_bad_rows)?;
        }
        Ok(())
    }
}

impl fmt::Display for Formats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delimiter = match self.delimiter {
            '\t' => "tab",
            ';' => "semicolon",
            _ => "comma",
        };
        writeln!(f, "Encoding   {} ({})", self.encoding, self.encoding_basis)?;
        writeln!(f, "Delimiter  {delimiter}")?;
        writeln!(f, "Dates      {} ({})", self.date_order, self.date_basis)?;
        writeln!(f, "Decimals   {} ({})", self.decimal, self.decimal_basis)
    }
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  line {}", self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", {}", cut(column))?;
        }
        if let Some(value) = &self.value {
            write!(f, " “{value}”")?;
        }
        write!(f, ": {}", self.reason)
    }
}
