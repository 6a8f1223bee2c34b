//! From records to rows: every value checked, and every invoice number once.
//!
//! Invariant: a [`Row`] satisfies all that can be known without the database.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::NaiveDate;
use csv::StringRecord;

use super::format::{self, DateOrder, DecimalMark};
use super::mapping::{Field, Mapping};
use super::report::{BadRow, cut};
use crate::customers::customer::Channel;
use crate::customers::{parse_email, parse_language};
use crate::error::Error;
use crate::finance::totals::{self, Line};
use crate::money::{Currency, Money};
use crate::text;

/// A row that can be taken, unless the database knows otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// Who owes it.
    pub customer: Party,
    /// The invoice's number.
    pub number: String,
    /// Its date.
    pub issued_on: NaiveDate,
    /// When it is due.
    pub due_on: NaiveDate,
    /// What it comes to, in minor units.
    pub total: i64,
    /// In what.
    pub currency: Currency,
    /// Whether the customer disputes it; absent when the file has no such column.
    pub disputed: Option<bool>,
    /// The day on which it was paid, if it was.
    pub settled_on: Option<NaiveDate>,
}

/// What a row says about its customer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Party {
    /// The number that another system knows it by.
    pub number: String,
    /// What it is called.
    pub name: Option<String>,
    /// Where mail reaches it.
    pub email: Option<String>,
    /// Where calls reach it.
    pub phone: Option<String>,
    /// Its tax number.
    pub tax_number: Option<String>,
    /// The language that it reads.
    pub language: Option<String>,
    /// Where it is.
    pub country: Option<Place>,
    /// How it likes to be reached.
    pub channel: Option<Channel>,
}

/// Where a customer is: in a country, or in what another system calls a region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A country, as ISO 3166-1 alpha-2.
    Country(String),
    /// A region, by another system's name.
    Region(String),
}

/// Reads records of one file.
pub struct Reader {
    pub mapping: Mapping,
    pub dates: DateOrder,
    pub decimal: DecimalMark,
    pub currency: Currency,
    pub today: NaiveDate,
    /// The invoice numbers so far, with their line and the hash of their row.
    pub seen: HashMap<Box<str>, (u64, u64)>,
}

/// What a record is.
pub enum Read {
    Row(Row),
    Repeated,
    Bad(BadRow),
}

impl Reader {
    /// Reads the record that begins on `line`.
    pub fn read(&mut self, line: u64, record: &StringRecord) -> Read {
        let cells = Cells { line, record, mapping: &self.mapping };
        let row = match self.parse(&cells) {
            Ok(row) => row,
            Err(bad) => return Read::Bad(*bad),
        };
        let mut hasher = DefaultHasher::new();
        row.hash(&mut hasher);
        let hash = hasher.finish();
        match self.seen.entry(row.number.as_str().into()) {
            Entry::Vacant(free) => {
                free.insert((line, hash));
                Read::Row(row)
            }
            Entry::Occupied(first) if first.get().1 == hash => Read::Repeated,
            Entry::Occupied(first) => {
                let reason = format!("line {} has this invoice with other content", first.get().0);
                Read::Bad(*cells.bad(Field::InvoiceNumber, reason))
            }
        }
    }

    fn parse(&self, cells: &Cells) -> Result<Row, Box<BadRow>> {
        cells.ensure_whole()?;
        let customer = Party {
            number: cells.required(Field::CustomerNumber, 64)?,
            name: cells.text(Field::CustomerName, 200)?,
            email: cells.parsed(Field::Email, 320, parse_email)?,
            phone: cells.text(Field::Phone, 64)?,
            tax_number: cells.text(Field::TaxNumber, 64)?,
            language: cells.parsed(Field::Language, 16, parse_language)?,
            country: cells.text(Field::Country, 100)?.map(place),
            channel: cells.known(
                Field::Channel,
                "neither Electronic nor Paper, nor another channel",
                channel,
            )?,
        };
        let number = cells.required(Field::InvoiceNumber, 64)?;
        let issued_on = self.past(cells, Field::IssuedOn)?;
        let issued_on = issued_on.ok_or_else(|| cells.empty(Field::IssuedOn))?;
        let due_on = self.day(cells, Field::DueOn)?;
        let due_on = due_on.ok_or_else(|| cells.empty(Field::DueOn))?;
        if due_on < issued_on {
            return Err(cells.bad(Field::DueOn, "is before the invoice's date"));
        }
        let settled_on = self.past(cells, Field::SettledOn)?;
        if settled_on.is_some_and(|day| day < issued_on) {
            return Err(cells.bad(Field::SettledOn, "is before the invoice's date"));
        }
        let currency = cells.text(Field::Currency, 16)?;
        let currency = match currency.map(|code| code.to_uppercase().parse()) {
            None => self.currency,
            Some(Ok(currency)) => currency,
            Some(Err(_)) => {
                return Err(cells.bad(Field::Currency, "is no ISO 4217 code such as VND or EUR"));
            }
        };
        Ok(Row {
            customer,
            number,
            issued_on,
            due_on,
            total: self.total(cells, currency)?,
            currency,
            disputed: cells.known(Field::Disputed, "is neither Yes nor No", truth)?,
            settled_on,
        })
    }

    fn day(&self, cells: &Cells, field: Field) -> Result<Option<NaiveDate>, Box<BadRow>> {
        let Some(value) = cells.text(field, 64)? else {
            return Ok(None);
        };
        let day = format::date(&value, self.dates);
        let wrong = || cells.bad(field, format!("is no day written as {}", self.dates));
        day.map(Some).ok_or_else(wrong)
    }

