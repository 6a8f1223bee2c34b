//! The inputs of lists: by what they are filtered, and in which order they come.

use async_graphql::registry::{MetaInputValue, Registry};
use entity::catalog::{AMOUNT_OPERATORS, CUSTOM_FIELD, Record, Scalar, Shape, operators};

use super::meta::{enumeration, input, meta_input};
use super::scalar_type;
use crate::read::custom;

/// Registers by what a list of the record is ordered.
pub(super) fn order(registry: &mut Registry, record: &Record) {
    let fields = record.fields.iter().filter(|field| field.ordered);
    let values: Vec<_> =
        fields.map(|field| (field.constant.clone(), field.about.as_str())).collect();
    let values = values.iter().map(|(name, about)| (name.as_str(), *about));
    let by_custom = record.has_custom_fields();
    let about = "The custom field that `customField` names.";
    let values = values.chain(by_custom.then_some((CUSTOM_FIELD, about)));
    let name = format!("{}OrderField", record.name);
    let about = format!("What a list of `{}` can be ordered by.", record.name);
    enumeration(registry, &name, &about, values);
    let mut fields = vec![
        meta_input("field", "By what.", &format!("{name}!"), None),
        meta_input("direction", "In which direction.", "OrderDirection!", Some("ASC")),
        meta_input("nulls", "Where records without a value stand.", "NullsOrder!", Some("LAST")),
    ];
    if by_custom {
        let about = "For CUSTOM_FIELD: the key of the custom field.";
        fields.push(meta_input("customField", about, "String", None));
    }
    let about = format!("By what a list of `{}` is ordered.", record.name);
    input(registry, &format!("{}Order", record.name), &about, fields);
}

/// Registers by what a list of the record is filtered.
pub(super) fn filter(registry: &mut Registry, record: &Record) {
    let name = format!("{}Filter", record.name);
    let mut fields = Vec::new();
    for field in record.fields.iter().filter(|field| field.filtered) {
        let ty = match &field.shape {
            Shape::Scalar { scalar, .. } => comparison(registry, scalar),
            Shape::Money { .. } => money_filter(registry),
            Shape::Search => "String".to_owned(),
            Shape::One { target, .. } => format!("{}Filter", target().name),
            Shape::Many { target, .. } | Shape::List { target, .. } => {
                quantifiers(registry, target())
            }
            Shape::Custom { .. } => format!("[{}!]", custom::filter_type(registry)),
            Shape::Single { .. } | Shape::Timeline(_) | Shape::Batch(_) | Shape::Reach(_) => {
                continue;
            }
        };
        fields.push(meta_input(&field.name, &field.about, &ty, None));
    }
    let several = format!("[{name}!]");
    fields.push(meta_input("and", "All of these have to hold.", &several, None));
    fields.push(meta_input("or", "At least one of these has to hold.", &several, None));
    let about = "This must not hold; what has no value does not hold.";
    fields.push(meta_input("not", about, &name, None));
    let about = format!("Which `{}` a list has. All that is given has to hold.", record.name);
    input(registry, &name, &about, fields);
}

fn quantifiers(registry: &mut Registry, target: &Record) -> String {
    let (name, filter) = (format!("{}ListFilter", target.name), format!("{}Filter", target.name));
    let fields = [
        meta_input("some", "At least one is like this.", &filter, None),
        meta_input("none", "None is like this.", &filter, None),
        meta_input("every", "All are like this; so it is when there are none.", &filter, None),
    ];
    let about = format!("What holds for the `{}` that belong to a record.", target.name);
    input(registry, &name, &about, fields);
    name
}

fn comparison(registry: &mut Registry, scalar: &Scalar) -> String {
    let ty = scalar_type(scalar);
    let name = format!("{}Filter", if ty == "ID" { "Id" } else { ty });
    if operators(scalar).contains(&"within") {
        stretch(registry);
    }
    let fields: Vec<_> = operators(scalar).iter().map(|one| operator(one, ty)).collect();
    let about = match scalar {
        Scalar::Text => {
            "How a text is compared. All that are given have to hold; upper and lower case are different."
        }
        Scalar::Id(_) => "How an id is compared. An id that names nothing matches nothing.",
        _ => "How a value is compared. All that are given have to hold.",
    };
    input(registry, &name, about, fields);
    name
}

/// An operator of a type's comparison.
fn operator(name: &'static str, ty: &str) -> MetaInputValue {
    let (about, ty) = match name {
        "eq" => ("Is this.", ty.to_owned()),
        "ne" => ("Is anything else; what has no value is not.", ty.to_owned()),
        "in" => ("Is one of these.", format!("[{ty}!]")),
        "notIn" => {
            ("Is something else than all of these; what has no value is not.", format!("[{ty}!]"))
        }
        "contains" => ("Contains this; `%` and `_` mean themselves.", ty.to_owned()),
        "startsWith" => ("Starts with this; `%` and `_` mean themselves.", ty.to_owned()),
        "gte" => ("Is this or more, or later.", ty.to_owned()),
        "gt" => ("Is more, or later.", ty.to_owned()),
        "lte" => ("Is this or less, or earlier.", ty.to_owned()),
        "lt" => ("Is less, or earlier.", ty.to_owned()),
        "within" => ("Lies within this, seen from today.", STRETCH.to_owned()),
        _ => ("Has no value (true) or has one (false).", "Boolean".to_owned()),
    };
    meta_input(name, about, &ty, None)
}

/// The type of stretches of the calendar.
const STRETCH: &str = "RelativePeriod";

/// Registers the stretches of the calendar that move with today.
pub(in crate::read) fn stretch(registry: &mut Registry) -> &'static str {
    let from =
        "The first unit: 0 is the present one, -1 the last one, 1 the next one. Open when absent.";
    let to = "The last unit, which is part of it, counted in the same way. Open when absent; one of the two is needed.";
    let fields = [
        meta_input("unit", "What is counted; weeks begin on Monday.", "TimeUnit!", None),
        meta_input("from", from, "Int", None),
        meta_input("to", to, "Int", None),
    ];
    let about = "A stretch of the calendar that moves with today, as it is in the organisation's time zone whenever the filter is used. The last seven days: `{ unit: DAY, from: -6, to: 0 }`; this month: `{ unit: MONTH, from: 0, to: 0 }`; before today: `{ unit: DAY, to: -1 }`.";
    input(registry, STRETCH, about, fields);
    STRETCH
}

fn money_filter(registry: &mut Registry) -> String {
    let currency = "Only amounts in this currency match.";
    let mut fields = vec![meta_input("currency", currency, "CurrencyCode!", None)];
    fields.extend(AMOUNT_OPERATORS.iter().map(|one| operator(one, "Decimal")));
    let about = "How an amount is compared, within one currency. All that are given have to hold.";
    input(registry, "MoneyFilter", about, fields);
    "MoneyFilter".to_owned()
}
