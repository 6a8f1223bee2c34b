//! The first pass over a file: everything that has to be known before its first row can be read.

use std::collections::HashMap;
use std::io::{Read, Seek};

use chrono::NaiveDate;
use encoding_rs::Encoding;

use super::decode::{self, Records};
use super::format::{AmountBallot, Basis, DateBallot, DateOrder};
use super::mapping::{Field, Mapping};
use super::report::{Formats, cut};
use super::rows::Reader;
use super::{Options, Unreadable};
use crate::money::Currency;

/// What applies where neither the file nor the options say anything.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The organisation's language.
    pub language: String,
    /// The organisation's currency.
    pub currency: Currency,
    /// The day it is for the organisation.
    pub today: NaiveDate,
}

/// How a file has to be read.
#[derive(Clone, Debug)]
pub struct Survey {
    pub encoding: &'static Encoding,
    pub formats: Formats,
    pub mapping: Mapping,
    pub currency: Currency,
    /// How many rows it has.
    pub rows: u64,
}

impl Survey {
    /// Reads the whole file once.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn of<R: Read + Seek>(
        source: &mut R,
        options: &Options,
        defaults: &Defaults,
    ) -> Result<Self, Unreadable> {
        let found = decode::detect(source, &defaults.language)?;
        let (encoding, encoding_basis) = match &options.encoding {
            None => (found, Basis::Found),
            Some(label) => (
                Encoding::for_label_no_replacement(label.as_bytes())
                    .ok_or_else(|| Unreadable::NoSuchEncoding(cut(label)))?,
                Basis::Given,
            ),
        };
        let delimiter = decode::delimiter(source, encoding)?;
        let mut records = Records::new(source, encoding, delimiter)?;
        let (_, header) = records.next()?.ok_or(Unreadable::Empty)?;
        let mapping = Mapping::of(header, &options.mapping)?;
        let (mut dates, mut amounts, mut rows) =
            (DateBallot::default(), AmountBallot::default(), 0);
        let places = |fields: &[Field]| -> Vec<usize> {
            fields.iter().filter_map(|field| mapping.place(*field)).collect()
        };
        let date_places = places(&[Field::IssuedOn, Field::DueOn, Field::SettledOn]);
        let amount_places = places(&[Field::Amount]);
        while let Some((_, record)) = records.next()? {
            rows += 1;
            let values = |places: &[usize]| -> Vec<&str> {
                places.iter().filter_map(|place| record.get(*place)).map(str::trim).collect()
            };
            for value in values(&date_places) {
                dates.hear(value);
            }
            for value in values(&amount_places) {
                amounts.hear(value);
            }
        }
        let currency = options.currency.unwrap_or(defaults.currency);
        let usual = if defaults.language == "en-US" { DateOrder::Mdy } else { DateOrder::Dmy };
        let (date_order, date_basis) = match options.date_order {
            Some(order) => (order, Basis::Given),
            None => dates.decide(usual),
        };
        let (decimal, decimal_basis) = match options.decimal {
            Some(mark) => (mark, Basis::Given),
            None => amounts.decide(currency.exponent()),
        };
        Ok(Self {
            encoding,
            formats: Formats {
                encoding: encoding.name().to_owned(),
                encoding_basis,
                delimiter: char::from(delimiter),
                date_order,
                date_basis,
                decimal,
                decimal_basis,
            },
            mapping,
            currency,
            rows,
        })
    }

    /// The reader of the file's rows.
    pub fn reader(&self, today: NaiveDate) -> Reader {
        Reader {
            mapping: self.mapping.clone(),
            dates: self.formats.date_order,
            decimal: self.formats.decimal,
            currency: self.currency,
            today,
            seen: HashMap::new(),
        }
    }

    /// The records of the file, header first.
    ///
    /// # Errors
    /// The source.
    pub fn records<R: Read + Seek>(&self, source: R) -> std::io::Result<Records<R>> {
        let delimiter = u8::try_from(self.formats.delimiter).unwrap_or(b',');
        Records::new(source, self.encoding, delimiter)
    }
}