    fn past(&self, cells: &Cells, field: Field) -> Result<Option<NaiveDate>, Box<BadRow>> {
        let day = self.day(cells, field)?;
        if day.is_some_and(|day| day > self.today) {
            return Err(cells.bad(field, "is in the future"));
        }
        Ok(day)
    }

    fn total(&self, cells: &Cells, currency: Currency) -> Result<i64, Box<BadRow>> {
        let bad = |reason: String| cells.bad(Field::Amount, reason);
        let value = cells.required(Field::Amount, 64)?;
        let decimal = format::amount(&value, self.decimal)
            .ok_or_else(|| bad(format!("is no amount with a decimal {}", self.decimal)))?;
        let money =
            Money::from_decimal(decimal, currency).map_err(|error| bad(error.to_string()))?;
        let line = Line { quantity_milli: 1_000, unit_price: money.minor, tax_rate_bp: 0 };
        let (total, _) = totals::of([line]).map_err(|error| bad(error.to_string()))?;
        Ok(total)
    }
}

/// The fields of one record.
struct Cells<'a> {
    line: u64,
    record: &'a StringRecord,
    mapping: &'a Mapping,
}

impl Cells<'_> {
    /// Refuses a record that has more or fewer fields than the header.
    fn ensure_whole(&self) -> Result<(), Box<BadRow>> {
        let (found, expected) = (self.record.len(), self.mapping.width());
        // Spreadsheets add empty fields at the end. A row that is cut short, though, would look like
        // one that is not paid yet.
        let lacks = |field: &Field| self.mapping.place(*field).is_some_and(|place| place >= found);
        let more = self.record.iter().skip(expected).any(|field| !field.trim().is_empty());
        if !more && !Field::ALL.iter().any(lacks) {
            return Ok(());
        }
        let mut reason = format!("has {found} fields where the header has {expected}");
        if self.record.iter().any(|field| field.contains('\n')) {
            reason.push_str(
                "; a quotation mark that is not closed may have swallowed the lines after it",
            );
        }
        Err(Box::new(BadRow { line: self.line, column: None, value: None, reason }))
    }

    fn raw(&self, field: Field) -> Option<&str> {
        self.mapping.place(field).and_then(|place| self.record.get(place))
    }

    /// What is wrong with the value of `field`.
    #[expect(clippy::unnecessary_box_returns, reason = "it is the error of every check here")]
    fn bad(&self, field: Field, reason: impl Into<String>) -> Box<BadRow> {
        Box::new(BadRow {
            line: self.line,
            column: self.mapping.header(field).map(str::to_owned),
            value: self.raw(field).map(|value| cut(&text::clean(value))),
            reason: reason.into(),
        })
    }

    #[expect(clippy::unnecessary_box_returns, reason = "it is the error of every check here")]
    fn empty(&self, field: Field) -> Box<BadRow> {
        let mut bad = self.bad(field, "is empty");
        bad.value = None;
        bad
    }

    /// The clean text of `field`, with at most `longest` characters.
    fn text(&self, field: Field, longest: usize) -> Result<Option<String>, Box<BadRow>> {
        let Some(raw) = self.raw(field) else {
            return Ok(None);
        };
        if raw.contains(char::REPLACEMENT_CHARACTER) {
            return Err(self.bad(field, "has bytes that are no text in the file's encoding"));
        }
        let value = text::clean(raw);
        match value.chars().count() {
            0 => Ok(None),
            length if length <= longest => Ok(Some(value)),
            length => {
                Err(self
                    .bad(field, format!("has {length} characters, at most {longest} are possible")))
            }
        }
    }

    fn required(&self, field: Field, longest: usize) -> Result<String, Box<BadRow>> {
        self.text(field, longest)?.ok_or_else(|| self.empty(field))
    }

    fn parsed(
        &self,
        field: Field,
        longest: usize,
        parse: impl Fn(&str) -> Result<String, Error>,
    ) -> Result<Option<String>, Box<BadRow>> {
        let value = self.text(field, longest)?;
        let parsed = value.map(|value| parse(&value)).transpose();
        parsed.map_err(|error| self.bad(field, error.to_string()))
    }

    fn known<T>(
        &self,
        field: Field,
        otherwise: &str,
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Box<BadRow>> {
        match self.text(field, 64)? {
            None => Ok(None),
            Some(value) => match find(&text::fold(&value)) {
                None => Err(self.bad(field, otherwise)),
                known => Ok(known),
            },
        }
    }
}

/// A country where the code can be one, else a region.
fn place(code: String) -> Place {
    if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        Place::Country(code.to_ascii_uppercase())
    } else {
        Place::Region(code)
    }
}

fn truth(folded: &str) -> Option<bool> {
    match folded {
        "yes" | "y" | "true" | "1" | "x" | "co" => Some(true),
        "no" | "n" | "false" | "0" | "khong" => Some(false),
        _ => None,
    }
}

fn channel(folded: &str) -> Option<Channel> {
    match folded {
        "electronic" | "email" | "e-mail" | "thu dien tu" => Some(Channel::Email),
        "paper" | "letter" | "post" | "thu" | "giay" => Some(Channel::Letter),
        "sms" => Some(Channel::Sms),
        "phone" | "telephone" | "dien thoai" => Some(Channel::Phone),
        "fax" => Some(Channel::Fax),
        _ => None,
    }
}
