//! Which column of a file says what of a customer. Headers are compared without case, spaces, punctuation
//! and diacritics.
//!
//! A custom field is `customFields.` with its key; its key and its label are headers that it is known by.
//!
//! Invariant: a field has one column at most, and one of them says what customers are called.

use csv::StringRecord;
use sea_orm::{ActiveEnum, Iterable};

use crate::customers::custom::{self, CustomValue, written};
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

/// By what customers are found.
const FINDING: &[&str] = &["number", "email", "phone"];

/// What the name of a custom field begins with.
const CUSTOM: &str = "customFields.";

/// What a column fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A field that every customer has.
    Own(&'static str),
    /// A custom field.
    Custom(Box<custom::Model>),
}

impl Target {
    fn name(&self) -> String {
        match self {
            Self::Own(name) => (*name).to_owned(),
            Self::Custom(field) => format!("{CUSTOM}{}", field.key),
        }
    }

    /// All that columns can fill, each with the headers that it is known by, folded.
    fn all(fields: &[custom::Model]) -> Vec<(Self, Vec<String>)> {
        let own = FIELDS.iter().map(|(name, aliases)| {
            (Self::Own(name), aliases.iter().map(|alias| (*alias).to_owned()).collect())
        });
        let custom = fields.iter().map(|field| {
            (Self::Custom(Box::new(field.clone())), vec![key(&field.key), key(&field.label)])
        });
        own.chain(custom).collect()
    }
}

/// Where a file's fields stand.
pub struct Columns(Vec<Option<Target>>);

fn key(header: &str) -> String {
    fold(header).chars().filter(|c| c.is_alphanumeric()).collect()
}

impl Columns {
    /// Reads `header`: first what `given` says, then the names that are known, also those of the custom `fields`.
    ///
    /// # Errors
    /// [`Unreadable`] for a column or a field that is not there, or when nothing says the name.
    pub fn of(
        header: &StringRecord,
        given: &[(String, String)],
        fields: &[custom::Model],
    ) -> Result<Self, Unreadable> {
        Self::with_any(header, given, fields, &["displayName"])
    }

    /// The same for those alone of the fields by which customers are found.
    ///
    /// # Errors
    /// [`Unreadable`] for a column or a field that is not there, or when there is none of these.
    pub fn finding(header: &StringRecord, given: &[(String, String)]) -> Result<Self, Unreadable> {
        let Self(mut columns) = Self::with_any(header, given, &[], FINDING)?;
        for column in &mut columns {
            column
                .take_if(|target| !matches!(target, Target::Own(field) if FINDING.contains(field)));
        }
        Ok(Self(columns))
    }

    fn with_any(
        header: &StringRecord,
        given: &[(String, String)],
        fields: &[custom::Model],
        needed: &[&str],
    ) -> Result<Self, Unreadable> {
        let headers: Vec<String> = header.iter().map(text::clean).collect();
        let keys: Vec<String> = headers.iter().map(|header| key(header)).collect();
        let mut columns: Vec<Option<Target>> = vec![None; headers.len()];
        let mut spoken_for = vec![false; headers.len()];
        for (column, field) in given {
            let wanted = key(column);
            let place = keys.iter().position(|other| *other == wanted);
            let place = place.ok_or_else(|| Unreadable::NoSuchColumn {
                column: column.clone(),
                found: headers.join(", "),
            })?;
            columns[place] = known(field, fields)?;
            spoken_for[place] = true;
        }
        for (target, aliases) in Target::all(fields) {
            let target = Some(target);
            match columns.iter().filter(|column| **column == target).count() {
                0 => {}
                1 => continue,
                _ => {
                    let name = target.as_ref().map(Target::name).unwrap_or_default();
                    return Err(Unreadable::ColumnTwice(name));
                }
            }
            let free = |alias: &String| {
                (0..keys.len()).find(|place| keys[*place] == *alias && !spoken_for[*place])
            };
            if let Some(place) = aliases.iter().find_map(free) {
                columns[place] = target;
                spoken_for[place] = true;
            }
        }
        let is_needed = |column: &Option<Target>| matches!(column, Some(Target::Own(field)) if needed.contains(field));
        if !columns.iter().any(is_needed) {
            let (missing, found) = (needed.join(" or "), headers.join(", "));
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
        for (value, target) in record.iter().zip(&self.0) {
            let value = text::clean(value);
            let (Some(target), false) = (target, value.is_empty()) else { continue };
            let field = match target {
                Target::Own(field) => *field,
                Target::Custom(field) => {
                    let (key, value) = (field.key.clone(), written(field, &value));
                    change.custom.push(CustomValue { key, value });
                    continue;
                }
            };
            match field {
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
pub fn known(name: &str, fields: &[custom::Model]) -> Result<Option<Target>, Unreadable> {
    if name == "ignore" {
        return Ok(None);
    }
    let mut all = Target::all(fields).into_iter().map(|(target, _)| target);
    all.find(|target| target.name() == name).map(Some).ok_or_else(|| {
        let known = Target::all(fields).iter().map(|(target, _)| target.name()).collect::<Vec<_>>();
        Unreadable::NoSuchField { name: name.to_owned(), known: known.join(", ") }
    })
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
        Columns::of(&StringRecord::from(header.to_vec()), &given, &[])
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
