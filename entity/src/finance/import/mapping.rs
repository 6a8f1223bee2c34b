//! Which column is what. Headers are compared without case, spaces, punctuation and diacritics.
//!
//! Invariant: a field has one column at most, and the required ones have one.

use std::fmt;
use std::str::FromStr;

use csv::StringRecord;
use serde::Serialize;

use super::Unreadable;
use super::report::cut;
use crate::text;

macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident = $name:literal: $($alias:literal)*;)+) => {
        /// What a column of a file of receivables says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        pub enum Field {
            $($(#[$doc])* #[serde(rename = $name)] $field,)+
        }

        impl Field {
            /// Every field.
            pub const ALL: &[Self] = &[$(Self::$field,)+];

            /// Its name in a mapping, such as `customer.number`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$field => $name,)+
                }
            }

            /// The headers that it is known by, the best first, folded.
            fn aliases(self) -> &'static [&'static str] {
                match self {
                    $(Self::$field => &[$($alias,)*],)+
                }
            }
        }
    };
}

fields! {
    /// The number that the customer is known by. Required.
    CustomerNumber = "customer.number": "customernumber" "customerid" "customerno" "customercode" "customer" "makhachhang" "makh";
    /// What the customer is called; the number when absent.
    CustomerName = "customer.name": "customername" "companyname" "company" "name" "tenkhachhang" "tencongty";
    /// Where mail reaches the customer.
    Email = "customer.email": "customeremail" "email" "emailaddress" "thudientu";
    /// Where calls reach the customer.
    Phone = "customer.phone": "customerphone" "phone" "phonenumber" "telephone" "sodienthoai" "dienthoai";
    /// The customer's tax number.
    TaxNumber = "customer.tax_number": "taxnumber" "taxid" "vatnumber" "vatid" "masothue" "mst";
    /// The language that the customer is written to in.
    Language = "customer.language": "customerlanguage" "language" "locale" "ngonngu";
    /// An ISO 3166 alpha-2 country, or another system's code of a region.
    Country = "customer.country": "countrycode" "country" "region" "regioncode" "quocgia";
    /// How the customer likes to be reached.
    Channel = "customer.channel": "preferredchannel" "channel" "paperlessbill";
    /// The invoice's number. Required.
    InvoiceNumber = "invoice.number": "invoicenumber" "invoiceno" "invoiceid" "documentnumber" "invoice" "sohoadon";
    /// The invoice's date. Required.
    IssuedOn = "issued_on": "invoicedate" "issuedon" "issuedate" "issueddate" "documentdate" "ngayhoadon" "ngaylap";
    /// When the invoice has to be paid. Required.
    DueOn = "due_on": "duedate" "dueon" "due" "hanthanhtoan" "ngaydenhan";
    /// The invoice's total, tax included. Required.
    Amount = "amount": "invoiceamount" "totalamount" "amount" "total" "tongtien" "sotien" "thanhtien";
    /// The ISO 4217 code of the currency.
    Currency = "currency": "currency" "currencycode" "loaitien" "tiente";
    /// Whether the customer disputes the invoice.
    Disputed = "disputed": "disputed" "dispute" "tranhchap";
    /// The day on which the invoice was paid in full.
    SettledOn = "settled_on": "settleddate" "settledon" "paiddate" "paidon" "paymentdate" "ngaythanhtoan";
}

impl Field {
    /// Whether no file can be read without it.
    #[must_use]
    pub fn required(self) -> bool {
        matches!(
            self,
            Self::CustomerNumber
                | Self::InvoiceNumber
                | Self::IssuedOn
                | Self::DueOn
                | Self::Amount
        )
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Somebody's word on what a column is: `column=field`, or `column=ignore`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnMapping {
    /// The column's header.
    pub column: String,
    /// What it says; nothing that matters when absent.
    pub field: Option<Field>,
}

/// A mapping that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// No `=`, or nothing before it.
    #[error("write column=field, such as \"Kunden-Nr=customer.number\"")]
    Malformed,
    /// The field does not exist.
    #[error("there is no field “{0}”; write ignore, or one of {list}", list = names(Field::ALL))]
    UnknownField(String),
}

impl ColumnMapping {
    /// The mapping of `column` to the field that is called `field`, or to none with `ignore`.
    ///
    /// # Errors
    /// [`MappingError`].
    pub fn new(column: &str, field: &str) -> Result<Self, MappingError> {
        if folded(column).is_empty() {
            return Err(MappingError::Malformed);
        }
        let field = match field.trim() {
            "ignore" => None,
            name => {
                let known = Field::ALL.iter().copied().find(|field| field.name() == name);
                Some(known.ok_or_else(|| MappingError::UnknownField(cut(name)))?)
            }
        };
        Ok(Self { column: column.trim().to_owned(), field })
    }
}

impl FromStr for ColumnMapping {
    type Err = MappingError;

    fn from_str(given: &str) -> Result<Self, MappingError> {
        let (column, field) = given.rsplit_once('=').ok_or(MappingError::Malformed)?;
        Self::new(column, field)
    }
}

/// Where a file's fields stand.
#[derive(Clone, Debug)]
pub struct Mapping {
    headers: Vec<String>,
    columns: Vec<Option<Field>>,
}

