//! What an import is asked for, and why a file can be no answer to it.

use serde::{Deserialize, Serialize};

use super::format::{DateOrder, DecimalMark};
use super::mapping::{ColumnMapping, Field, MappingError};
use crate::id::FileId;
use crate::money::Currency;

/// How a file is to be imported. Everything that is left out is found out, or is the organisation's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Options {
    /// The currency of rows that do not say theirs.
    pub currency: Option<Currency>,
    /// What columns are that are not known by their header.
    pub mapping: Vec<ColumnMapping>,
    /// In which order a day's parts stand.
    pub date_order: Option<DateOrder>,
    /// The encoding's name, such as `windows-1258` (<https://encoding.spec.whatwg.org/#names-and-labels>).
    pub encoding: Option<String>,
    /// What separates decimals.
    pub decimal: Option<DecimalMark>,
    /// Checks everything and writes nothing.
    pub dry_run: bool,
    /// Whether each new payment gets a receipt, which its customer is sent.
    pub receipts: bool,
}

/// The input of a job that imports a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportInput {
    /// The file.
    pub file: FileId,
    /// The currency of rows that do not say theirs.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// Columns, and the names of the fields that they fill.
    #[serde(default)]
    pub mapping: Vec<(String, String)>,
    /// In which order a day's parts stand.
    #[serde(default)]
    pub date_order: Option<DateOrder>,
    /// The encoding's name.
    #[serde(default)]
    pub encoding: Option<String>,
    /// What separates decimals.
    #[serde(default)]
    pub decimal: Option<DecimalMark>,
    /// Checks everything and writes nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Whether each new payment gets a receipt, which its customer is sent.
    #[serde(default)]
    pub receipts: bool,
}

impl ImportInput {
    /// The silent import of `file`, with everything found out.
    #[must_use]
    pub fn new(file: FileId) -> Self {
        Self {
            file,
            currency: None,
            mapping: Vec::new(),
            date_order: None,
            encoding: None,
            decimal: None,
            dry_run: false,
            receipts: false,
        }
    }

    /// How to import the file.
    ///
    /// # Errors
    /// [`MappingError`] when the mapping names a field that does not exist.
    pub fn options(self) -> Result<Options, MappingError> {
        let mapping = self.mapping.iter();
        Ok(Options {
            currency: self.currency,
            mapping: mapping
                .map(|(column, field)| ColumnMapping::new(column, field))
                .collect::<Result<_, _>>()?,
            date_order: self.date_order,
            encoding: self.encoding,
            decimal: self.decimal,
            dry_run: self.dry_run,
            receipts: self.receipts,
        })
    }
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The bytes cannot be had.
    #[error("the file cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It is a spreadsheet's own format.
    #[error("this is a spreadsheet; save it as CSV and import that")]
    Spreadsheet,
    /// No encoding has the name.
    #[error("there is no encoding “{0}”; write one such as utf-8 or windows-1258")]
    NoSuchEncoding(String),
    /// A mapping names a column that the file does not have.
    #[error("there is no column “{column}”; the file has: {found}")]
    NoSuchColumn {
        /// The column that was named.
        column: String,
        /// The headers of the file.
        found: String,
    },
    /// Two columns are mapped to one field.
    #[error("two columns are mapped to {field}; choose one")]
    FieldTwice {
        /// The field.
        field: Field,
    },
    /// The same of a field that is known by its name alone.
    #[error("two columns are mapped to {0}; choose one")]
    ColumnTwice(String),
    /// No field has the name.
    #[error("there is no field “{name}”; write ignore, or one of {known}")]
    NoSuchField {
        /// What was written.
        name: String,
        /// What could be.
        known: String,
    },
    /// Columns that every file needs are not there.
    #[error(
        "no column was found for {missing}; the file has: {found}; name the right ones with --map column=field"
    )]
    MissingColumns {
        /// The fields.
        missing: String,
        /// The headers of the file.
        found: String,
    },
    /// The job's mapping cannot be understood.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// What reads the file came to an unexpected end.
    #[error("reading the file was broken off")]
    BrokenOff,
}
