//! Which column of a file says what of a customer. Headers are compared without case, spaces, punctuation
//! and diacritics.
//!
//! Invariant: a field has one column at most, and one of them says what customers are called.

use csv::StringRecord;
use sea_orm::{ActiveEnum, Iterable};

use crate::customers::customer::{Change, Kind, LifecycleStage};
use crate::finance::import::Unreadable;
use crate::text::{self, fold};

/// A field: its name in a mapping, and the headers that it is known by, folded.
type Field = (&'static str, &'static [&'static str]);

/// What a column can fill.
pub const FIELDS: &[Field] = &[
    (
        "number",
        &["number", "customernumber", "customerid", "customerno", "code", "makhachhang", "makh"],
    ),
    (
        "displayName",
        &[
            "displayname",
            "name",
            "customername",
            "company",
            "companyname",
            "tenkhachhang",
            "tencongty",
        ],
    ),
    ("kind", &["kind", "type", "loai"]),
    ("stage", &["stage", "lifecyclestage"]),
    ("email", &["email", "emailaddress", "mail", "thudientu"]),
    ("phone", &["phone", "phonenumber", "telephone", "mobile", "dienthoai", "sodienthoai"]),
    ("taxNumber", &["taxnumber", "taxid", "vatnumber", "vatid", "masothue", "mst"]),
    ("language", &["language", "locale", "ngonngu"]),
    ("timeZone", &["timezone", "muigio"]),
    ("currency", &["currency", "currencycode", "loaitien"]),
];

/// Where a file's fields stand.
pub struct Columns(Vec<Option<&'static str>>);

fn key(header: &str) -> String {
    fold(header).chars().filter(|c| c.is_alphanumeric()).collect()
}

impl Columns {
    /// Reads `header`: first what `given` says, then the names that are known.
    ///
    /// # Errors
    /// [`Unreadable`] for a column or a field that is not there, or when nothing says the name.
    pub fn of(header: &StringRecord, given: &[(String, String)]) -> Result<Self, Unreadable> {
        let headers: Vec<String> = header.iter().map(text::clean).collect();
        let keys: Vec<String> = headers.iter().map(|header| key(header)).collect();
        let mut columns: Vec<Option<&'static str>> = vec![None; headers.len()];
        let mut spoken_for = vec![false; headers.len()];
        for (column, field) in given {
            let wanted = key(column);
            let place = keys.iter().position(|other| *other == wanted);
            let place = place.ok_or_else(|| Unreadable::NoSuchColumn {
                column: column.clone(),
                found: headers.join(", "),
            })?;
            columns[place] = known(field)?;
            spoken_for[place] = true;
        }
        for (field, aliases) in FIELDS {
            if columns.contains(&Some(field)) {
                continue;
            }
            let free = |alias: &&str| {
                (0..keys.len()).find(|place| keys[*place] == **alias && !spoken_for[*place])
            };
            if let Some(place) = aliases.iter().find_map(free) {
                columns[place] = Some(field);
                spoken_for[place] = true;
            }
        }
        for (field, _) in FIELDS {
            if columns.iter().filter(|column| **column == Some(field)).count() > 1 {
                return Err(Unreadable::ColumnTwice((*field).to_owned()));
            }
        }
        if !columns.contains(&Some("displayName")) {
            let (missing, found) = ("displayName".to_owned(), headers.join(", "));
            return Err(Unreadable::MissingColumns { missing, found });
        }
        Ok(Self(columns))
    }

    /// What a record says; an empty cell says nothing.
    ///
    /// # Errors
    /// What is wrong with a cell.
    pub fn read(&self, record: &StringRecord) -> Result<Change, String> {
        let mut change = Change::default();
        for (value, field) in record.iter().zip(&self.0) {
            let value = text::clean(value);
            let (Some(field), false) = (field, value.is_empty()) else { continue };
            match *field {
                "number" => change.number = Some(Some(value)),
                "displayName" => change.display_name = Some(value),
                "email" => change.email = Some(Some(value)),
                "phone" => change.phone = Some(Some(value)),
                "taxNumber" => change.tax_number = Some(Some(value)),
                "language" => change.language = Some(value),
                "timeZone" => change.time_zone = Some(value),
                "kind" => change.kind = Some(choice::<Kind>(field, &value)?),
                "stage" => change.stage = Some(choice::<LifecycleStage>(field, &value)?),
                _ => {
                    let currency = value.to_ascii_uppercase().parse();
                    let reason = |_| format!("currency: “{value}” is no ISO 4217 code");
                    change.currency = Some(currency.map_err(reason)?);
                }
            }
        }
        Ok(change)
    }
}

/// The field that is called `name`, or none with `ignore`.
///
/// # Errors
/// [`Unreadable::NoSuchField`].
pub fn known(name: &str) -> Result<Option<&'static str>, Unreadable> {
    if name == "ignore" {
        return Ok(None);
    }
    let field = FIELDS.iter().map(|(field, _)| *field).find(|field| *field == name);
    let names = || FIELDS.iter().map(|(field, _)| *field).collect::<Vec<_>>().join(", ");
    field.map(Some).ok_or_else(|| Unreadable::NoSuchField { name: name.to_owned(), known: names() })
}

fn choice<E: ActiveEnum<Value = String> + Iterable>(field: &str, given: &str) -> Result<E, String> {
    let wanted = key(given);
    let found = E::iter().find(|value| key(&value.to_value()) == wanted);
    found.ok_or_else(|| {
        let known: Vec<_> = E::iter().map(|value| value.to_value()).collect();
        format!("{field}: “{given}” is none of {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(header: &[&str], given: &[(&str, &str)]) -> Result<Columns, Unreadable> {
        let given: Vec<_> =
            given.iter().map(|(column, field)| ((*column).into(), (*field).into())).collect();
        Columns::of(&StringRecord::from(header.to_vec()), &given)
    }

    #[test]
    fn headers_are_known_in_two_languages_and_what_is_given_goes_before() {
        let columns = columns(&["Mã KH", "Tên khách hàng", "E-mail", "Note"], &[("note", "phone")]);
        let row = StringRecord::from(vec!["K-1", " Lan  Anh ", "", "0901"]);
        let change = columns.unwrap().read(&row).unwrap();
        assert_eq!(change.number, Some(Some("K-1".into())));
        assert_eq!(change.display_name, Some("Lan Anh".into()));
        assert_eq!(change.phone, Some(Some("0901".into())));
        assert_eq!(change.email, None, "an empty cell says nothing");
    }

    #[test]
    fn what_cannot_be_mapped_says_why() {
        let error = |header: &[&str], given: &[(&str, &str)]| {
            columns(header, given).err().unwrap().to_string()
        };
        assert!(error(&["number"], &[]).contains("displayName"));
        assert!(error(&["name"], &[("x", "email")]).contains("no column “x”"));
        assert!(error(&["name"], &[("name", "color")]).contains("one of number, displayName"));
        assert!(
            error(&["a", "b"], &[("a", "displayName"), ("b", "displayName")])
                .contains("two columns")
        );
    }
}