impl Mapping {
    /// Reads `header`: first what `given` says, then the names that are known.
    ///
    /// # Errors
    /// [`Unreadable`] for a column that is not there, a field that is given twice, or a required
    /// field without a column.
    pub fn of(header: &StringRecord, given: &[ColumnMapping]) -> Result<Self, Unreadable> {
        let headers: Vec<String> = header.iter().map(text::clean).collect();
        let keys: Vec<String> = headers.iter().map(|header| folded(header)).collect();
        let mut columns = vec![None; headers.len()];
        let mut spoken_for = vec![false; headers.len()];
        for ColumnMapping { column, field } in given {
            let key = folded(column);
            let place = keys.iter().position(|other| *other == key);
            let place = place.ok_or_else(|| Unreadable::NoSuchColumn {
                column: cut(column),
                found: listed(&headers),
            })?;
            if let Some(field) = field.filter(|field| columns.contains(&Some(*field))) {
                return Err(Unreadable::FieldTwice { field });
            }
            columns[place] = *field;
            spoken_for[place] = true;
        }
        for field in Field::ALL {
            if columns.contains(&Some(*field)) {
                continue;
            }
            let free = |alias: &&str| {
                (0..keys.len()).find(|place| keys[*place] == **alias && !spoken_for[*place])
            };
            if let Some(place) = field.aliases().iter().find_map(free) {
                columns[place] = Some(*field);
                spoken_for[place] = true;
            }
        }
        let missing: Vec<Field> = Field::ALL
            .iter()
            .copied()
            .filter(|field| field.required() && !columns.contains(&Some(*field)))
            .collect();
        if !missing.is_empty() {
            return Err(Unreadable::MissingColumns {
                missing: names(&missing),
                found: listed(&headers),
            });
        }
        Ok(Self { headers, columns })
    }

    /// How many columns the header has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.headers.len()
    }

    /// The column of `field`, from 0.
    #[must_use]
    pub fn place(&self, field: Field) -> Option<usize> {
        self.columns.iter().position(|column| *column == Some(field))
    }

    /// The header over `field`.
    #[must_use]
    pub fn header(&self, field: Field) -> Option<&str> {
        self.place(field).map(|place| self.headers[place].as_str())
    }

    /// The headers of the columns that say nothing that matters.
    pub fn ignored(&self) -> impl Iterator<Item = &str> {
        let columns = self.headers.iter().zip(&self.columns);
        columns.filter(|(_, field)| field.is_none()).map(|(header, _)| header.as_str())
    }
}

fn folded(header: &str) -> String {
    text::fold(header).chars().filter(|c| c.is_alphanumeric()).collect()
}

fn names(fields: &[Field]) -> String {
    fields.iter().map(|field| field.name()).collect::<Vec<_>>().join(", ")
}

/// The first headers, short enough for one message.
fn listed(headers: &[String]) -> String {
    let mut list = headers.iter().take(40).map(|header| cut(header)).collect::<Vec<_>>().join(", ");
    if headers.len() > 40 {
        list.push_str(", …");
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(header: &[&str], given: &[&str]) -> Result<Mapping, Unreadable> {
        let given: Vec<ColumnMapping> = given.iter().map(|text| text.parse().unwrap()).collect();
        Mapping::of(&StringRecord::from(header.to_vec()), &given)
    }

    #[test]
    fn headers_are_known_without_case_spaces_and_diacritics() {
        let header =
            ["Mã khách hàng", "SỐ HÓA ĐƠN", "invoice date", "Due-Date", "Tổng tiền", "Ghi chú"];
        let mapping = mapped(&header, &[]).unwrap();
        assert_eq!(mapping.header(Field::CustomerNumber), Some("Mã khách hàng"));
        assert_eq!(mapping.place(Field::Amount), Some(4));
        assert_eq!(mapping.ignored().collect::<Vec<_>>(), ["Ghi chú"]);
    }

    #[test]
    fn what_somebody_says_goes_before_what_is_known() {
        let header = ["customer", "konto", "invoice", "invoice date", "due", "amount", "total"];
        let mapping = mapped(&header, &["KONTO=customer.number", "total=ignore"]).unwrap();
        assert_eq!(mapping.place(Field::CustomerNumber), Some(1));
        assert_eq!(mapping.place(Field::Amount), Some(5));
        assert_eq!(mapping.ignored().collect::<Vec<_>>(), ["customer", "total"]);
    }

    #[test]
    fn one_sentence_says_which_columns_are_missing_and_which_were_found() {
        let error = mapped(&["customerID", "amount"], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no column was found for invoice.number, issued_on, due_on; the file has: customerID, amount; \
             name the right ones with --map column=field"
        );
        let error = mapped(&["a"], &["b=amount"]).unwrap_err();
        assert_eq!(error.to_string(), "there is no column “b”; the file has: a");
        let error = mapped(&["a", "b"], &["a=amount", "b=amount"]).unwrap_err();
        assert_eq!(error.to_string(), "two columns are mapped to amount; choose one");
    }

    #[test]
    fn a_mapping_that_cannot_be_understood_says_what_can() {
        assert_eq!("x".parse::<ColumnMapping>(), Err(MappingError::Malformed));
        let error = "x=price".parse::<ColumnMapping>().unwrap_err();
        assert!(error.to_string().contains("one of customer.number, "), "{error}");
    }
}
